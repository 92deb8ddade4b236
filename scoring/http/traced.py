"""Connections of a service that traces. Those of one that does not know nothing of it, and pay nothing for it."""

import time
from typing import TYPE_CHECKING

from scoring.exchange import Headers
from scoring.http.direct import DirectConnection, DirectRequest
from scoring.http.graceful_shutdown import DrainingConnection
from scoring.model.operations import Operation

if TYPE_CHECKING:
    from scoring.worker.tracing import Trace, Tracing  # brings OpenTelemetry, which only an image that traces has


class TracedRequest(DirectRequest):
    """A request for scores whose answer ends a trace."""

    __slots__ = ("_trace", "_tracing")

    def __init__(
        self,
        connection: DirectConnection,
        operation: Operation,
        headers: Headers,
        tracing: "Tracing",
        trace: "Trace",
    ) -> None:
        super().__init__(connection, operation, headers)
        self._tracing = tracing
        self._trace = trace

    def reply(self, status: int, body: bytes, headers: Headers) -> None:
        """Send the answer, then the span."""
        super().reply(status, body, headers)
        seconds = time.perf_counter() - self.arrived
        self._tracing.end(self._trace, self.operation.name, status, seconds, self.request_id)


def traced_request(connection: DirectConnection, operation: Operation, headers: Headers) -> DirectRequest:
    """What stands for a request: one that knows of its trace for those that have one."""
    tracing = connection.front.tracing
    if tracing is None or (trace := tracing.begin(headers)) is None:
        return DirectRequest(connection, operation, headers)
    return TracedRequest(connection, operation, headers, tracing, trace)


class TracedConnection(DrainingConnection):
    """A connection some of whose requests are traced."""

    request = staticmethod(traced_request)
