"""Traces of some requests to Application Insights, by OpenTelemetry's SDK and Azure Monitor's exporter for it.

Only a service that is told to trace imports this. Which requests are traced is decided here and not by one of the SDK's
samplers: those are asked when half of a span is made, and that for every request would cost as much as its score.
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
"""Traces of a worker at most, however many its clients ask for: what they weigh is paid for by volume."""
SEND_SECONDS = 5.0
"""How often what was traced is sent."""
TIMEOUT_SECONDS = 5
"""How long Application Insights may take to connect, and to answer."""
PARENT = b"traceparent"
"""Header of a client that traces (W3C Trace Context)."""
ROLE = "scoring"
"""The service's name on Application Insights' map."""
SAMPLE_RATE = "_MS.sampleRate"
"""Attribute by which the exporter says how many percent were traced, for Application Insights to count the others."""
FEDERATED_TOKEN = "AZURE_FEDERATED_TOKEN_FILE"  # noqa: S105 - a variable's name
"""Set in a pod that has an identity in Azure."""
SILENT = {
    "APPLICATIONINSIGHTS_CONTROLPLANE_DISABLED": "true",
    "APPLICATIONINSIGHTS_OPENTELEMETRY_RESOURCE_METRIC_DISABLED": "true",
    "APPLICATIONINSIGHTS_SDKSTATS_DISABLED": "true",
    "APPLICATIONINSIGHTS_STATSBEAT_DISABLED_ALL": "true",
}
"""What else the exporter would do: fetch settings from Microsoft, and send figures about itself there."""
LIBRARIES = ("azure", "msal", "opentelemetry", "urllib3")
"""Their lines are dropped: some come from the sending thread, some for each request, and all at the wrong level."""


class Trace(NamedTuple):
    """A request that is traced."""

    parent: Context | None
    """The client's span, None for a trace that begins here."""


class Tracing:
    """What a worker traces. Used from the event loop's thread alone; what it sends goes in another one."""

    def __init__(self, connection: Path, percent: float, *, version: str) -> None:
        """`connection` is a file with Application Insights' connection string; `version` that of the model.

        Raises a `ValueError` for another text, which does not repeat it.
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
        """The trace of a request with these headers, their names in lower case; None when it is not to be traced.

        A client's `traceparent` decides as it says itself; without one it is a share of the requests.
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
        """Send the span of a request that was answered just now, after `seconds`. Nothing of a record is in it."""
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
        """Write to the log when Application Insights begins or ends to take what is sent."""
        if self._sending.refused != self._refused:
            self._refused = self._sending.refused
            sink.event("traces are not taken" if self._refused else "traces are taken again", level="warning")

    def stop(self) -> None:
        """Send the rest; takes as long as Application Insights, and `TIMEOUT_SECONDS` some times over at most."""
        self._provider.shutdown()

    def _allowed(self) -> bool:
        now = time.monotonic()
        if now - self._second >= 1:
            self._second, self._left = now, MAX_PER_SECOND
        self._left -= 1
        return self._left >= 0


class _Sending(SpanExporter):
    """Remembers whether the last attempt to send succeeded."""

    refused = False

    def __init__(self, exporter: SpanExporter) -> None:
        self._exporter = exporter

    def export(self, spans: Sequence[ReadableSpan]) -> SpanExportResult:
        result = self._exporter.export(spans)
        self.refused = result is not SpanExportResult.SUCCESS
        return result

    def shutdown(self) -> None:
        self._exporter.shutdown()
