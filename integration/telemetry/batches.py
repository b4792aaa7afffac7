"""An app as it is set up by the book: `logging`, spans and counters by OpenTelemetry's SDK with its batch processors and its
periodic reader.
    batches.py http|grpc    reads its plan, sends it, prints what it wrote (see marks.py)
"""
import logging
import sys

from opentelemetry.sdk._logs import LoggerProvider, LoggingHandler
from opentelemetry.sdk._logs.export import BatchLogRecordProcessor
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import PeriodicExportingMetricReader
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor

import marks
from otlp import exporters

# Requests that the app serves for each tenant.
REQUESTS = 300


def main():
    plan, told = marks.read()
    logs, spans, metrics = exporters(plan, sys.argv[1])
    results = {}
    for name, exporter in ("logs", logs), ("traces", spans), ("metrics", metrics):
        watch(exporter, results.setdefault(name, []))
    resource = Resource({"service.name": "checkout", "host.name": "a-host"})
    lines = LoggerProvider(resource=resource)
    lines.add_log_record_processor(BatchLogRecordProcessor(logs, schedule_delay_millis=200, max_queue_size=100_000))
    tracing = TracerProvider(resource=resource)
    tracing.add_span_processor(BatchSpanProcessor(spans, schedule_delay_millis=200, max_queue_size=100_000))
    metering = MeterProvider([PeriodicExportingMetricReader(metrics, export_interval_millis=200)], resource)
    logger = logging.Logger("checkout")
    logger.addHandler(LoggingHandler(logger_provider=lines))
    tracer, counter = tracing.get_tracer("checkout"), metering.get_meter("checkout").create_counter("orders")
    for nth in range(REQUESTS):
        for tenant in plan.tenants:
            own = {"tenant.id": tenant} if plan.shared else {}
            strange = nth % 10 == 9
            word = told.gone("requests") if strange else told.kept("requests")
            who = told.foreign("requests", tenant) if strange else told.secret("requests")
            with tracer.start_as_current_span("GET /orders", attributes={**own, "note": word, "by": who}) as span:
                logger.info("order of %s", who, extra={**own, "note": word})
                counter.add(1, {**own, "route": "/orders"})
            if not strange:
                context = span.get_span_context()
                told.span("requests", context.trace_id, context.span_id)
                told.pointer("requests", context.trace_id, context.span_id)
    for provider in lines, tracing, metering:
        provider.shutdown()
    for name, came in results.items():
        told.result(name, "SUCCESS" if came and set(came) == {"SUCCESS"} else f"{came}")
    told.tell()


def watch(exporter, results):
    """Keeps what each export comes to."""
    export = exporter.export

    def watched(*arguments, **more):
        came = export(*arguments, **more)
        results.append(came.name)
        return came

    exporter.export = watched


main()
