"""The service's targets, and the points that are measured."""

from typing import Any

from benchmarks.results import Target, at_least, at_most

BATCH = 100
RANKED = 1000
CONNECTIONS = (1, 16, 64)
MOST = "single, 64 connections"
BATCHES = f"batches of {BATCH}"
STEADY, ABOVE = f"open loop at 70 %, {BATCHES}", f"open loop at 200 %, {BATCHES}"
OURS, SPARK = "ours, lightgbm", "ours, spark-serving"
OTHERS = ("azureml-inference-server-http", "mlserver", "mlserver, adaptive batching")

Figures = dict[str, Any]


def targets(figures: Figures) -> list[Target]:
    """The targets with the measured figures, by server and point. Refusals count as failures, as for clients."""
    ours = figures[OURS]
    new = "all new, 64 connections"
    best = max(rate(figures[name], f"single, {count} connections") for name in OTHERS for count in CONNECTIONS)
    best_new = max(rate(figures[name], new) for name in OTHERS)
    steady, above = ours["points"][STEADY], ours["points"][ABOVE]
    refused = above["refused_milliseconds"].get("p99", float("nan"))
    return [
        at_least("single records a second at 64 connections", 28_000, rate(ours, MOST)),
        at_most("p99 at 64 connections", 6, _p99(ours, MOST), "ms"),
        at_least("times the best of the other servers", 15, rate(ours, MOST) / best),
        at_least("the same with values that are all new", 12, rate(ours, new) / best_new),
        at_least("records a second in batches of 100", 120_000, BATCH * rate(ours, BATCHES)),
        at_most(f"p99 of ranking {RANKED} items, alone", 10, _p99(ours, f"rank {RANKED} items"), "ms"),
        at_most("requests of the closed loops that failed", 0, _failed(ours)),
        at_most("start to ready", 2, ours["start_seconds"], "s"),
        at_most("memory of a worker", 200, ours["memory_mib"], "MiB"),
        at_most("p99 of the open loop at 70 %", 10, steady["accepted_milliseconds"]["p99"], "ms"),
        at_most("requests of the open loop at 70 % that failed", 0, steady["failed"]),
        at_most("p99 of accepted requests at 200 %", 50, above["accepted_milliseconds"]["p99"], "ms"),
        at_most("p99 of the refusals at 200 %", 10, refused, "ms"),
        *_of_spark(figures[SPARK]),
    ]


def _of_spark(spark: Figures) -> list[Target]:
    endurance = spark["points"]["endurance"]
    grown = spark["memory_mib_after_endurance"] / spark["memory_mib"]
    long = f"{endurance['seconds']:.0f} s"
    return [
        at_least("spark-serving, requests a second at 64 connections", 2500, rate(spark, MOST)),
        at_most("spark-serving, lost requests", 0, sum(endurance["errors"].values())),
        at_most("spark-serving, wrong answers", 0, endurance["checked"].get("wrong", 0)),
        at_most(f"spark-serving, memory after {long} at 64 connections to that before", 1.1, grown),
        at_most("spark-serving, start to ready", 25, spark["start_seconds"], "s"),
    ]


def rate(server: Figures, point: str) -> float:
    """Requests a second at a point."""
    return float(server["points"][point]["accepted_per_second"])


def _p99(server: Figures, point: str) -> float:
    return float(server["points"][point]["accepted_milliseconds"].get("p99", float("nan")))


def _failed(server: Figures) -> int:
    return sum(point["failed"] for name, point in server["points"].items() if not name.startswith("open loop"))
