"""Sends traces of a share of the requests to Application Insights, with OpenTelemetry's SDK and Azure's exporter.

Imported only if tracing is on. This module samples the requests itself: the SDK's samplers run when a span is already
half built, and doing that for every request would cost as much as scoring it.
"""

import logging
import os
import random
import socket
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

from azure.identity import WorkloadIdentityCredential
from azure.monitor.opentelemetry.exporter import AzureMonitorTraceExporter
from opentelemetry.context import Context
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor, SpanExporter, SpanExportResult
from opentelemetry.sdk.trace.sampling import ALWAYS_ON
from opentelemetry.trace import SpanKind, StatusCode, get_current_span
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

from scoring.worker.logs import LogSink

MAX_PER_SECOND = 20
"""The most traces per second and worker, whatever the clients request, because traces are billed by volume."""
SEND_SECONDS = 5.0
"""The time between two batches of spans."""
TIMEOUT_SECONDS = 5
"""Application Insights' timeout for connecting, and for a response."""
PARENT = b"traceparent"
"""The header of clients that trace (W3C Trace Context)."""
ROLE = "scoring"
"""The service's name on Application Insights' application map."""
SAMPLE_RATE = "_MS.sampleRate"
"""The attribute with the percentage of traced requests, from which Application Insights estimates the total."""
FEDERATED_TOKEN = "AZURE_FEDERATED_TOKEN_FILE"  # noqa: S105 - a variable's name
"""Set in pods that have an Azure identity."""
SILENT = {
    "APPLICATIONINSIGHTS_CONTROLPLANE_DISABLED": "true",
    "APPLICATIONINSIGHTS_OPENTELEMETRY_RESOURCE_METRIC_DISABLED": "true",
    "APPLICATIONINSIGHTS_SDKSTATS_DISABLED": "true",
    "APPLICATIONINSIGHTS_STATSBEAT_DISABLED_ALL": "true",
}
"""Keeps the exporter from fetching settings from Microsoft and from sending statistics about itself there."""
LIBRARIES = ("azure", "msal", "opentelemetry", "urllib3")
"""Libraries whose log lines are dropped: some log from the sending thread, some for each request, and all at the wrong
level."""


class Trace(NamedTuple):
    """A request that is traced."""

    parent: Context | None
    """The client's span; None for a trace that starts here."""


class Tracing:
    """Traces a worker's requests. For the event loop's thread only; spans are sent in another thread."""

    def __init__(self, connection: Path, percent: float, *, version: str) -> None:
        """`connection` is a file with Application Insights' connection string, `version` the model's version.

        Raises `ValueError` for an invalid connection string, without repeating it in the message.
        """
        os.environ.update(SILENT)
        for name in LIBRARIES:
            logging.getLogger(name).propagate = False
        self._share = percent / 100
        self._rate = {SAMPLE_RATE: percent}
        identity = WorkloadIdentityCredential() if os.environ.get(FEDERATED_TOKEN) else None
        exporter = AzureMonitorTraceExporter(
            connection_string=connection.read_text(encoding="utf-8").strip(),
            credential=identity,
            disable_offline_storage=True,
            timeout=TIMEOUT_SECONDS,
            read_timeout=TIMEOUT_SECONDS,
            retry_total=1,
        )
        self._sending = _Sending(exporter)
        resource = Resource(
            {"service.name": ROLE, "service.version": version, "service.instance.id": socket.gethostname()}
        )
        self._provider = TracerProvider(sampler=ALWAYS_ON, resource=resource, shutdown_on_exit=False)
        self._provider.add_span_processor(
            BatchSpanProcessor(
                self._sending, max_queue_size=512, max_export_batch_size=128, schedule_delay_millis=SEND_SECONDS * 1000
            )
        )
        self._tracer = self._provider.get_tracer(__name__)
        self._propagator = TraceContextTextMapPropagator()
        self._second = 0.0
        self._left = 0
        self._refused = False

    def begin(self, headers: Mapping[bytes, bytes]) -> Trace | None:
        """Start the trace of a request with these headers, their names in lower case; None if it isn't traced.

        A client's `traceparent` says whether to trace; requests without one are sampled.
        """
        parent = None
        if PARENT in headers:
            parent = self._propagator.extract(
                {name.decode("latin-1"): value.decode("latin-1") for name, value in headers.items()}
            )
        client = None if parent is None else get_current_span(parent).get_span_context()
        if client is not None and client.is_valid:
            chosen = client.trace_flags.sampled
        else:
            parent, chosen = None, random.random() < self._share  # noqa: S311 - nobody gains by guessing it
        return Trace(parent) if chosen and self._allowed() else None

    def end(self, trace: Trace, operation: str, status: int, seconds: float, request_id: bytes) -> None:
        """Send the span of a request that was just answered, after `seconds`. It contains no record data."""
        now = time.time_ns()
        attributes: dict[str, str | int | float] = {
            "http.request.method": "POST",
            "http.response.status_code": status,
            "http.route": f"/{operation}",
            "url.path": f"/{operation}",
            "request_id": request_id.decode(),
            **({} if trace.parent else self._rate),
        }
        span = self._tracer.start_span(
            f"POST /{operation}",
            context=trace.parent,
            kind=SpanKind.SERVER,
            attributes=attributes,
            start_time=now - round(seconds * 1e9),
        )
        if status >= 500:  # noqa: PLR2004 - a refused request is the client's mistake, and the server's span is well
            span.set_status(StatusCode.ERROR)
        span.end(now)

    def tell(self, sink: LogSink) -> None:
        """Log when Application Insights stops accepting spans, and when it accepts them again."""
        if self._sending.refused != self._refused:
            self._refused = self._sending.refused
            sink.event("traces are not taken" if self._refused else "traces are taken again", level="warning")

    def stop(self) -> None:
        """Send the remaining spans; takes a few times `TIMEOUT_SECONDS` at most."""
        self._provider.shutdown()

    def _allowed(self) -> bool:
        now = time.monotonic()
        if now - self._second >= 1:
            self._second, self._left = now, MAX_PER_SECOND
        self._left -= 1
        return self._left >= 0


class _Sending(SpanExporter):
    """An exporter that records whether its latest attempt failed."""

    refused = False

    def __init__(self, exporter: SpanExporter) -> None:
        self._exporter = exporter

    def export(self, spans: Sequence[ReadableSpan]) -> SpanExportResult:
        result = self._exporter.export(spans)
        self.refused = result is not SpanExportResult.SUCCESS
        return result

    def shutdown(self) -> None:
        self._exporter.shutdown()
