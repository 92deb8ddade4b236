"""What of a dataset config is part of a dataset's identity."""

from collections.abc import Mapping
from pathlib import Path

from training.datasets.described.spec import TablesSpec


def meaning(spec: TablesSpec, paths: Mapping[str, Path | tuple[Path, ...]]) -> dict[str, object]:
    """What of the config identifies a dataset, beside its files: with `paths` in place of those where they lie.

    An option at its default is left out, so that a new option changes no dataset's identity. A default must stay as it
    is for that.
    """
    placed = spec.with_paths(paths).with_versions(dict.fromkeys(spec.tables))
    return placed.model_dump(mode="json", exclude_defaults=True)
