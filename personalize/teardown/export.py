"""Saves a stack's models before it is deleted: every version's bundle with its report, and the registry's data."""

import json
import shutil
from collections.abc import Callable, Sequence
from dataclasses import asdict
from pathlib import Path

from features.bundle import BundleError, checked_hash
from features.files import write_whole, written_aside
from steps.shared.model_versions import INDEX, Version, folder_of


def export(versions: Sequence[Version], fetch: Callable[[Version, Path], None], folder: Path) -> Path:
    """Save `versions` in `folder`. `fetch` copies a version's bundle to a path that does not exist yet.

    Bundles that an interrupted run saved completely are kept. Returns the index. Raises what `fetch` raises, or
    `BundleError` if a bundle differs from the registered one.
    """
    folder.mkdir(parents=True, exist_ok=True)
    for version in versions:
        target = version_folder(folder, version.number)
        if not _whole(target, version.bundle_hash):
            _save(version, fetch, target)
    index = folder / INDEX
    write_whole(index, json.dumps([asdict(version) for version in versions], indent=2, default=str) + "\n")
    return index


def version_folder(folder: Path, number: int) -> Path:
    """The folder of a version's bundle in an export."""
    return folder / folder_of(number)


def _save(version: Version, fetch: Callable[[Version, Path], None], target: Path) -> None:
    with written_aside(target) as aside:
        fetch(version, aside)
        found = checked_hash(aside)
        if found != version.bundle_hash:
            raise BundleError(
                f"The bundle of version {version.number} has the hash {found}, but {version.bundle_hash} is "
                "registered. Nothing was deleted. Check the registry first."
            )
        shutil.rmtree(target, ignore_errors=True)


def _whole(folder: Path, bundle_hash: str) -> bool:
    try:
        return folder.is_dir() and checked_hash(folder) == bundle_hash
    except BundleError:
        return False
