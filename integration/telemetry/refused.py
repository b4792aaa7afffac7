"""Bodies that no collector takes: each is sent once by whoever sends such bodies, and what comes of it is printed as JSON,
an object of name and outcome. Exporters may have tried for a few seconds: `seconds` says how long all took.

    refused.py    reads its plan (see marks.py)
"""
import gzip
import json
import logging
import time

import grpc
import requests
from elasticsearch import ApiError, Elasticsearch
from google.protobuf.message import DecodeError
from google.rpc.status_pb2 import Status
from opentelemetry._logs import LogRecord
from opentelemetry.exporter.otlp.proto.grpc._log_exporter import OTLPLogExporter as GrpcLogs
from opentelemetry.exporter.otlp.proto.http._log_exporter import OTLPLogExporter as HttpLogs
from opentelemetry.sdk._logs import LoggerProvider
from opentelemetry.sdk._logs.export import InMemoryLogRecordExporter, SimpleLogRecordProcessor

import marks

# A field of length 2 that says it is longer.
BROKEN = b"\x0a\xff\x01\x00"
PROTOBUF = {"Content-Type": "application/x-protobuf"}
JSON = {"Content-Type": "application/json"}
METHOD = "/opentelemetry.proto.collector.{0}.v1.{1}Service/Export"


def status_of(answer):
    """The status of an answer, its type, and the code of the `google.rpc.Status` in it."""
    kind = answer.headers.get("content-type", "")
    try:
        code = answer.json()["code"] if kind.startswith("application/json") else Status.FromString(answer.content).code
    except (DecodeError, ValueError, KeyError) as error:
        code = repr(error)
    return [answer.status_code, kind, code]


def large():
    """A record larger than any may be, by the SDK."""
    kept = InMemoryLogRecordExporter()
    provider = LoggerProvider()
    provider.add_log_record_processor(SimpleLogRecordProcessor(kept))
    provider.get_logger("shop").emit(LogRecord(body="a word " * 200_000))
    return kept.get_finished_logs()


def small():
    kept = InMemoryLogRecordExporter()
    provider = LoggerProvider()
    provider.add_log_record_processor(SimpleLogRecordProcessor(kept))
    provider.get_logger("shop").emit(LogRecord(body="a quiet line"))
    return kept.get_finished_logs()


def by_exporters(plan, credentials):
    over_http = HttpLogs(f"{plan.url}/v1/logs", plan.ca, plan.key, plan.certificate, plan.headers, timeout=30)
    over_grpc = GrpcLogs(plan.authority, False, credentials, tuple(plan.headers.items()), timeout=30)
    for name, exporter in ("http", over_http), ("grpc", over_grpc):
        began = time.monotonic()
        yield f"exporter {name}", exporter.export(large()).name
        yield f"exporter {name}, seconds", time.monotonic() - began
        # And it is none the worse for it.
        yield f"exporter {name}, after", exporter.export(small()).name


def by_requests(plan):
    session = requests.Session()
    session.verify, session.cert = plan.ca, (plan.certificate, plan.key)
    session.headers.update(plan.headers)

    def post(path, body, headers):
        return session.post(plan.url + path, body, headers=headers)

    for signal in "logs", "traces", "metrics":
        answer = post(f"/v1/{signal}", BROKEN, PROTOBUF)
        yield f"{signal}, protobuf", status_of(answer)
    answer = post("/v1/logs", b'{"resourceLogs":[', JSON)
    yield "logs, JSON", status_of(answer)
    whole = gzip.compress(b"\x0a\x00" * 100)
    answer = post("/v1/logs", whole[:-6], {**PROTOBUF, "Content-Encoding": "gzip"})
    yield "logs, cut gzip", status_of(answer)
    answer = post("/v1/logs", whole, {**PROTOBUF, "Content-Encoding": "br"})
    yield "logs, unknown encoding", status_of(answer)
    yield "loki, protobuf", post("/loki/api/v1/push", b"\x05hello", PROTOBUF).status_code
    yield "loki, JSON", post("/loki/api/v1/push", b'{"streams":[{"stream":{}', JSON).status_code
    answer = post("/services/collector/event", b'{"event":', JSON)
    yield "hec", [answer.status_code, answer.json()["code"] if answer.content else None]
    yield "zipkin", post("/api/v2/spans", b'[{"traceId":', JSON).status_code


def by_grpc(plan, credentials):
    channel = grpc.secure_channel(plan.authority, credentials)
    for signal in "logs", "trace", "metrics":
        call = channel.unary_unary(METHOD.format(signal, signal.capitalize()), lambda b: b, lambda b: b)
        try:
            call(BROKEN, metadata=tuple(plan.headers.items()), timeout=30)
            yield f"{signal}, gRPC", "OK"
        except grpc.RpcError as error:
            yield f"{signal}, gRPC", error.code().name


def by_elasticsearch(plan):
    client = Elasticsearch(
        plan.url, ca_certs=plan.ca, client_cert=plan.certificate, client_key=plan.key, headers=plan.headers,
        max_retries=5, retry_on_timeout=True)
    try:
        client.bulk(operations=['{"index":{"_index":"logs-a"}', '{"note":"x"}'])
        yield "elasticsearch", "OK"
    except ApiError as error:
        yield "elasticsearch", [error.status_code, error.error]


def main():
    logging.basicConfig(level=logging.WARNING)
    plan, _ = marks.read()
    credentials = grpc.ssl_channel_credentials(plan.pem("ca"), plan.pem("key"), plan.pem("certificate"))
    began, outcomes = time.monotonic(), {}
    for some in by_exporters(plan, credentials), by_requests(plan), by_grpc(plan, credentials), by_elasticsearch(plan):
        outcomes.update(some)
    outcomes["seconds"] = time.monotonic() - began
    print(json.dumps(outcomes))


main()
