"""Registered versions of a model, for what only asks for their numbers and figures."""

from datetime import UTC, datetime
from typing import Any

from azure_clients.model_versions import Version
from training.parameters import TrainingParameters


def version(number: int, *, log_loss: float = 0.46, base_rate_loss: float = 0.53, **changes: Any) -> Version:
    """An accepted version, trained as settings are by default."""
    fields: dict[str, Any] = {
        "accepted": True,
        "champion": False,
        "imported": False,
        "hyperparameters": TrainingParameters().model_dump(mode="json"),
        "metrics": {"log_loss": log_loss, "normalized_entropy": log_loss / base_rate_loss},
    }
    return Version(
        number=number,
        bundle_hash=f"bundle-{number}",
        manifest_hash="a" * 64,
        code_hash="b" * 64,
        reasons=(),
        registered=datetime(2026, 1, number, tzinfo=UTC),
        **fields | changes,
    )
