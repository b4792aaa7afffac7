//! The messages of OTLP 1.9, from opentelemetry/proto: <https://github.com/open-telemetry/opentelemetry-proto>.

use super::super::leaves::{Slot, Unit};
use super::super::schema::{Known, Schema, Tags, What, bare, known, step};
use What::{Any, Attribute, Id, Message, Number, Numbers, Text};

const TRACE: usize = 16;
const SPAN: usize = 8;

const fn plain(fields: &'static [Known]) -> Schema {
    Schema::new(fields, Tags::Nowhere)
}

/// `ExportLogsServiceRequest`.
pub(crate) static LOGS: Schema = plain(&[bare(1, "resource_logs", What::Unit(Unit::Resource, &RESOURCE_LOGS))]);
/// `ExportTraceServiceRequest`.
pub(crate) static TRACES: Schema = plain(&[bare(1, "resource_spans", What::Unit(Unit::Resource, &RESOURCE_SPANS))]);
/// `ExportMetricsServiceRequest`.
pub(crate) static METRICS: Schema =
    plain(&[bare(1, "resource_metrics", What::Unit(Unit::Resource, &RESOURCE_METRICS))]);

static RESOURCE: Schema = Schema::new(
    &[
        known(1, "attributes", Attribute(Slot::ResourceAttribute)),
        known(2, "dropped_attributes_count", Number),
        known(3, "entity_refs", Message(&ENTITY)),
    ],
    Tags::Own(1),
);
static ENTITY: Schema = plain(&[
    known(1, "schema_url", Text(Slot::Text)),
    known(2, "type", Text(Slot::Text)),
    known(3, "id_keys", Text(Slot::Text)),
    known(4, "description_keys", Text(Slot::Text)),
]);
static SCOPE: Schema = Schema::new(
    &[
        known(1, "name", Text(Slot::Name)),
        known(2, "version", Text(Slot::Text)),
        known(3, "attributes", Attribute(Slot::ScopeAttribute)),
        known(4, "dropped_attributes_count", Number),
    ],
    Tags::Own(3),
);

static RESOURCE_LOGS: Schema = Schema::new(
    &[
        known(1, "resource", Message(&RESOURCE)),
        bare(2, "scope_logs", What::Unit(Unit::Scope, &SCOPE_LOGS)),
        step(3, "schema_url", "resource.schema_url", Text(Slot::Text)),
    ],
    Tags::In(1, 1),
);
static SCOPE_LOGS: Schema = Schema::new(
    &[
        known(1, "scope", Message(&SCOPE)),
        bare(2, "log_records", What::Unit(Unit::Record, &LOG_RECORD)),
        step(3, "schema_url", "scope.schema_url", Text(Slot::Text)),
    ],
    Tags::In(1, 3),
);
static LOG_RECORD: Schema = Schema::new(
    &[
        known(1, "time_unix_nano", Number),
        known(11, "observed_time_unix_nano", Number),
        known(2, "severity_number", Number),
        known(3, "severity_text", Text(Slot::Text)),
        known(5, "body", Any(Slot::Body)),
        known(6, "attributes", Attribute(Slot::Attribute)),
        known(7, "dropped_attributes_count", Number),
        known(8, "flags", Number),
        known(9, "trace_id", Id(TRACE)),
        known(10, "span_id", Id(SPAN)),
        known(12, "event_name", Text(Slot::Name)),
    ],
    Tags::Own(6),
);

static RESOURCE_SPANS: Schema = Schema::new(
    &[
        known(1, "resource", Message(&RESOURCE)),
        bare(2, "scope_spans", What::Unit(Unit::Scope, &SCOPE_SPANS)),
        step(3, "schema_url", "resource.schema_url", Text(Slot::Text)),
    ],
    Tags::In(1, 1),
);
static SCOPE_SPANS: Schema = Schema::new(
    &[
        known(1, "scope", Message(&SCOPE)),
        bare(2, "spans", What::Unit(Unit::Record, &SPAN_RECORD)),
        step(3, "schema_url", "scope.schema_url", Text(Slot::Text)),
    ],
    Tags::In(1, 3),
);
static SPAN_RECORD: Schema = Schema::new(
    &[
        known(1, "trace_id", Id(TRACE)),
        known(2, "span_id", Id(SPAN)),
        known(3, "trace_state", Text(Slot::TraceState)),
        known(4, "parent_span_id", Id(SPAN)),
        known(5, "name", Text(Slot::Name)),
        known(6, "kind", Number),
        known(7, "start_time_unix_nano", Number),
        known(8, "end_time_unix_nano", Number),
        known(9, "attributes", Attribute(Slot::Attribute)),
        known(10, "dropped_attributes_count", Number),
        known(11, "events", Message(&EVENT)),
        known(12, "dropped_events_count", Number),
        known(13, "links", Message(&LINK)),
        known(14, "dropped_links_count", Number),
        known(15, "status", Message(&STATUS)),
        known(16, "flags", Number),
    ],
    Tags::Own(9),
);
static EVENT: Schema = plain(&[
    known(1, "time_unix_nano", Number),
    known(2, "name", Text(Slot::Name)),
    known(3, "attributes", Attribute(Slot::EventAttribute)),
    known(4, "dropped_attributes_count", Number),
]);
static LINK: Schema = plain(&[
    known(1, "trace_id", Id(TRACE)),
    known(2, "span_id", Id(SPAN)),
    known(3, "trace_state", Text(Slot::TraceState)),
    known(4, "attributes", Attribute(Slot::LinkAttribute)),
    known(5, "dropped_attributes_count", Number),
    known(6, "flags", Number),
]);
static STATUS: Schema = plain(&[known(2, "message", Text(Slot::Text)), known(3, "code", Number)]);

static RESOURCE_METRICS: Schema = Schema::new(
    &[
        known(1, "resource", Message(&RESOURCE)),
        bare(2, "scope_metrics", What::Unit(Unit::Scope, &SCOPE_METRICS)),
        step(3, "schema_url", "resource.schema_url", Text(Slot::Text)),
    ],
    Tags::In(1, 1),
);
static SCOPE_METRICS: Schema = Schema::new(
    &[
        known(1, "scope", Message(&SCOPE)),
        bare(2, "metrics", What::Unit(Unit::Metric, &METRIC)),
        step(3, "schema_url", "scope.schema_url", Text(Slot::Text)),
    ],
    Tags::In(1, 3),
);
static METRIC: Schema = Schema::new(
    &[
        step(1, "name", "metric.name", Text(Slot::Name)),
        step(2, "description", "metric.description", Text(Slot::Text)),
        step(3, "unit", "metric.unit", Text(Slot::Text)),
        bare(5, "gauge", Message(&GAUGE)),
        bare(7, "sum", Message(&SUM)),
        bare(9, "histogram", Message(&HISTOGRAM)),
        bare(10, "exponential_histogram", Message(&EXPONENTIAL)),
        bare(11, "summary", Message(&SUMMARY)),
        step(12, "metadata", "metric.metadata", Attribute(Slot::Attribute)),
    ],
    Tags::Own(12),
);
static GAUGE: Schema = plain(&[bare(1, "data_points", What::Unit(Unit::Record, &NUMBER_POINT))]);
static SUM: Schema = plain(&[
    bare(1, "data_points", What::Unit(Unit::Record, &NUMBER_POINT)),
    known(2, "aggregation_temporality", Number),
    known(3, "is_monotonic", Number),
]);
static HISTOGRAM: Schema = plain(&[
    bare(1, "data_points", What::Unit(Unit::Record, &HISTOGRAM_POINT)),
    known(2, "aggregation_temporality", Number),
]);
static EXPONENTIAL: Schema = plain(&[
    bare(1, "data_points", What::Unit(Unit::Record, &EXPONENTIAL_POINT)),
    known(2, "aggregation_temporality", Number),
]);
static SUMMARY: Schema = plain(&[bare(1, "data_points", What::Unit(Unit::Record, &SUMMARY_POINT))]);
static NUMBER_POINT: Schema = Schema::new(
    &[
        known(7, "attributes", Attribute(Slot::Attribute)),
        known(2, "start_time_unix_nano", Number),
        known(3, "time_unix_nano", Number),
        known(4, "as_double", Number),
        known(6, "as_int", Number),
        known(5, "exemplars", Message(&EXEMPLAR)),
        known(8, "flags", Number),
    ],
    Tags::Own(7),
);
static HISTOGRAM_POINT: Schema = Schema::new(
    &[
        known(9, "attributes", Attribute(Slot::Attribute)),
        known(2, "start_time_unix_nano", Number),
        known(3, "time_unix_nano", Number),
        known(4, "count", Number),
        known(5, "sum", Number),
        known(6, "bucket_counts", Numbers),
        known(7, "explicit_bounds", Numbers),
        known(8, "exemplars", Message(&EXEMPLAR)),
        known(10, "flags", Number),
        known(11, "min", Number),
        known(12, "max", Number),
    ],
    Tags::Own(9),
);
static EXPONENTIAL_POINT: Schema = Schema::new(
    &[
        known(1, "attributes", Attribute(Slot::Attribute)),
        known(2, "start_time_unix_nano", Number),
        known(3, "time_unix_nano", Number),
        known(4, "count", Number),
        known(5, "sum", Number),
        known(6, "scale", Number),
        known(7, "zero_count", Number),
        known(8, "positive", Message(&BUCKETS)),
        known(9, "negative", Message(&BUCKETS)),
        known(10, "flags", Number),
        known(11, "exemplars", Message(&EXEMPLAR)),
        known(12, "min", Number),
        known(13, "max", Number),
        known(14, "zero_threshold", Number),
    ],
    Tags::Own(1),
);
static BUCKETS: Schema = plain(&[known(1, "offset", Number), known(2, "bucket_counts", Numbers)]);
static SUMMARY_POINT: Schema = Schema::new(
    &[
        known(7, "attributes", Attribute(Slot::Attribute)),
        known(2, "start_time_unix_nano", Number),
        known(3, "time_unix_nano", Number),
        known(4, "count", Number),
        known(5, "sum", Number),
        known(6, "quantile_values", Message(&QUANTILE)),
        known(8, "flags", Number),
    ],
    Tags::Own(7),
);
static QUANTILE: Schema = plain(&[known(1, "quantile", Number), known(2, "value", Number)]);
static EXEMPLAR: Schema = plain(&[
    known(7, "filtered_attributes", Attribute(Slot::ExemplarAttribute)),
    known(2, "time_unix_nano", Number),
    known(3, "as_double", Number),
    known(6, "as_int", Number),
    known(4, "span_id", Id(SPAN)),
    known(5, "trace_id", Id(TRACE)),
]);
