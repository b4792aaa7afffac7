//! Messages of OTLP, made up from a seed.
#![allow(dead_code, unreachable_pub, reason = "each test takes its part")]

use opentelemetry_proto::tonic::collector::logs::v1::ExportLogsServiceRequest as Logs;
use opentelemetry_proto::tonic::collector::metrics::v1::ExportMetricsServiceRequest as Metrics;
use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest as Traces;
use opentelemetry_proto::tonic::common::v1::any_value::Value;
use opentelemetry_proto::tonic::common::v1::{AnyValue, ArrayValue, InstrumentationScope, KeyValue, KeyValueList};
use opentelemetry_proto::tonic::logs::v1::{LogRecord, ResourceLogs, ScopeLogs};
use opentelemetry_proto::tonic::metrics::v1::metric::Data;
use opentelemetry_proto::tonic::metrics::v1::number_data_point::Value as Number;
use opentelemetry_proto::tonic::metrics::v1::{
    Exemplar, Gauge, Histogram, HistogramDataPoint, Metric, NumberDataPoint, ResourceMetrics, ScopeMetrics, Sum,
    exemplar,
};
use opentelemetry_proto::tonic::resource::v1::Resource;
use opentelemetry_proto::tonic::trace::v1::span::{Event, Link};
use opentelemetry_proto::tonic::trace::v1::{ResourceSpans, ScopeSpans, Span, Status};

use crate::telemetry::Random;

impl Random {
    pub fn text(&mut self) -> String {
        let long = "a longer text that takes two bytes to say how long it is, ".repeat(3);
        let list = [
            "",
            "a",
            "z-q",
            "shop z-q",
            "é😀 z-q \"\\\n",
            "drop me",
            "/orders/17?z-q=1",
            "ok",
            "z-qz-qz-q",
            "\u{1}",
            &long,
        ];
        self.of(&list).to_owned()
    }

    fn id(&mut self, size: usize) -> Vec<u8> {
        if self.below(4) == 0 { Vec::new() } else { (0..size).map(|_| self.below(256) as u8).collect() }
    }

    fn value(&mut self, depth: usize) -> Option<AnyValue> {
        let value = match self.below(if depth > 3 { 5 } else { 9 }) {
            0 | 1 => Value::StringValue(self.text()),
            2 => Value::BoolValue(self.below(2) == 1),
            3 => Value::IntValue(self.below(1 << 30) as i64 - (1 << 29)),
            4 => Value::DoubleValue(self.below(1000) as f64 / 8.0),
            5 => Value::ArrayValue(ArrayValue {
                values: self.many(3, |random| random.value(depth + 1).unwrap_or_default()),
            }),
            6 => Value::KvlistValue(KeyValueList { values: self.attributes(depth + 1) }),
            7 => Value::BytesValue(self.id(5)),
            _ => {
                return if depth == 0 { None } else { Some(AnyValue { value: Some(Value::StringValue(self.text())) }) };
            }
        };
        Some(AnyValue { value: Some(value) })
    }

    fn attributes(&mut self, depth: usize) -> Vec<KeyValue> {
        self.many(4, |random| KeyValue {
            key: random.of(&["user", "z-q.key", "http.url", "n"]).to_owned(),
            value: random.value(depth.max(1)),
        })
    }

    fn many<T>(&mut self, most: usize, mut one: impl FnMut(&mut Self) -> T) -> Vec<T> {
        (0..self.below(most + 1)).map(|_| one(self)).collect()
    }

    fn resource(&mut self) -> Option<Resource> {
        (self.below(5) > 0).then(|| Resource { attributes: self.attributes(0), ..Resource::default() })
    }

    fn scope(&mut self) -> Option<InstrumentationScope> {
        (self.below(3) > 0).then(|| InstrumentationScope {
            name: self.text(),
            version: self.text(),
            attributes: self.attributes(0),
            dropped_attributes_count: self.below(3) as u32,
        })
    }

    pub fn logs(&mut self) -> Logs {
        let record = |random: &mut Self| LogRecord {
            time_unix_nano: random.below(1 << 30) as u64,
            severity_number: random.below(20) as i32,
            severity_text: random.text(),
            body: random.value(0),
            attributes: random.attributes(0),
            flags: random.below(2) as u32,
            trace_id: random.id(16),
            span_id: random.id(8),
            event_name: random.text(),
            ..LogRecord::default()
        };
        let scope = |random: &mut Self| ScopeLogs {
            scope: random.scope(),
            log_records: random.many(4, record),
            schema_url: random.text(),
        };
        let resource = |random: &mut Self| ResourceLogs {
            resource: random.resource(),
            scope_logs: random.many(3, scope),
            schema_url: random.text(),
        };
        Logs { resource_logs: self.many(3, resource) }
    }

    pub fn traces(&mut self) -> Traces {
        let event = |random: &mut Self| Event {
            time_unix_nano: random.below(99) as u64,
            name: random.text(),
            attributes: random.attributes(0),
            ..Event::default()
        };
        let link = |random: &mut Self| Link {
            trace_id: random.id(16),
            span_id: random.id(8),
            trace_state: random.text(),
            attributes: random.attributes(0),
            ..Link::default()
        };
        let span = |random: &mut Self| Span {
            trace_id: random.id(16),
            span_id: random.id(8),
            trace_state: random.text(),
            parent_span_id: random.id(8),
            name: random.text(),
            kind: random.below(5) as i32,
            start_time_unix_nano: random.below(99) as u64,
            attributes: random.attributes(0),
            events: random.many(2, event),
            links: random.many(2, link),
            status: (random.below(2) == 0).then(|| Status { message: random.text(), code: 2 }),
            ..Span::default()
        };
        let scope = |random: &mut Self| ScopeSpans {
            scope: random.scope(),
            spans: random.many(3, span),
            schema_url: random.text(),
        };
        let resource = |random: &mut Self| ResourceSpans {
            resource: random.resource(),
            scope_spans: random.many(3, scope),
            schema_url: random.text(),
        };
        Traces { resource_spans: self.many(3, resource) }
    }

    pub fn metrics(&mut self) -> Metrics {
        let exemplar = |random: &mut Self| Exemplar {
            filtered_attributes: random.attributes(0),
            time_unix_nano: random.below(99) as u64,
            span_id: random.id(8),
            trace_id: random.id(16),
            value: Some(exemplar::Value::AsDouble(0.5)),
        };
        let number = move |random: &mut Self| NumberDataPoint {
            attributes: random.attributes(0),
            time_unix_nano: random.below(99) as u64,
            exemplars: random.many(2, exemplar),
            value: Some(Number::AsInt(random.below(99) as i64)),
            ..NumberDataPoint::default()
        };
        let metric = |random: &mut Self| {
            let data = match random.below(3) {
                0 => Data::Gauge(Gauge { data_points: random.many(3, number) }),
                1 => Data::Sum(Sum {
                    data_points: random.many(3, number),
                    aggregation_temporality: 2,
                    is_monotonic: true,
                }),
                _ => Data::Histogram(Histogram {
                    data_points: random.many(3, |random| HistogramDataPoint {
                        attributes: random.attributes(0),
                        count: 3,
                        bucket_counts: vec![1, 300],
                        explicit_bounds: vec![0.5],
                        exemplars: random.many(2, exemplar),
                        ..HistogramDataPoint::default()
                    }),
                    aggregation_temporality: 1,
                }),
            };
            Metric {
                name: random.text(),
                description: random.text(),
                unit: random.text(),
                metadata: random.attributes(0),
                data: Some(data),
            }
        };
        let scope = |random: &mut Self| ScopeMetrics {
            scope: random.scope(),
            metrics: random.many(3, metric),
            schema_url: random.text(),
        };
        let resource = |random: &mut Self| ResourceMetrics {
            resource: random.resource(),
            scope_metrics: random.many(3, scope),
            schema_url: random.text(),
        };
        Metrics { resource_metrics: self.many(3, resource) }
    }
}
