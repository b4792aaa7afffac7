"""Pushes to Loki:
    loki.py plain       JSON, an entry a request (python-logging-loki)
    loki.py folded      JSON with structured metadata, many entries a request, gzip (loki-logger-handler)
    loki.py protobuf    protobuf in a block of snappy, as Loki's own agents push, by its published messages
Each reads its plan, sends it, prints what it wrote (see marks.py).
"""
import json
import logging
import sys
import time

import cramjam
import requests
from google.protobuf import descriptor_pb2, descriptor_pool, message_factory
from logging_loki import LokiHandler
from loki_logger_handler.loki_logger_handler import LokiLoggerHandler

import marks

PUSH = "/loki/api/v1/push"
# A name of a label takes letters, digits and `_`.
LABEL_NAMES = (("token",), ("fingerprint in a word",))


def session_of(plan, tenant_of_header=None):
    session = requests.Session()
    session.verify, session.cert = plan.ca, (plan.certificate, plan.key)
    session.headers.update(plan.headers)
    if tenant_of_header:
        session.headers["X-Scope-OrgID"] = tenant_of_header
    return session


class Plain:
    """Each entry by itself; its labels are its tags."""

    places = {
        "label": lambda v: {"labels": {"user": f"u {v}"}},
        "label name": lambda v: {"labels": {v: "yes"}},
        "line": lambda v: {"line": f"login of {v} failed"},
        "line of JSON": lambda v: {"line": json.dumps({"user": {"contact": v}, "n": [1, v]})},
        "line of logfmt": lambda v: {"line": f'level=info msg="by {v}" n=3'},
        "logger": lambda v: {"logger": f"shop.{v}"},
    }

    def __init__(self, plan, told):
        self.plan, self.told, self.failed, self.sent = plan, told, [], 0

    def push(self, labels, made, word, header=None):
        handler = LokiHandler(self.plan.url + PUSH, {"app": "shop", **labels}, version="1")
        handler.emitter._session = session_of(self.plan, header)
        handler.handleError = lambda _: self.failed.append(str(sys.exc_info()[1]))
        logger = logging.Logger(made.get("logger", "shop"))
        logger.addHandler(handler)
        logger.info("%s", made.get("line", "a quiet line"), extra={"tags": {"note": word, **made.get("labels", {})}})
        handler.emitter.close()
        self.sent += 1

    def end(self):
        self.told.result("pushes", "SUCCESS" if self.sent and not self.failed else f"{self.failed}")


class Folded(Plain):
    """Entries of one sender in one push; notes are metadata."""

    places = {
        **{name: make for name, make in Plain.places.items() if name != "logger"},
        "metadata": lambda v: {"metadata": {"user": f"u {v}"}},
        "metadata name": lambda v: {"metadata": {v: "yes"}},
    }

    def push(self, labels, made, word, header=None):
        handler = LokiLoggerHandler(
            self.plan.url + PUSH, {"app": "shop", **labels, **made.get("labels", {})}, compressed=True, timeout=60,
            message_in_json_format=False, default_formatter=Lines(), enable_structured_loki_metadata=True)
        handler.request.session = session_of(self.plan, header)
        logger = logging.Logger("shop")
        logger.addHandler(handler)
        for line in (made.get("line", "a quiet line"), "one more"):
            logger.info("%s", line, extra={"loki_metadata": {"note": word, **made.get("metadata", {})}})
        # What its thread does once a minute, here and now, so that its errors are told.
        handler._send()
        if handler.error:
            self.failed.append("the handler met an error")
        self.sent += 1


class Lines(logging.Formatter):
    """A line is the message alone."""

    def format(self, record):
        return Line(record.getMessage()), dict(record.loki_metadata)


class Line(str):
    """A line that the handler may look for keys in."""

    def __contains__(self, _):
        return False


class Protobuf(Plain):
    """All streams in one push."""

    places = Folded.places

    def __init__(self, plan, told):
        super().__init__(plan, told)
        self.requests = {}
        self.message = push_request()

    def push(self, labels, made, word, header=None):
        request = self.requests.setdefault(header, self.message())
        stream = request.streams.add()
        labels = {"app": "shop", **labels, **made.get("labels", {})}
        stream.labels = "{" + ", ".join(f"{name}={json.dumps(value)}" for name, value in labels.items()) + "}"
        for line in (made.get("line", "a quiet line"), "one more"):
            now = time.time_ns()
            entry = stream.entries.add(line=line)
            entry.timestamp.seconds, entry.timestamp.nanos = divmod(now, 10**9)
            for name, value in {"note": word, **made.get("metadata", {})}.items():
                entry.structuredMetadata.add(name=name, value=value)

    def end(self):
        for header, request in self.requests.items():
            body = bytes(cramjam.snappy.compress_raw(request.SerializeToString()))
            answer = session_of(self.plan, header).post(
                self.plan.url + PUSH, body, headers={"Content-Type": "application/x-protobuf"})
            self.sent += 1
            if answer.status_code != 204:
                self.failed.append(f"{answer.status_code} {answer.text}")
        super().end()


def push_request():
    """`logproto.PushRequest`, as Loki's repository has it in pkg/push/push.proto."""
    file = descriptor_pb2.FileDescriptorProto(name="push.proto", package="logproto", syntax="proto3")
    string, int64, int32, message = 9, 3, 5, 11
    shapes = {
        "Timestamp": [("seconds", 1, int64), ("nanos", 2, int32)],
        "LabelPair": [("name", 1, string), ("value", 2, string)],
        "Entry": [("timestamp", 1, "Timestamp"), ("line", 2, string), ("structuredMetadata", 3, ["LabelPair"])],
        "Stream": [("labels", 1, string), ("entries", 2, ["Entry"])],
        "PushRequest": [("streams", 1, ["Stream"])],
    }
    for name, fields in shapes.items():
        shape = file.message_type.add(name=name)
        for field, number, kind in fields:
            repeated = isinstance(kind, list)
            made = shape.field.add(name=field, number=number, label=3 if repeated else 1)
            kind = kind[0] if repeated else kind
            made.type = message if isinstance(kind, str) else kind
            if isinstance(kind, str):
                made.type_name = f".logproto.{kind}"
    pool = descriptor_pool.DescriptorPool()
    pool.Add(file)
    return message_factory.GetMessageClass(pool.FindMessageTypeByName("logproto.PushRequest"))


def main():
    plan, told = marks.read()
    client = {"plain": Plain, "folded": Folded, "protobuf": Protobuf}[sys.argv[1]](plan, told)
    for tenant in plan.tenants:
        own = {"tenant": tenant} if plan.shared else {}
        for place, make in client.places.items():
            kinds, names = LABEL_NAMES if place == "label name" else (None, None)
            secret = told.secret(place, *([kinds] if kinds else []))
            client.push(own, make(secret), told.kept(place))
            foreign = told.foreign(place, tenant, *([names] if names else []))
            client.push(own, make(foreign), told.gone(place))
        named = told.structural("label tenant_id", tenant)
        client.push(own, {"labels": {"tenant_id": named}}, told.gone("label tenant_id"))
        client.push(own, {"line": f"by {told.own_host('own host', tenant)}"}, told.kept("own host"))
        # Loki's own name of a tenant: of the sender's in one push, of another's in the next.
        client.push(own, {"line": f"by {told.secret('X-Scope-OrgID')}"}, told.kept("X-Scope-OrgID"), tenant)
        other = told.structural("X-Scope-OrgID", tenant)
        client.push(own, {}, told.gone("X-Scope-OrgID of another"), other)
    if plan.shared:
        nobody = f"by {told.secret('of nobody')} and {told.foreign('of nobody', 'acme', ('fingerprint', 'host'))}"
        client.push({}, {"line": nobody}, told.kept("of nobody"))
    client.end()
    told.tell()


main()
