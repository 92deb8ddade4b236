"""A run's rows, checked, hashed and split into parts."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from features.bundle import HeldOut
from training.kernels import tally
from training.kernels.split import Part, SplitError
from training.parameters import TrainingParameters
from training.protocols import Rows, Source


@dataclass(frozen=True, kw_only=True)
class Prepared:
    """Divided rows, and their counts."""

    rows: Rows
    counts: dict[Part, int]
    clicks: dict[Part, int]
    missing: tuple[int, ...]
    """Training rows without each of the numeric values."""
    held_out: HeldOut
    found: Mapping[str, int]
    """What was counted while the rows were read."""

    def part(self, *parts: Part) -> Rows:
        """The rows of these parts."""
        return self.rows.part(*parts)

    @property
    def training_rows(self) -> int:
        """The rows to fit on and to stop early by."""
        return self.counts[Part.FIT] + self.counts[Part.VALIDATION]

    @property
    def training_clicks(self) -> int:
        """The clicks among the training rows."""
        return self.clicks[Part.FIT] + self.clicks[Part.VALIDATION]


def prepare(source: Source, parameters: TrainingParameters, *, folder: Path) -> Prepared:
    """Write the rows of `source` to `folder`, unless they are there already, and divide them.

    Raises a `DatasetError` for malformed rows, and `SplitError` if a part has no rows or only one class.
    """
    rows, counted = source.prepare(folder)
    divided = rows.divided(parameters, count=counted["rows"])
    found = tally.Tally.of(divided.scan(tally.kernel(source.schema)))
    for part in Part:
        _check_part(part, found.rows[part], found.clicks[part])
    fields, timestamp = source.hashed_fields, source.schema.timestamp
    return Prepared(
        rows=divided,
        counts=found.rows,
        clicks=found.clicks,
        missing=found.missing,
        found=counted,
        held_out=HeldOut(fields=fields, timestamp=timestamp, since=divided.held_out_from),
    )


def _check_part(part: Part, rows: int, clicks: int) -> None:
    name = part.value.replace("_", "-")
    if rows == 0:
        raise SplitError(f"There are no {name} rows. Give more rows, or change `train_fraction`.")
    if clicks in {0, rows}:
        raise SplitError(
            f"All {rows:,} {name} rows have the label {int(clicks > 0)}, and a model needs both. "
            "Check the label's rule, or give more rows."
        )
