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

    /// The name of its list of resources, in either form.
    pub(crate) const fn list(self) -> (&'static str, &'static str) {
        match self {
            Self::Logs => ("resourceLogs", "resource_logs"),
            Self::Traces => ("resourceSpans", "resource_spans"),
            Self::Metrics => ("resourceMetrics", "resource_metrics"),
        }
    }
}
