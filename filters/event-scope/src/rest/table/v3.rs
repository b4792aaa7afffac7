//! v3: clusters, topics with their configurations and partitions, records, and groups with their members and lags.
//! ACLs, brokers, links between clusters and what is moved between brokers are nobody's, and in no route.

use super::{Mark, Route};
use crate::kafka::session::Action::{Alter, Create, Delete, Describe, Produce};
use partywall_json::{Field, Shape, field};

type S = Shape<Mark>;

const TOPIC_QUERY: &[&str] = &["include_authorized_operations"];

pub(super) const ROUTES: &[Route] = &[
    Route::of("GET", "/v3/clusters").lists(&CLUSTERS),
    Route::of("GET", "/v3/clusters/{cluster}").gives(&CLUSTER),
    Route::of("GET", "/v3/clusters/{cluster}/topics").lists(&TOPICS).listing(Describe),
    Route::of("POST", "/v3/clusters/{cluster}/topics").does(Create).takes(&NEW_TOPIC).gives(&TOPIC),
    Route::of("GET", "/v3/clusters/{cluster}/topics/{topic}").does(Describe).query(TOPIC_QUERY).gives(&TOPIC),
    Route::of("PATCH", "/v3/clusters/{cluster}/topics/{topic}").does(Alter).takes(&MORE_PARTITIONS).gives(&TOPIC),
    Route::of("DELETE", "/v3/clusters/{cluster}/topics/{topic}").does(Delete),
    Route::of("GET", "/v3/clusters/{cluster}/topics/{topic}/configs").does(Describe).lists(&CONFIGS),
    Route::of("POST", "/v3/clusters/{cluster}/topics/{topic}/configs:alter").does(Alter).takes(&ALTER),
    Route::of("GET", "/v3/clusters/{cluster}/topics/{topic}/configs/{config}").does(Describe).gives(&CONFIG),
    Route::of("GET", "/v3/clusters/{cluster}/topics/{topic}/partitions").does(Describe).lists(&PARTITIONS),
    Route::of("GET", "/v3/clusters/{cluster}/topics/{topic}/partitions/{partition}").does(Describe).gives(&PARTITION),
    Route::of("GET", "/v3/clusters/{cluster}/topics/{topic}/partitions/{partition}/replicas")
        .does(Describe)
        .lists(&REPLICAS),
    Route::of("GET", "/v3/clusters/{cluster}/topics/{topic}/partitions/{partition}/replicas/{broker}")
        .does(Describe)
        .gives(&REPLICA),
    Route::of("POST", "/v3/clusters/{cluster}/topics/{topic}/records")
        .does(Produce)
        .streams(&RECORDS)
        .lists(&WRITTEN),
    Route::of("POST", "/v3/clusters/{cluster}/topics/{topic}/records:batch")
        .does(Produce)
        .streams(&BATCH)
        .lists(&BATCH_WRITTEN),
    Route::of("GET", "/v3/clusters/{cluster}/consumer-groups").lists(&GROUPS),
    Route::of("GET", "/v3/clusters/{cluster}/consumer-groups/{group}").gives(&GROUP),
    Route::of("GET", "/v3/clusters/{cluster}/consumer-groups/{group}/consumers").lists(&CONSUMERS),
    Route::of("GET", "/v3/clusters/{cluster}/consumer-groups/{group}/consumers/{consumer}").gives(&CONSUMER),
    Route::of("GET", "/v3/clusters/{cluster}/consumer-groups/{group}/consumers/{consumer}/assignments")
        .lists(&ASSIGNMENTS)
        .listing(Describe),
    Route::of(
        "GET",
        "/v3/clusters/{cluster}/consumer-groups/{group}/consumers/{consumer}/assignments/{topic}/partitions/{partition}",
    )
    .does(Describe)
    .gives(&ASSIGNMENT),
    Route::of("GET", "/v3/clusters/{cluster}/consumer-groups/{group}/lag-summary")
        .gives(&LAG_SUMMARY)
        .listing(Describe),
    Route::of("GET", "/v3/clusters/{cluster}/consumer-groups/{group}/lags").lists(&LAGS).listing(Describe),
    Route::of("GET", "/v3/clusters/{cluster}/consumer-groups/{group}/lags/{topic}/partitions/{partition}")
        .does(Describe)
        .gives(&LAG),
];

pub(super) const LINKED: &[&str] = &[
    "/v3/clusters/{cluster}/acls",
    "/v3/clusters/{cluster}/brokers",
    "/v3/clusters/{cluster}/brokers/{broker}",
    "/v3/clusters/{cluster}/broker-configs",
    "/v3/clusters/{cluster}/topics/-/partitions/-/reassignment",
    "/v3/clusters/{cluster}/topics/{topic}/partitions/-/reassignment",
    "/v3/clusters/{cluster}/topics/{topic}/partitions/{partition}/reassignment",
];

const KIND: Field<Mark> = field("kind", Shape::Plain);
const METADATA: Field<Mark> = field(
    "metadata",
    Shape::Object(&[
        field("self", Shape::Marked(Mark::Link)),
        field("next", Shape::Marked(Mark::Link)),
        field("resource_name", Shape::Marked(Mark::Crn)),
    ]),
);
const CLUSTER_ID: Field<Mark> = field("cluster_id", Shape::Plain);
const TOPIC_NAME: Field<Mark> = field("topic_name", Shape::Marked(Mark::Topic));
const PARTITION_ID: Field<Mark> = field("partition_id", Shape::Marked(Mark::Partition));
const GROUP_ID: Field<Mark> = field("consumer_group_id", Shape::Marked(Mark::Group));
const CLIENT_ID: Field<Mark> = field("client_id", Shape::Marked(Mark::Client));

const fn plain(name: &'static str) -> Field<Mark> {
    field(name, Shape::Plain)
}

const RELATED: [Field<Mark>; 1] = [field("related", Shape::Marked(Mark::Link))];

const fn related(name: &'static str) -> Field<Mark> {
    field(name, Shape::Object(&RELATED))
}

const fn page(item: &'static S) -> [Field<Mark>; 3] {
    [KIND, METADATA, field("data", Shape::List(item))]
}

static CLUSTERS: S = Shape::Object(&page(&CLUSTER));
static CLUSTER: S = Shape::Object(&[
    KIND,
    METADATA,
    CLUSTER_ID,
    related("controller"),
    related("acls"),
    related("brokers"),
    related("broker_configs"),
    related("consumer_groups"),
    related("topics"),
    related("partition_reassignments"),
]);

static TOPICS: S = Shape::Object(&page(&TOPIC));
static TOPIC: S = Shape::Object(&[
    KIND,
    METADATA,
    CLUSTER_ID,
    TOPIC_NAME,
    plain("is_internal"),
    plain("replication_factor"),
    plain("partitions_count"),
    related("partitions"),
    related("configs"),
    related("partition_reassignments"),
    field("authorized_operations", Shape::List(&Shape::Plain)),
]);
static NEW_TOPIC: S = Shape::Object(&[
    TOPIC_NAME,
    field("partitions_count", Shape::Marked(Mark::NewPartitions)),
    field("replication_factor", Shape::Marked(Mark::NewReplicas)),
    field("configs", Shape::List(&SET)),
    plain("validate_only"),
]);
static MORE_PARTITIONS: S = Shape::Object(&[field("partitions_count", Shape::Marked(Mark::NewPartitions))]);
static SET: S = Shape::Object(&[
    field("name", Shape::Marked(Mark::ConfigName)),
    field("value", Shape::Marked(Mark::ConfigValue)),
    plain("operation"),
]);
static ALTER: S = Shape::Object(&[field("data", Shape::List(&SET)), plain("validate_only")]);

static CONFIGS: S = Shape::Object(&page(&CONFIG));
static CONFIG: S = Shape::Object(&[
    KIND,
    METADATA,
    CLUSTER_ID,
    TOPIC_NAME,
    plain("name"),
    plain("value"),
    plain("is_default"),
    plain("is_read_only"),
    plain("is_sensitive"),
    plain("source"),
    field("synonyms", Shape::List(&Shape::Object(&[plain("name"), plain("value"), plain("source")]))),
]);

static PARTITIONS: S = Shape::Object(&page(&PARTITION));
static PARTITION: S = Shape::Object(&[
    KIND,
    METADATA,
    CLUSTER_ID,
    TOPIC_NAME,
    PARTITION_ID,
    related("leader"),
    related("replicas"),
    related("reassignment"),
]);
static REPLICAS: S = Shape::Object(&page(&REPLICA));
static REPLICA: S = Shape::Object(&[
    KIND,
    METADATA,
    CLUSTER_ID,
    TOPIC_NAME,
    PARTITION_ID,
    plain("broker_id"),
    plain("is_leader"),
    plain("is_in_sync"),
    related("broker"),
]);

/// Key or value: bytes or JSON, without a schema, which lies in a registry that is nobody's here.
const DATA: S = Shape::Object(&[plain("type"), field("data", Shape::Any)]);
const HEADERS: Field<Mark> = field("headers", Shape::List(&Shape::Object(&[plain("name"), plain("value")])));
static RECORDS: S = Shape::Sequence(&Shape::Object(&[
    PARTITION_ID,
    HEADERS,
    field("key", DATA),
    field("value", DATA),
    plain("timestamp"),
]));
static BATCH: S = Shape::Object(&[field(
    "entries",
    Shape::List(&Shape::Object(&[
        plain("id"),
        PARTITION_ID,
        HEADERS,
        field("key", DATA),
        field("value", DATA),
        plain("timestamp"),
    ])),
)]);
const SIZE: S = Shape::Object(&[plain("type"), plain("size")]);
const WRITTEN_FIELDS: [Field<Mark>; 10] = [
    plain("error_code"),
    field("message", Shape::Marked(Mark::Message)),
    CLUSTER_ID,
    TOPIC_NAME,
    PARTITION_ID,
    plain("offset"),
    plain("timestamp"),
    field("key", SIZE),
    field("value", SIZE),
    plain("id"),
];
static WRITTEN: S = Shape::Sequence(&Shape::Object(&WRITTEN_FIELDS));
static BATCH_WRITTEN: S = Shape::Object(&[
    field("successes", Shape::List(&Shape::Object(&WRITTEN_FIELDS))),
    field("failures", Shape::List(&Shape::Object(&WRITTEN_FIELDS))),
]);

static GROUPS: S = Shape::Object(&page(&GROUP));
static GROUP: S = Shape::Object(&[
    KIND,
    METADATA,
    CLUSTER_ID,
    GROUP_ID,
    plain("is_simple"),
    plain("partition_assignor"),
    plain("state"),
    plain("type"),
    plain("is_mixed_consumer_group"),
    related("coordinator"),
    related("consumers"),
    related("lag_summary"),
]);
static CONSUMERS: S = Shape::Object(&page(&CONSUMER));
static CONSUMER: S = Shape::Object(&[
    KIND,
    METADATA,
    CLUSTER_ID,
    GROUP_ID,
    plain("consumer_id"),
    plain("instance_id"),
    CLIENT_ID,
    related("assignments"),
]);
static ASSIGNMENTS: S = Shape::Object(&page(&ASSIGNMENT));
static ASSIGNMENT: S = Shape::Object(&[
    KIND,
    METADATA,
    CLUSTER_ID,
    GROUP_ID,
    plain("consumer_id"),
    TOPIC_NAME,
    PARTITION_ID,
    related("partition"),
    related("lag"),
]);
static LAGS: S = Shape::Object(&page(&LAG));
static LAG: S = Shape::Object(&[
    KIND,
    METADATA,
    CLUSTER_ID,
    GROUP_ID,
    TOPIC_NAME,
    PARTITION_ID,
    plain("current_offset"),
    plain("log_end_offset"),
    plain("lag"),
    plain("consumer_id"),
    plain("instance_id"),
    CLIENT_ID,
]);
static LAG_SUMMARY: S = Shape::Object(&[
    KIND,
    METADATA,
    CLUSTER_ID,
    GROUP_ID,
    plain("max_lag_consumer_id"),
    plain("max_lag_instance_id"),
    field("max_lag_client_id", Shape::Marked(Mark::Client)),
    field("max_lag_topic_name", Shape::Marked(Mark::Topic)),
    field("max_lag_partition_id", Shape::Marked(Mark::Partition)),
    plain("max_lag"),
    plain("total_lag"),
    related("max_lag_consumer"),
    related("max_lag_partition"),
]);
