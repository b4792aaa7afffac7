//! OTLP: <https://opentelemetry.io/docs/specs/otlp/>.

pub(crate) mod binary;
pub(crate) mod grpc;
pub(crate) mod json;
pub(crate) mod tables;

use super::schema::Schema;

/// What telemetry is of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Signal {
    /// `/v1/logs`.
    Logs,
    /// `/v1/traces`.
    Traces,
    /// `/v1/metrics`.
    Metrics,
}

impl Signal {
    pub(crate) fn schema(self) -> &'static Schema {
        match self {
            Self::Logs => &tables::LOGS,
            Self::Traces => &tables::TRACES,
            Self::Metrics => &tables::METRICS,
        }
    }

    /// Where it is posted to over HTTP: <https://opentelemetry.io/docs/specs/otlp/#otlphttp-request>.
    pub const fn path(self) -> &'static str {
        match self {
            Self::Logs => "/v1/logs",
            Self::Traces => "/v1/traces",
            Self::Metrics => "/v1/metrics",
        }
    }

    /// The method that takes it over gRPC: <https://opentelemetry.io/docs/specs/otlp/#otlpgrpc>.
    pub const fn method(self) -> &'static str {
        match self {
            Self::Logs => "/opentelemetry.proto.collector.logs.v1.LogsService/Export",
            Self::Traces => "/opentelemetry.proto.collector.trace.v1.TraceService/Export",
            Self::Metrics => "/opentelemetry.proto.collector.metrics.v1.MetricsService/Export",
        }
    }

    /// The name of its list of resources, in either form.
    pub(crate) const fn list(self) -> (&'static str, &'static str) {
        match self {
            Self::Logs => ("resourceLogs", "resource_logs"),
            Self::Traces => ("resourceSpans", "resource_spans"),
            Self::Metrics => ("resourceMetrics", "resource_metrics"),
        }
    }
}
