"""The serving bench as a table."""

from typing import Any

HEADER = (
    "| one worker | 1 | 16 | 64 | heavy tail | all new | p50, p99, p99.9 at 64 | by 100 | failed | start | MiB |",
    "| --- | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: |",
)
SINGLE = ("single, 1 connections", "single, 16 connections", "single, 64 connections")
MIXES = ("heavy tail, 64 connections", "all new, 64 connections")


def table(figures: dict[str, Any]) -> str:
    """Requests a second by connections and mix, records a second in batches, latencies in milliseconds."""
    return "\n".join([*HEADER, *(_row(name, server) for name, server in figures.items())])


def _row(name: str, server: dict[str, Any]) -> str:
    points = server["points"]
    latencies = points["single, 64 connections"]["accepted_milliseconds"]
    ranks = " / ".join(f"{latencies[rank]:.1f}" for rank in ("p50", "p99", "p99.9"))
    batches = f"{100 * _rate(server, 'batches of 100'):,.0f}"
    failed = sum(points[point]["failed"] for point in (*SINGLE, *MIXES))
    rates = " | ".join(f"{_rate(server, point):,.0f}" for point in (*SINGLE, *MIXES))
    return (
        f"| {name} | {rates} | {ranks} ms | {batches} | {failed:,} | {server['start_seconds']:.1f} s "
        f"| {server['memory_mib']:,.0f} |"
    )


def _rate(server: dict[str, Any], point: str) -> float:
    return float(server["points"][point]["accepted_per_second"])
