//! v2: topics, partitions, records, and consumers that the server holds for its clients.

use super::{Mark, Route};
use crate::kafka::session::Action::{Consume, Describe, Produce};
use partywall_json::{Field, Shape, field};

type S = Shape<Mark>;

pub(super) const ROUTES: &[Route] = &[
    Route::of("GET", "/topics").lists(&NAMES).listing(Describe),
    Route::of("GET", "/topics/{topic}").does(Describe).gives(&TOPIC),
    Route::of("POST", "/topics/{topic}").does(Produce).query(&["async"]).streams(&RECORDS).lists(&WRITTEN),
    Route::of("GET", "/topics/{topic}/partitions").does(Describe).lists(&PARTITIONS),
    Route::of("GET", "/topics/{topic}/partitions/{partition}").does(Describe).gives(&PARTITION),
    Route::of("GET", "/topics/{topic}/partitions/{partition}/offsets").does(Describe).gives(&RANGE),
    Route::of("POST", "/topics/{topic}/partitions/{partition}")
        .does(Produce)
        .query(&["async"])
        .streams(&RECORDS_OF_ONE)
        .lists(&WRITTEN),
    Route::of("POST", "/consumers/{group}").takes(&NEW_INSTANCE).gives(&INSTANCE),
    Route::of("DELETE", "/consumers/{group}/instances/{instance}"),
    Route::of("POST", "/consumers/{group}/instances/{instance}/subscription").does(Consume).takes(&SUBSCRIPTION),
    Route::of("GET", "/consumers/{group}/instances/{instance}/subscription").gives(&SUBSCRIBED).listing(Describe),
    Route::of("DELETE", "/consumers/{group}/instances/{instance}/subscription"),
    Route::of("POST", "/consumers/{group}/instances/{instance}/assignments").does(Consume).takes(&ASSIGNMENTS),
    Route::of("GET", "/consumers/{group}/instances/{instance}/assignments").gives(&ASSIGNMENTS).listing(Describe),
    Route::of("POST", "/consumers/{group}/instances/{instance}/positions").does(Consume).takes(&OFFSETS),
    Route::of("POST", "/consumers/{group}/instances/{instance}/positions/beginning").does(Consume).takes(&ASSIGNMENTS),
    Route::of("POST", "/consumers/{group}/instances/{instance}/positions/end").does(Consume).takes(&ASSIGNMENTS),
    Route::of("POST", "/consumers/{group}/instances/{instance}/offsets").does(Consume).may_take(&OFFSETS),
    Route::of("GET", "/consumers/{group}/instances/{instance}/offsets")
        .does(Consume)
        .takes(&ASSIGNMENTS)
        .gives(&OFFSETS),
    // What a pattern matched is decided here.
    Route::of("GET", "/consumers/{group}/instances/{instance}/records")
        .query(&["timeout", "max_bytes"])
        .lists(&FETCHED)
        .listing(Consume),
];

const TOPIC_FIELD: Field<Mark> = field("topic", Shape::Marked(Mark::Topic));
const PARTITION_FIELD: Field<Mark> = field("partition", Shape::Marked(Mark::Partition));

static NAMES: S = Shape::List(&Shape::Marked(Mark::Topic));
static TOPIC: S = Shape::Object(&[
    field("name", Shape::Marked(Mark::Topic)),
    field("configs", Shape::Any),
    field("partitions", Shape::List(&PARTITION)),
]);
static PARTITIONS: S = Shape::List(&PARTITION);
static PARTITION: S = Shape::Object(&[
    PARTITION_FIELD,
    field("leader", Shape::Plain),
    field(
        "replicas",
        Shape::List(&Shape::Object(&[
            field("broker", Shape::Plain),
            field("leader", Shape::Plain),
            field("in_sync", Shape::Plain),
        ])),
    ),
]);
static RANGE: S = Shape::Object(&[field("beginning_offset", Shape::Plain), field("end_offset", Shape::Plain)]);

static RECORDS: S = Shape::Object(&[field(
    "records",
    Shape::List(&Shape::Object(&[
        field("key", Shape::Any),
        field("value", Shape::Any),
        PARTITION_FIELD,
        field("timestamp", Shape::Plain),
        field("headers", Shape::Any),
    ])),
)]);
static RECORDS_OF_ONE: S = Shape::Object(&[field(
    "records",
    Shape::List(&Shape::Object(&[
        field("key", Shape::Any),
        field("value", Shape::Any),
        field("timestamp", Shape::Plain),
        field("headers", Shape::Any),
    ])),
)]);
static WRITTEN: S = Shape::Object(&[
    field("key_schema_id", Shape::Plain),
    field("value_schema_id", Shape::Plain),
    field(
        "offsets",
        Shape::List(&Shape::Object(&[
            PARTITION_FIELD,
            field("offset", Shape::Plain),
            field("error_code", Shape::Plain),
            field("error", Shape::Marked(Mark::Message)),
            field("message", Shape::Marked(Mark::Message)),
        ])),
    ),
]);
static NEW_INSTANCE: S = Shape::Object(&[
    field("name", Shape::Plain),
    field("format", Shape::Marked(Mark::Format)),
    field("auto.offset.reset", Shape::Plain),
    field("auto.commit.enable", Shape::Plain),
    field("enable.auto.commit", Shape::Plain),
    field("fetch.min.bytes", Shape::Plain),
    field("consumer.request.timeout.ms", Shape::Plain),
    field("isolation.level", Shape::Plain),
]);
static INSTANCE: S =
    Shape::Object(&[field("instance_id", Shape::Plain), field("base_uri", Shape::Marked(Mark::BaseUri))]);
static SUBSCRIPTION: S = Shape::Object(&[
    field("topics", Shape::List(&Shape::Marked(Mark::Topic))),
    field("topic_pattern", Shape::Marked(Mark::Pattern)),
]);
static SUBSCRIBED: S = Shape::Object(&[field("topics", Shape::List(&Shape::Marked(Mark::Topic)))]);
static ASSIGNMENTS: S =
    Shape::Object(&[field("partitions", Shape::List(&Shape::Object(&[TOPIC_FIELD, PARTITION_FIELD])))]);
static OFFSETS: S = Shape::Object(&[field(
    "offsets",
    Shape::List(&Shape::Object(&[
        TOPIC_FIELD,
        PARTITION_FIELD,
        field("offset", Shape::Plain),
        field("metadata", Shape::Plain),
    ])),
)]);
static FETCHED: S = Shape::List(&Shape::Object(&[
    TOPIC_FIELD,
    field("key", Shape::Any),
    field("value", Shape::Any),
    PARTITION_FIELD,
    field("offset", Shape::Plain),
    field("timestamp", Shape::Plain),
    field("headers", Shape::Any),
]));
