"""OTLP that OpenTelemetry's SDK for Python does not write, and other senders do: by the published messages themselves.
    bare.py protobuf    over HTTP, folded as its plan says
    bare.py json        over HTTP, in the mapping to JSON that OTLP has of its own
    bare.py grpc        as calls
Reads its plan, sends it, prints what it wrote (see marks.py).
"""
import base64
import gzip
import json
import sys
import zlib

import grpc
import requests
from google.protobuf import json_format
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceRequest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.common.v1.common_pb2 import AnyValue, EntityRef, KeyValue

import marks

METHODS = {"logs": "logs.v1.LogsService", "traces": "trace.v1.TraceService", "metrics": "metrics.v1.MetricsService"}


def value(of):
    if isinstance(of, str):
        return AnyValue(string_value=of)
    if isinstance(of, bytes):
        return AnyValue(bytes_value=of)
    if isinstance(of, list):
        made = AnyValue()
        made.array_value.values.extend(value(item) for item in of)
        return made
    made = AnyValue()
    made.kvlist_value.values.extend(pair(name, item) for name, item in of.items())
    return made


def pair(name, of):
    return KeyValue(key=name, value=value(of))


class Bare:
    """Each record stands in a resource and a scope of its own, of one message a signal."""

    places = {
        "logs: body deep": lambda self, v: self.log(body={"a": [{"b": [v, {"c": v.encode()}]}]}),
        "logs: body deep name": lambda self, v: self.log(body={"a": [{v: "yes"}]}),
        "logs: entity_refs": lambda self, v: self.entity(self.log(), v),
        "traces: links.trace_state": lambda self, v: self.trace(link=f"shop={v}"),
        "traces: trace_state": lambda self, v: self.trace(state=f"shop={v},other=1"),
        "traces: attributes map": lambda self, v: self.trace(attributes={"user": {"contact": v}}),
        "traces: attributes bytes": lambda self, v: self.trace(attributes={"raw": v.encode()}),
        "traces: events.attributes map": lambda self, v: self.trace(event={"user": {v: ["a", v]}}),
        "metrics: metadata": lambda self, v: self.metric(metadata={"by": f"team {v}"}),
        "metrics: metadata name": lambda self, v: self.metric(metadata={v: "yes"}),
        "metrics: summary": lambda self, v: self.metric(attributes={"user": {"contact": v}}, summary=True),
        "metrics: exemplars map": lambda self, v: self.metric(exemplar={"user": {"contact": v}}),
    }

    def __init__(self, plan, told):
        self.plan, self.told = plan, told
        self.logs, self.traces, self.metrics = (
            ExportLogsServiceRequest(), ExportTraceServiceRequest(), ExportMetricsServiceRequest())
        # Of the record that is being made: its tenant and its word.
        self.own, self.word, self.place = {}, "", ""
        self.arrives = True

    def resource(self, of):
        made = of.add()
        made.resource.attributes.append(pair("service.name", "checkout"))
        return made

    def entity(self, made, v):
        made.resource.entity_refs.append(EntityRef(schema_url=f"https://schemas.example.org/?by={v}", type="host"))

    def ids(self):
        return self.told.random.randbytes(16), self.told.random.randbytes(8)

    def log(self, body="a quiet line"):
        made = self.resource(self.logs.resource_logs)
        record = made.scope_logs.add().log_records.add(time_unix_nano=1764460800 * 10**9, severity_number=9)
        record.body.CopyFrom(value(body))
        record.attributes.extend(pair(name, of) for name, of in {"note": self.word, **self.own}.items())
        record.trace_id, record.span_id = self.ids()
        if self.arrives:
            self.told.pointer(self.place, *numbers(record.trace_id, record.span_id))
        return made

    def trace(self, state="", link="", attributes={}, event={}):
        made = self.resource(self.traces.resource_spans)
        trace, span = self.ids()
        other = self.ids()
        one = made.scope_spans.add().spans.add(
            trace_id=trace, span_id=span, trace_state=state, name="GET", kind=2, start_time_unix_nano=10**18)
        one.attributes.extend(pair(name, of) for name, of in {"note": self.word, **self.own, **attributes}.items())
        one.links.add(trace_id=other[0], span_id=other[1], trace_state=link)
        one.events.add(name="asked").attributes.extend(pair(name, of) for name, of in event.items())
        if self.arrives:
            self.told.span(self.place, *numbers(trace, span), links=[numbers(*other)])

    def metric(self, metadata={}, attributes={}, exemplar={}, summary=False):
        made = self.resource(self.metrics.resource_metrics)
        one = made.scope_metrics.add().metrics.add(name="orders", unit="1")
        one.metadata.extend(pair(name, of) for name, of in metadata.items())
        points = one.summary.data_points if summary else one.sum.data_points
        point = points.add(time_unix_nano=10**18)
        point.attributes.extend(pair(name, of) for name, of in {"note": self.word, **self.own, **attributes}.items())
        if summary:
            point.count, point.sum = 3, 7.5
            return
        point.as_int = 7
        trace, span = self.ids()
        seen = point.exemplars.add(trace_id=trace, span_id=span, as_int=7, time_unix_nano=10**18)
        seen.filtered_attributes.extend(pair(name, of) for name, of in exemplar.items())
        if self.arrives:
            self.told.pointer(self.place, *numbers(trace, span))

    def all(self):
        for tenant in self.plan.tenants:
            self.own = {"tenant.id": tenant} if self.plan.shared else {}
            for place, make in self.places.items():
                names = ("fingerprint", "host") if "state" in place else ("id", "fingerprint", "host")
                self.place, self.word, self.arrives = place, self.told.kept(place), True
                make(self, self.told.secret(place))
                self.word, self.arrives = self.told.gone(place), False
                make(self, self.told.foreign(place, tenant, names))


def numbers(trace, span):
    return int.from_bytes(trace, "big"), int.from_bytes(span, "big")


def in_json(message):
    """As OTLP maps it: ids in hexadecimal digits, enums as numbers."""
    made = json_format.MessageToDict(message, use_integers_for_enums=True)

    def ids(of):
        if isinstance(of, list):
            return [ids(one) for one in of]
        if isinstance(of, dict):
            return {name: hexadecimal(one) if name in ("traceId", "spanId") else ids(one) for name, one in of.items()}
        return of

    return json.dumps(ids(made)).encode()


def hexadecimal(text):
    return base64.b64decode(text).hex()


def over_http(plan, told, signal, message, kind):
    body = in_json(message) if kind == "json" else message.SerializeToString()
    headers = {"Content-Type": "application/json" if kind == "json" else "application/x-protobuf"}
    if plan.compression != "none":
        headers["Content-Encoding"] = plan.compression
        body = (gzip if plan.compression == "gzip" else zlib).compress(body)
    answer = requests.post(
        f"{plan.url}/v1/{signal}", body, headers={**plan.headers, **headers}, verify=plan.ca,
        cert=(plan.certificate, plan.key))
    told.result(signal, "SUCCESS" if answer.status_code == 200 else f"{answer.status_code} {answer.content}")


def over_grpc(plan, told, signal, message):
    credentials = grpc.ssl_channel_credentials(plan.pem("ca"), plan.pem("key"), plan.pem("certificate"))
    folded = grpc.Compression.NoCompression if plan.compression == "none" else grpc.Compression.Gzip
    with grpc.secure_channel(plan.authority, credentials, compression=folded) as channel:
        method = f"/opentelemetry.proto.collector.{METHODS[signal]}/Export"
        call = channel.unary_unary(method, type(message).SerializeToString, bytes)
        try:
            call(message, metadata=tuple(plan.headers.items()), timeout=30)
            told.result(signal, "SUCCESS")
        except grpc.RpcError as error:
            told.result(signal, f"{error.code().name} {error.details()}")


def main():
    plan, told = marks.read()
    bare = Bare(plan, told)
    bare.all()
    for signal in METHODS:
        message = getattr(bare, signal)
        if sys.argv[1] == "grpc":
            over_grpc(plan, told, signal, message)
        else:
            over_http(plan, told, signal, message, sys.argv[1])
    told.tell()


main()
