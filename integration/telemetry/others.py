"""What else goes to collectors:
    others.py zipkin    spans by OpenTelemetry's exporter for Zipkin
    others.py hec       events for Splunk's HTTP Event Collector: objects one after the other, and lines
Each reads its plan, sends it, prints what it wrote (see marks.py).
"""
import gzip
import json
import sys

import requests
from opentelemetry import trace as api
from opentelemetry.exporter.zipkin.json import ZipkinExporter
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

import marks

EVENTS = {
    "event": lambda v: {"event": f"login of {v} failed"},
    "event map": lambda v: {"event": {"user": {"contact": v}}},
    "event name": lambda v: {"event": {v: "yes"}},
    "fields": lambda v: {"fields": {"user": f"u {v}"}},
    "fields name": lambda v: {"fields": {v: "yes"}},
    "host": lambda v: {"host": f"of {v}"},
    "source": lambda v: {"source": f"/var/log/{v}"},
    "sourcetype": lambda v: {"sourcetype": f"by {v}"},
    "index": lambda v: {"index": f"by {v}"},
}
SPANS = {
    "name": lambda v: {"name": f"GET /users/{v}"},
    "tags": lambda v: {"tags": {"seen": f"at {v}"}},
    "tags name": lambda v: {"tags": {v: "yes"}},
    "annotations": lambda v: {"event": f"asked {v}"},
    "localEndpoint.serviceName": lambda v: {"service": f"of {v}"},
}


def both(plan, told, places, add):
    """Of each place what goes on without what is personal, and what does not."""
    for tenant in plan.tenants:
        for place, make in places.items():
            add(place, tenant, make(told.secret(place)), told.kept(place), True)
            add(place, tenant, make(told.foreign(place, tenant)), told.gone(place), False)


def session_of(plan):
    session = requests.Session()
    session.verify, session.cert = plan.ca, (plan.certificate, plan.key)
    session.headers.update(plan.headers)
    return session


def hec(plan, told):
    events, lines = [], []

    def add(place, tenant, made, word, arrives):
        own = {"tenant": tenant} if plan.shared else {}
        fields = {"note": word, **own, **made.pop("fields", {})}
        events.append({"time": 1764460800.5, "event": "a quiet event", **made, "fields": fields})

    both(plan, told, EVENTS, add)
    for tenant in plan.tenants:
        own = f"tenant={tenant} " if plan.shared else ""
        lines.append(f"{own}login of {told.secret('line')} failed {told.kept('line')}")
        lines.append(f"{own}to {told.foreign('line', tenant)} {told.gone('line')}")
        lines.append(json.dumps({"tenant": tenant, "by": told.secret("line of JSON"), "note": told.kept("line of JSON")}))
        lines.append(json.dumps({"tenant_id": told.structural("line", tenant), "note": told.gone("line of JSON")}))
    session = session_of(plan)
    session.headers["Authorization"] = "Splunk 6f2d7c1e-0000-4000-8000-5b2f4a3c9d10"
    body = "".join(json.dumps(event) for event in events).encode()
    folded = plan.compression == "gzip"
    headers = {"Content-Encoding": "gzip"} if folded else {}
    for name, path, body in ("events", "/event", body), ("raw", "/raw?sourcetype=shop", "\n".join(lines).encode()):
        body = gzip.compress(body) if folded else body
        answer = session.post(f"{plan.url}/services/collector{path}", body, headers=headers)
        well = answer.status_code == 200 and answer.json()["code"] == 0
        told.result(name, "SUCCESS" if well else f"{answer.status_code} {answer.text}")


def zipkin(plan, told):
    kept, numbers = InMemorySpanExporter(), told.random

    def add(place, tenant, made, word, arrives):
        resource = Resource({"service.name": made.get("service", "checkout")})
        provider = TracerProvider(resource=resource, shutdown_on_exit=False)
        provider.add_span_processor(SimpleSpanProcessor(kept))
        own = {"tenant.id": tenant} if plan.shared else {}
        attributes = {"note": word, **own, **made.get("tags", {})}
        with provider.get_tracer("shop").start_as_current_span(made.get("name", "GET"), attributes=attributes) as span:
            span.add_event(made.get("event", "asked"))
            with provider.get_tracer("shop").start_as_current_span("SELECT", attributes=own) as child:
                pass
        if arrives:
            above, below = span.get_span_context(), child.get_span_context()
            told.span(place, above.trace_id, above.span_id)
            told.span(place, below.trace_id, below.span_id, above.span_id)

    both(plan, told, SPANS, add)
    exporter = ZipkinExporter(endpoint=f"{plan.url}/api/v2/spans", session=session_of(plan))
    told.result("spans", exporter.export(kept.get_finished_spans()).name)


def main():
    plan, told = marks.read()
    {"hec": hec, "zipkin": zipkin}[sys.argv[1]](plan, told)
    told.tell()


main()
