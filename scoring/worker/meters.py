"""A worker's Prometheus meters, grouped by subject. `metrics` updates them.

When it is imported, prometheus_client decides whether workers share their values. So this module must not be imported
before the variable with the shared folder is set.
"""

from collections.abc import Sequence

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram


class RequestMeters:
    """Requests and their latency."""

    def __init__(self, registry: CollectorRegistry, bounds: Sequence[float]) -> None:
        """`bounds` are the latency histogram's upper bounds in seconds."""
        self.answered = Counter(
            "scoring_requests",
            "Answered requests with a valid key; incomplete ones only if the service failed.",
            ["operation", "status"],
            registry=registry,
        )
        self.used = Counter(
            "scoring_key_requests", "Answered or refused requests by the name of their key.", ["key"], registry=registry
        )
        self.seconds = Histogram(
            "scoring_request_seconds",
            "Seconds from a complete request to its answer, waiting included.",
            ["operation"],
            buckets=bounds,
            registry=registry,
        )


class ScoreMeters:
    """Scored records and their probabilities."""

    def __init__(self, registry: CollectorRegistry, bounds: Sequence[float]) -> None:
        """`bounds` are the upper bounds of the probability histogram."""
        self.records = Counter("scoring_records", "Scored records.", registry=registry)
        self.probability = Histogram(
            "scoring_probability", "Predicted click probabilities.", buckets=bounds, registry=registry
        )


class RecommendMeters:
    """Answers whose history did not suffice."""

    def __init__(self, registry: CollectorRegistry) -> None:
        """Register them in `registry`."""
        self.fallbacks = Counter(
            "scoring_fallbacks",
            "Recommendations by what was done as the history did not suffice.",
            ["fallback"],
            registry=registry,
        )


class WorkerMeters:
    """The workers: readiness, model, processor time and dropped log lines."""

    def __init__(self, registry: CollectorRegistry) -> None:
        """Register them in `registry`."""
        self.ready = Gauge(
            "scoring_ready_workers",
            "Workers that reproduced the golden records.",
            registry=registry,
            multiprocess_mode="livesum",
        )
        self.model = Gauge(
            "scoring_model_info",
            "Workers by the model that they serve.",
            ["name", "version", "bundle_hash"],
            registry=registry,
            multiprocess_mode="livesum",
        )
        self.dropped = Counter(
            "scoring_log_lines_dropped", "Log lines that could not be written in time.", registry=registry
        )
        self.cpu = Counter("scoring_cpu_seconds", "Seconds of processor time that the workers used.", registry=registry)


class DriftMeters:
    """Drift of the scored rows from the model's baseline sample."""

    def __init__(self, registry: CollectorRegistry) -> None:
        """Register them in `registry`."""
        self.rows = Counter(
            "scoring_compared_rows", "Scored rows that were compared with the model's reference.", registry=registry
        )
        self.prediction = Gauge(
            "scoring_prediction_psi",
            "Population stability index of probabilities against the model's held-out rows; highest of any worker.",
            registry=registry,
            multiprocess_mode="livemax",
        )
        self.feature = Gauge(
            "scoring_feature_psi",
            "Population stability index of a feature against the model's held-out rows; highest of any worker.",
            ["feature"],
            registry=registry,
            multiprocess_mode="livemax",
        )
