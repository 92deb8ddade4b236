"""The plan and the result of a load test."""

import math
import random
from array import array
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Self

import numpy as np

PERCENTILES = (50.0, 90.0, 99.0, 99.9)
RECORDS = 10_000
"""Too many for a cache of answers, and few enough to make up in a second."""


def made_up(example: Mapping[str, Any], *, seed: int = 1) -> Iterator[dict[str, Any]]:
    """`RECORDS` records with the fields of `example`: numbers of similar size, and unseen categories.

    Unseen values are the most expensive ones to score, if there is a difference.
    """
    draw = random.Random(seed)  # noqa: S311 - no secret
    for _ in range(RECORDS):
        yield {name: _other(value, draw) for name, value in example.items()}


def _other(value: object, draw: random.Random) -> object:
    match value:
        case bool() | None:
            return value
        case int() | float():
            return round(value * draw.expovariate(1.0), 3)
        case _:
            return f"{draw.getrandbits(32):08x}"


@dataclass(frozen=True, kw_only=True)
class LoadPlan:
    """Requests with different bodies, sent in turn.

    With `rate`, requests are sent at random times, at this average rate per second (open loop). Without it, each of
    `connections` clients sends its next request after its answer (closed loop).
    """

    host: str
    port: int
    path: str
    bodies: Sequence[bytes]
    headers: dict[str, str] = field(default_factory=dict)
    connections: int = 16
    seconds: float = 10.0
    rate: float | None = None
    timeout_seconds: float = 10.0
    seed: int = 1
    tls: bool = False
    authorities: Path | None = None
    """With `tls`, a PEM file of certificates to trust in addition to the machine's own authorities."""

    def split(self, parts: int) -> "list[LoadPlan]":
        """This many plans, at most one per connection, which together send the same load. Random times of several
        senders are random times again."""
        parts = min(parts, self.connections)
        return [
            replace(
                self,
                connections=self.connections // parts + (part < self.connections % parts),
                rate=self.rate and self.rate / parts,
                seed=self.seed + part,
                bodies=[*self.bodies[part:], *self.bodies[:part]],
            )
            for part in range(parts)
        ]

    def requests(self) -> list[bytes]:
        """The bytes of each request."""
        headers = {"host": f"{self.host}:{self.port}", "content-type": "application/json", **self.headers}
        lines = "".join(f"{name}: {value}\r\n" for name, value in headers.items())
        head = f"POST {self.path} HTTP/1.1\r\n{lines}content-length: ".encode("latin-1")
        return [b"%b%d\r\n\r\n%b" % (head, len(body), body) for body in self.bodies]


@dataclass(kw_only=True)
class LoadResult:
    """The answers. A request's latency counts from the time at which it was due."""

    seconds: float = 0.0
    statuses: Counter[int] = field(default_factory=Counter)
    errors: Counter[str] = field(default_factory=Counter)
    """Requests without an answer, by cause."""
    accepted: "array[float]" = field(default_factory=lambda: array("d"))
    """Latency of each answer with status 200, in seconds."""
    refused: "array[float]" = field(default_factory=lambda: array("d"))
    """Latency of each other answer, in seconds."""
    accepted_at: "array[float]" = field(default_factory=lambda: array("d"))
    """When each accepted request was due, in seconds from the start."""

    @classmethod
    def together(cls, results: "Iterable[LoadResult]") -> Self:
        """The results of several senders at the same time as one result."""
        whole = cls()
        for result in results:
            whole.seconds = max(whole.seconds, result.seconds)
            whole.statuses.update(result.statuses)
            whole.errors.update(result.errors)
            whole.accepted.extend(result.accepted)
            whole.refused.extend(result.refused)
            whole.accepted_at.extend(result.accepted_at)
        return whole

    def answered(self, status: int, intended: float, now: float) -> None:
        """Count an answer at `now` to a request that was due at `intended`, both in seconds from the start."""
        self.statuses[status] += 1
        if status == 200:  # noqa: PLR2004 - the one status of a score
            self.accepted.append(now - intended)
            self.accepted_at.append(intended)
        else:
            self.refused.append(now - intended)

    def summary(self) -> dict[str, Any]:
        """The figures as JSON values, with latencies in milliseconds."""
        return {
            "seconds": round(self.seconds, 3),
            "requests": self.statuses.total() + self.errors.total(),
            "accepted_per_second": round(len(self.accepted) / self.seconds, 1) if self.seconds else 0.0,
            "statuses": {str(status): count for status, count in sorted(self.statuses.items())},
            "errors": dict(sorted(self.errors.items())),
            "failed": self.statuses.total() + self.errors.total() - len(self.accepted),
            "accepted_milliseconds": _latencies(self.accepted),
            "refused_milliseconds": _latencies(self.refused),
        }


def _latencies(seconds: "array[float]") -> dict[str, float]:
    """Percentiles by name; empty without answers."""
    if not seconds:
        return {}
    ordered = np.sort(np.frombuffer(seconds))
    places = {f"p{rank:g}": math.ceil(len(ordered) * rank / 100) - 1 for rank in PERCENTILES}
    found = {name: round(float(ordered[place]) * 1000, 3) for name, place in places.items()}
    return {**found, "max": round(float(ordered[-1]) * 1000, 3)}


def plot_load(result: LoadResult, title: str, file: Path) -> None:
    """Draw the latency over time and its distribution. Needs at least one accepted request.

    The suffix of `file` chooses the format.
    """
    from matplotlib.figure import Figure  # noqa: PLC0415 - takes a second to import

    milliseconds = np.frombuffer(result.accepted) * 1000
    moments = np.frombuffer(result.accepted_at)
    figure = Figure(figsize=(10, 4), layout="constrained")
    over_time, spread = figure.subplots(1, 2)
    figure.suptitle(title)

    slices = np.linspace(0, max(result.seconds, moments.max()), 61)
    place = np.digitize(moments, slices)
    for rank in (50, 99):
        line = [
            np.percentile(milliseconds[place == index], rank) if (place == index).any() else np.nan
            for index in range(1, len(slices))
        ]
        over_time.plot(slices[:-1], line, label=f"p{rank}")
    over_time.set(xlabel="seconds from the start", ylabel="milliseconds", ylim=(0, None))
    over_time.legend()

    ordered = np.sort(milliseconds)
    share = 1 - np.arange(len(ordered)) / len(ordered)
    spread.plot(ordered, share * 100)
    spread.set(xscale="log", yscale="log", xlabel="milliseconds", ylabel="percent of requests that took longer")
    for axes in (over_time, spread):
        axes.grid(visible=True, alpha=0.3)
    file.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(file)
