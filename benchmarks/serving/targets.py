"""What the service is held to, and the points that are measured for it."""

from typing import Any

from benchmarks.results import Target, at_least, at_most

BATCH = 100
CONNECTIONS = (1, 16, 64)
OURS, SPARK = "ours, lightgbm", "ours, spark-serving"
OTHERS = ("azureml-inference-server-http", "mlserver", "mlflow models serve")

Figures = dict[str, Any]


def targets(figures: Figures) -> list[Target]:
    """The targets with what was measured, by server and point."""
    ours, spark = figures[OURS], figures[SPARK]
    single = max(rate(ours, f"single, {count} connections") for count in CONNECTIONS)
    best_other = max(rate(figures[name], f"single, {count} connections") for name in OTHERS for count in CONNECTIONS)
    steady = ours["points"]["open loop at 70 %"]
    heavy = ours["points"]["open loop at 200 %, 20 records each"]
    refused = heavy["refused_milliseconds"].get("p99", float("nan"))
    return [
        at_least("single records a second and worker", 20_000, single),
        at_most("p99 at 64 connections", 6, _p99(ours, "single, 64 connections"), "ms"),
        at_least("times the best of the other servers", 12, single / best_other),
        at_least("records a second in batches of 100", 80_000, BATCH * rate(ours, f"batches of {BATCH}")),
        at_most("start to ready", 2, ours["start_seconds"], "s"),
        at_most("memory of a worker", 150, ours["memory_mib"], "MiB"),
        at_most("p99 of the open loop at 70 %", 10, steady["accepted_milliseconds"]["p99"], "ms"),
        at_most("errors of the open loop at 70 %", 0, sum(steady["errors"].values())),
        at_most("p99 of accepted requests at 200 %", 50, heavy["accepted_milliseconds"]["p99"], "ms"),
        at_most("p99 of the refusals at 200 %", 50, refused, "ms"),
        at_least("spark-serving, requests a second at 64 connections", 2500, rate(spark, "single, 64 connections")),
        at_most("spark-serving, lost requests", 0, _lost(spark)),
        at_most("spark-serving, wrong answers", 0, spark["points"]["endurance"]["checked"].get("wrong", 0)),
        at_most(
            "spark-serving, memory after 10 minutes at 64 connections to that before",
            1.1,
            spark["memory_mib_after_endurance"] / spark["memory_mib"],
        ),
        at_most("spark-serving, start to ready", 25, spark["start_seconds"], "s"),
    ]


def rate(server: Figures, point: str) -> float:
    """Requests a second at a point."""
    return float(server["points"][point]["accepted_per_second"])


def _p99(server: Figures, point: str) -> float:
    return float(server["points"][point]["accepted_milliseconds"].get("p99", float("nan")))


def _lost(server: Figures) -> int:
    return sum(sum(point["errors"].values()) for point in server["points"].values())
