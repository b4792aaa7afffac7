//! What clients of Loki push: <https://grafana.com/docs/loki/latest/reference/loki-http-api/#ingest-logs>.

pub(crate) mod json;
pub(crate) mod labels;
pub(crate) mod tables;
