"""Count tables by day; those that an earlier bundle contains are reused.

A row's part and fold depend only on its own content. So a day's table does not depend on the other days, and the tables
of several days add up to exactly the counts of all their rows.
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
"""The version of the tables and of the rules for parts and folds; tables of other versions are not reused."""
SUFFIX = ".parquet"


@dataclass(frozen=True, kw_only=True)
class DayCounts:
    """The counts over all days, those of each day by table name, and the days that were reused."""

    total: CountTable
    tables: Mapping[str, CountTable]
    known: tuple[str, ...] = field(default=())


def table_names(manifest: Manifest, schema: Schema, parameters: TrainingParameters) -> dict[str, str]:
    """The name of each day's table, which changes with the day's rows and with how they are counted.

    Empty if the days' content is unknown, or if which rows are counted depends on other days.
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
    """Count the training rows of each day whose table is not in the folder `earlier`, and sum all days.

    `names` come from `table_names`; if empty, or if the rows were mixed by a join, all rows form one table. The tables
    are written to `folder`, which all machines of a cluster must see.
    """
    if not names or WHOLE in rows.days:
        counted = rows.count(parameters, folder / f"counts-{WHOLE}")
        return DayCounts(total=counted, tables={WHOLE: counted})
    known, tables = [], {}
    for day, name in names.items():
        target = folder / f"counts-{name}"
        if earlier is not None and (table := earlier / f"{name}{SUFFIX}").is_file():
            known.append(day)
            tables[name] = rows.known_counts(table, parameters, target)
        elif day in rows.days:  # else no row of the day has a known user and item
            tables[name] = rows.day(day).count(parameters, target)
    first, *others = tables.values()
    total = first.plus(others, folder / "counts-total") if others else first
    return DayCounts(total=total, tables=tables, known=tuple(known))
