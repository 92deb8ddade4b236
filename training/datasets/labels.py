"""The check that every dataset's labels have to pass."""

from training.datasets.errors import OneClassError


def require_both_classes(source: str, *, rows: int, clicks: int) -> None:
    """Raise `OneClassError` when all labels of `source` are 0 or all are 1."""
    if clicks in {0, rows}:
        raise OneClassError(
            f"All {rows:,} rows of {source} have the label {1 if clicks else 0}. "
            "Give data with clicked and unclicked rows."
        )
