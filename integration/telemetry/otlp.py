"""Logs, traces and metrics by OpenTelemetry's SDK and its own exporters:
    otlp.py http|grpc    reads its plan, sends it, prints what it wrote (see marks.py)

For each tenant there is, of each place where a value can stand, a record with something personal there, which goes on
without it, and one with another tenant's name, which does not.
"""
import logging
import sys

import grpc
from opentelemetry import trace as api
from opentelemetry._logs import LogRecord, SeverityNumber
from opentelemetry.exporter.otlp.proto.grpc._log_exporter import OTLPLogExporter as GrpcLogs
from opentelemetry.exporter.otlp.proto.grpc.metric_exporter import OTLPMetricExporter as GrpcMetrics
from opentelemetry.exporter.otlp.proto.grpc.trace_exporter import OTLPSpanExporter as GrpcSpans
from opentelemetry.exporter.otlp.proto.http import Compression
from opentelemetry.exporter.otlp.proto.http._log_exporter import OTLPLogExporter as HttpLogs
from opentelemetry.exporter.otlp.proto.http.metric_exporter import OTLPMetricExporter as HttpMetrics
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter as HttpSpans
from opentelemetry.sdk._logs import LoggerProvider
from opentelemetry.sdk._logs.export import InMemoryLogRecordExporter, SimpleLogRecordProcessor
from opentelemetry.sdk.metrics import AlwaysOnExemplarFilter, MeterProvider
from opentelemetry.sdk.metrics.export import InMemoryMetricReader, MetricsData, ResourceMetrics, ScopeMetrics
from opentelemetry.sdk.metrics.view import ExponentialBucketHistogramAggregation, View
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.trace import Link, NonRecordingSpan, SpanContext, Status, StatusCode, TraceFlags, TraceState

import marks

# Where a resource or a scope holds a value.
AROUND = {
    "scope.name": lambda v: {"scope": {"name": f"shop {v}"}},
    "scope.version": lambda v: {"scope": {"version": f"1 {v}"}},
    "scope.schema_url": lambda v: {"scope": {"schema_url": f"https://schemas.example.org/1?by={v}"}},
    "scope.attributes": lambda v: {"scope": {"attributes": {"built": f"by {v}"}}},
    "scope.attributes key": lambda v: {"scope": {"attributes": {v: "yes"}}},
    "resource.attributes": lambda v: {"resource": {"host.owner": f"of {v}"}},
    "resource.attributes key": lambda v: {"resource": {v: "yes"}},
    "resource.attributes list": lambda v: {"resource": {"process.command_args": ["--user", v]}},
    "resource.schema_url": lambda v: {"resource_schema": f"https://schemas.example.org/2?by={v}"},
}
LOGS = {
    "body": lambda v: {"body": f"login of {v} failed"},
    "body map": lambda v: {"body": {"user": {"contact": v}, "tries": 3}},
    "body map key": lambda v: {"body": {"by": {v: True}}},
    "body list": lambda v: {"body": ["one", [v, 2]]},
    "body bytes": lambda v: {"body": b"raw " + v.encode()},
    "attributes": lambda v: {"attributes": {"seen": f"at {v}"}},
    "attributes key": lambda v: {"attributes": {v: 1}},
    "attributes list": lambda v: {"attributes": {"seen": ["a", v]}},
    "attributes map": lambda v: {"attributes": {"seen": {"deep": [{"er": v}]}}},
    "attributes bytes": lambda v: {"attributes": {"seen": v.encode()}},
    "attributes stack": lambda v: {
        "attributes": {"exception.stacktrace": f'File "a.py", line 3, in pay\n    raise Refused("{v}")\nRefused: {v}\n'}},
    "severity_text": lambda v: {"severity_text": f"WARN {v}"},
    "event_name": lambda v: {"event_name": f"signed {v}"},
    **AROUND,
}
SPANS = {
    "name": lambda v: {"name": f"GET /users/{v}"},
    "attributes": lambda v: {"attributes": {"seen": f"at {v}"}},
    "attributes key": lambda v: {"attributes": {v: 1}},
    "attributes list": lambda v: {"attributes": {"seen": ["a", v]}},
    "events.name": lambda v: {"event": {"name": f"asked {v}"}},
    "events.attributes": lambda v: {"event": {"attributes": {"exception.message": f"no {v}"}}},
    "events.attributes key": lambda v: {"event": {"attributes": {v: True}}},
    "links.attributes": lambda v: {"link": {"attributes": {"why": f"by {v}"}}},
    "links.attributes key": lambda v: {"link": {"attributes": {v: True}}},
    "trace_state": lambda v: {"state": v},
    "status.message": lambda v: {"status": f"refused {v}"},
    **AROUND,
}
METRICS = {
    "metric.name": lambda v: {"name": v},
    "metric.description": lambda v: {"description": f"paid by {v}"},
    "metric.unit": lambda v: {"unit": v},
    "attributes": lambda v: {"attributes": {"seen": f"at {v}"}},
    "attributes key": lambda v: {"attributes": {v: 1}},
    "attributes list": lambda v: {"attributes": {"seen": ["a", v]}},
    "exemplars": lambda v: {"exemplar": {"seen": f"at {v}"}},
    "exemplars key": lambda v: {"exemplar": {v: 1}},
    **AROUND,
}
# What may stand where: a name of an instrument, which is written in small letters, and a value of `tracestate` take few
# characters.
NARROW = {
    "metric.name": (("mac",), ("fingerprint", "host")),
    "metric.unit": (("email", "iban", "card", "token"), ("fingerprint", "host")),
    "trace_state": (("email", "card", "iban", "token"), ("fingerprint", "host")),
}
# Fields that name a tenant by what they are called, or by a template of the directory's.
NAMING = {
    "tenant": lambda id: {"tenant": id},
    "tenant nested": lambda id: {"context": {"tenant": {"id": id}}},
    "tenant in a list": lambda id: {"contexts": [{"tenant_id": id}]},
    "tag forged": lambda id: {"partywall.tenant": id},
    "url.path": lambda id: {"url.path": f"/t/{id}/orders"},
    "destination": lambda id: {"messaging.destination.name": f"{id}.orders"},
}


class Writer:
    """Makes records of one signal, each with its own resource and scope."""

    def __init__(self, plan, told, signal):
        self.plan, self.told, self.signal = plan, told, signal

    def around(self, tenant, made):
        resource = {"service.name": "checkout", **made.get("resource", {})}
        scope = {"name": "shop", "version": "1", "schema_url": "", "attributes": {}, **made.get("scope", {})}
        return Resource(resource, made.get("resource_schema", "")), scope

    def own(self, tenant):
        """By what a record of a workload that several share says whose it is."""
        return {"tenant.id": tenant} if self.plan.shared and tenant else {}

    def all(self, places, naming):
        for tenant in self.plan.tenants:
            for place, make in places.items():
                kinds, names = NARROW.get(place, (None, None))
                at = f"{self.signal}: {place}"
                secret = self.told.secret(at, *([kinds] if kinds else []))
                self.one(at, tenant, make(secret), self.told.kept(at), True)
                foreign = self.told.foreign(at, tenant, *([names] if names else []))
                self.one(at + ", foreign", tenant, make(foreign), self.told.gone(at), False)
            for place, make in naming.items():
                at = f"{self.signal}: {place}"
                named = make(self.told.structural(at, tenant))
                self.one(at, tenant, {"attributes": named}, self.told.gone(at), False)
            at = f"{self.signal}: number"
            number = int(self.told.secret(at, ("card",)))
            self.one(at, tenant, {"attributes": {"account": number}}, self.told.kept(at), True)
            at = f"{self.signal}: own host"
            host = {"attributes": {"server.address": self.told.own_host(at, tenant)}}
            self.one(at, tenant, host, self.told.kept(at), True)
        if self.plan.shared:
            # Of nobody: it goes on without what is personal, and without any tenant's name.
            for tenant in self.plan.tenants:
                at = f"{self.signal}: of nobody"
                seen = {"seen": [self.told.secret(at), self.told.foreign(at, tenant, ("fingerprint", "host"))]}
                self.one(at, None, {"attributes": seen}, self.told.kept(at), True)


class Logs(Writer):
    def __init__(self, plan, told, traces):
        super().__init__(plan, told, "logs")
        self.kept, self.traces = InMemoryLogRecordExporter(), traces

    def one(self, place, tenant, made, word, arrives):
        resource, scope = self.around(tenant, made)
        provider = LoggerProvider(resource=resource)
        provider.add_log_record_processor(SimpleLogRecordProcessor(self.kept))
        trace, span = self.traces.ids()
        context = api.set_span_in_context(NonRecordingSpan(SpanContext(trace, span, False, TraceFlags(1))))
        provider.get_logger(scope["name"], scope["version"], scope["schema_url"] or None, scope["attributes"]).emit(LogRecord(
            context=context,
            severity_number=SeverityNumber.INFO,
            severity_text=made.get("severity_text", "INFO"),
            event_name=made.get("event_name"),
            body=made.get("body", "a quiet line"),
            attributes={"note": word, **self.own(tenant), **made.get("attributes", {})},
        ))
        if arrives:
            self.told.pointer(place, trace, span)

    def batch(self):
        return [one for one in self.kept.get_finished_logs()]


class Traces(Writer):
    def __init__(self, plan, told):
        super().__init__(plan, told, "traces")
        self.kept = InMemorySpanExporter()

    def ids(self):
        numbers = self.told.random
        return numbers.getrandbits(128) | 1, numbers.getrandbits(64) | 1

    def own(self, tenant):
        # The resource says it here.
        return {}

    def around(self, tenant, made):
        if self.plan.shared and tenant:
            made = {**made, "resource": {"tenant.id": tenant, **made.get("resource", {})}}
        return super().around(tenant, made)

    def one(self, place, tenant, made, word, arrives):
        resource, scope = self.around(tenant, made)
        provider = TracerProvider(resource=resource, shutdown_on_exit=False)
        provider.add_span_processor(SimpleSpanProcessor(self.kept))
        tracer = provider.get_tracer(scope["name"], scope["version"], scope["schema_url"] or None, scope["attributes"])
        state = TraceState([("shop", made["state"])]) if "state" in made else None
        remote = SpanContext(*self.ids(), True, TraceFlags(1), state)
        link = SpanContext(*self.ids(), True, TraceFlags(1))
        span = tracer.start_span(
            made.get("name", "GET /orders"),
            api.set_span_in_context(NonRecordingSpan(remote)),
            attributes={"note": word, **self.own(tenant), **made.get("attributes", {})},
            links=[Link(link, made.get("link", {}).get("attributes", {}))],
        )
        event = made.get("event", {})
        span.add_event(event.get("name", "asked"), event.get("attributes", {}))
        span.set_status(Status(StatusCode.ERROR, made.get("status", "refused")))
        child = tracer.start_span("SELECT", api.set_span_in_context(span), attributes={"note": word, **self.own(tenant)})
        child.end()
        span.end()
        if arrives:
            context, below = span.get_span_context(), child.get_span_context()
            self.told.span(place, context.trace_id, context.span_id, remote.span_id, [(link.trace_id, link.span_id)])
            self.told.span(place, below.trace_id, below.span_id, context.span_id)

    def batch(self):
        return list(self.kept.get_finished_spans())


class Metrics(Writer):
    def __init__(self, plan, told, traces):
        super().__init__(plan, told, "metrics")
        self.data, self.traces, self.count = [], traces, 0

    def one(self, place, tenant, made, word, arrives):
        resource, scope = self.around(tenant, made)
        reader = InMemoryMetricReader()
        attributes = {"note": word, **self.own(tenant), **made.get("attributes", {})}
        # What a view leaves out of a point stands in its exemplars.
        exponential = ExponentialBucketHistogramAggregation()
        views = [View(instrument_name="exp.*", attribute_keys=set(attributes), aggregation=exponential),
                 View(instrument_name="*", attribute_keys=set(attributes))]
        provider = MeterProvider(
            [reader], resource, AlwaysOnExemplarFilter(), shutdown_on_exit=False,
            views=views if "name" not in made and self.count % 5 == 4 else views[1:])
        meter = provider.get_meter(scope["name"], scope["version"], scope["schema_url"] or None, scope["attributes"])
        kind = self.count % 5
        name = made.get("name", f"{'exp' if kind == 4 else 'shop'}.orders.{self.count}")
        self.count += 1
        unit, description = made.get("unit", "1"), made.get("description", "orders")
        trace, span = self.traces.ids()
        context = api.set_span_in_context(NonRecordingSpan(SpanContext(trace, span, False, TraceFlags(1))))
        attributes = {**attributes, **made.get("exemplar", {})}
        if kind == 0:
            meter.create_counter(name, unit, description).add(7, attributes, context)
        elif kind == 1:
            meter.create_up_down_counter(name, unit, description).add(-7, attributes, context)
        elif kind == 2:
            meter.create_gauge(name, unit, description).set(7.5, attributes, context)
        else:
            meter.create_histogram(name, unit, description).record(7.5, attributes, context)
        self.data += reader.get_metrics_data().resource_metrics
        provider.shutdown()
        if arrives:
            self.told.pointer(place, trace, span)

    def batch(self):
        # The exporter takes each resource, and in it each scope, once.
        resources = {}
        for of_resource in self.data:
            _, scopes = resources.setdefault(of_resource.resource, (of_resource.schema_url, {}))
            for of_scope in of_resource.scope_metrics:
                scopes.setdefault(of_scope.scope, (of_scope.schema_url, []))[1].extend(of_scope.metrics)
        return MetricsData([
            ResourceMetrics(resource, [ScopeMetrics(scope, metrics, url) for scope, (url, metrics) in scopes.items()], url)
            for resource, (url, scopes) in resources.items()])


def exporters(plan, way):
    if way == "http":
        def make(of, signal):
            return of(f"{plan.url}/v1/{signal}", plan.ca, plan.key, plan.certificate, plan.headers,
                      compression=Compression(plan.compression))
        return make(HttpLogs, "logs"), make(HttpSpans, "traces"), make(HttpMetrics, "metrics")
    credentials = grpc.ssl_channel_credentials(plan.pem("ca"), plan.pem("key"), plan.pem("certificate"))
    folded = grpc.Compression.NoCompression if plan.compression == "none" else grpc.Compression.Gzip
    return tuple(of(plan.authority, False, credentials, tuple(plan.headers.items()), compression=folded)
                 for of in (GrpcLogs, GrpcSpans, GrpcMetrics))


def main():
    # What an exporter complains of is told on standard error.
    logging.basicConfig(level=logging.WARNING)
    plan, told = marks.read()
    traces = Traces(plan, told)
    logs, metrics = Logs(plan, told, traces), Metrics(plan, told, traces)
    # Attributes of spans and points hold no maps in every version of the SDK.
    flat = {name: make for name, make in NAMING.items() if "nested" not in name and "list" not in name}
    for writer, places, naming in (logs, LOGS, NAMING), (traces, SPANS, flat), (metrics, METRICS, flat):
        writer.all(places, naming)
    for writer, exporter in zip((logs, traces, metrics), exporters(plan, sys.argv[1])):
        told.result(writer.signal, exporter.export(writer.batch()).name)
        exporter.shutdown()
    told.tell()


main()
