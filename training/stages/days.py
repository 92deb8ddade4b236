"""Count tables by day: those of a day that an earlier bundle has counted are taken from there and not counted again.

A row's part and fold follow from its own content, so a day's table is the same whatever other days are trained on, and
the tables of several days add up to exactly what one count of all their rows gives.
"""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from features.schema import Schema
from training.datasets.manifest import WHOLE, Manifest
from training.parameters import Split, TrainingParameters
from training.protocols import CountTable, Rows

FORMAT = 1
"""Of the tables, and of what decides about a row's part and fold: another one is not comparable."""
SUFFIX = ".parquet"


@dataclass(frozen=True, kw_only=True)
class DayCounts:
    """The counts over all days, those of each day by the name of its table, and the days known before."""

    total: CountTable
    tables: Mapping[str, CountTable]
    known: tuple[str, ...] = field(default=())


def table_names(manifest: Manifest, schema: Schema, parameters: TrainingParameters) -> dict[str, str]:
    """What each day's table is called: a name that changes when the day's rows, or how they are counted, do.

    Empty where the days' content is not known, or where which rows are counted depends on other days.
    """
    if parameters.split is not Split.RANDOM:
        return {}
    names = {}
    for day, files in manifest.days.items():
        how = (FORMAT, parameters.seed, parameters.folds, parameters.train_fraction, schema.to_json().decode())
        digest = hashlib.sha256(repr((files, how)).encode()).hexdigest()
        names[day] = f"{day}.{digest[:16]}"
    return names


def count_days(
    rows: Rows,
    parameters: TrainingParameters,
    *,
    names: Mapping[str, str],
    earlier: Path | None,
    folder: Path,
) -> DayCounts:
    """Count the training rows of each day whose table is not in the folder `earlier`, and add all days up.

    `names` are those of `table_names`; without any, all rows are one table. All machines of a cluster see
    `folder`, where the tables are written.
    """
    if not names:
        counted = rows.count(parameters, folder / f"counts-{WHOLE}")
        return DayCounts(total=counted, tables={WHOLE: counted})
    known, tables = [], {}
    for day, name in names.items():
        target = folder / f"counts-{name}"
        if earlier is not None and (table := earlier / f"{name}{SUFFIX}").is_file():
            known.append(day)
            tables[name] = rows.known_counts(table, parameters, target)
        else:
            of_day = rows.day(day) if len(names) > 1 else rows
            tables[name] = of_day.count(parameters, target)
    first, *others = tables.values()
    total = first.plus(others, folder / "counts-total") if others else first
    return DayCounts(total=total, tables=tables, known=tuple(known))
