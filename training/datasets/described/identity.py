"""What of a dataset config is part of a dataset's identity, and what identifies the rows of each day."""

import json
from collections.abc import Iterable, Mapping
from pathlib import Path

from training.datasets.described.spec import TablesSpec


def meaning(spec: TablesSpec, paths: Mapping[str, Path | tuple[Path, ...]]) -> dict[str, object]:
    """What of the config identifies a dataset, beside its files: with `paths` in place of those where they lie.

    An option at its default is left out, so that a new option changes no dataset's identity. A default must stay as it
    is for that.
    """
    placed = spec.with_paths(paths).with_versions(dict.fromkeys(spec.tables))
    return placed.model_dump(mode="json", exclude_defaults=True)


def day_identities(spec: TablesSpec, files: Iterable[tuple[str, str, str]]) -> dict[str, list[str]]:
    """What identifies the rows of each day: its own files, those of no day, and the config.

    `files` are day (empty for none), place in its table, and identity. Empty if the interactions don't come in days, or
    if events of several days may make one row.
    """
    if spec.interactions.days is None or spec.one_row_per:
        return {}
    every_day = spec.model_copy(update={"interactions": spec.interactions.model_copy(update={"days": None})})
    shared = [json.dumps(meaning(every_day, {table: Path(table) for table in spec.tables}), sort_keys=True)]
    found: dict[str, list[str]] = {}
    for day, name, identity in sorted(files):
        found.setdefault(day, []).append(f"{name} {identity}")
    shared += found.pop("", [])
    return {day: own + shared for day, own in found.items()}
