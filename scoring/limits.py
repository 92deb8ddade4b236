"""The limits of the service. Its command-line options and a stack's settings are generated from these fields.

Standard library only, as the service's image does not contain pydantic.
"""

from dataclasses import Field, dataclass, field
from typing import Any, NamedTuple, cast


class Bounds(NamedTuple):
    """A limit's range, both ends included, its help text and its type."""

    least: float
    most: float
    text: str
    kind: type[int] | type[float]


def _whole(default: int, least: int, most: int, text: str) -> int:
    return field(default=default, metadata={"bounds": Bounds(least, most, text, int)})


def _number(default: float | None, least: float, most: float, text: str) -> Any:  # noqa: ANN401 - a float, or None too
    return field(default=default, metadata={"bounds": Bounds(least, most, text, float)})


@dataclass(frozen=True, kw_only=True)
class Limits:
    """What the service accepts, and how long it waits."""

    max_records: int = _whole(1000, 1, 100_000, "The most records that one request may hold.")
    new_items: int = _whole(0, 0, 1000, "The most places of a recommendation that new items take.")
    max_body_bytes: int = _whole(4 << 20, 1, 1 << 30, "The largest body of a request, in bytes.")
    max_header_bytes: int = _whole(16 << 10, 256, 1 << 20, "The largest headers of a request, in bytes.")
    max_queue: int = _whole(256, 1, 100_000, "The most requests that wait in a worker.")
    max_connections: int = _whole(1000, 1, 100_000, "The most clients with a key that are connected to a worker.")
    max_bytes_waiting: int = _whole(64 << 20, 1, 1 << 40, "The most bytes of unanswered requests in a worker.")
    address_requests: float = _number(
        100.0, 1, 1_000_000, "Requests per second that an address may send to a worker without a valid key."
    )
    key_requests: float | None = _number(
        None, 1, 1_000_000, "Requests per second that a key may send to a worker (no limit unless given)."
    )
    queue_seconds: float | None = _number(
        None,
        0.001,
        3600,
        "Requests are refused when the queue takes longer than this, in seconds (0.025 for engine lightgbm and 0.1 for "
        "spark-serving unless given).",
    )
    client_seconds: float = _number(
        10.0, 0.001, 3600, "Time that a client has to send a request or to read its answer, in seconds."
    )
    deadline_seconds: float = _number(1.0, 0, 3600, "The longest that a complete request may wait, in seconds.")
    drain_seconds: int = _whole(30, 0, 3600, "Time that open requests have to finish at shutdown, in seconds.")


def bounds_of(limit: "Field[Any]") -> Bounds:
    """The bounds of a field of `Limits`."""
    return cast("Bounds", limit.metadata["bounds"])


def option(name: str) -> str:
    """The command-line option of a limit."""
    return f"--{name.replace('_', '-')}"
