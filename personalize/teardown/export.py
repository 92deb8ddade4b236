"""Saves a stack's models before it is deleted: every version's bundle with its report, and the registry's data."""

import json
from collections.abc import Callable, Sequence
from dataclasses import asdict
from itertools import chain, count
from pathlib import Path

from features.bundle import BundleError, checked_hash
from features.files import write_whole, written_aside
from steps.model_versions import INDEX, Version, folder_of


def export(versions: Sequence[Version], fetch: Callable[[Version, Path], None], folder: Path) -> Path:
    """Save `versions` in `folder`. `fetch` copies a version's bundle to a path that does not exist yet.

    Bundles that an interrupted run saved are kept. If the folder has other bundles, those of an earlier export, then
    `<folder>-2` is used, or the next one that has none. Returns the index. Raises what `fetch` raises, or `BundleError`
    if a bundle differs from the registered one.
    """
    others = (folder.with_name(f"{folder.name}-{number}") for number in count(2))
    folder = next(one for one in chain([folder], others) if _takes(one, versions))
    folder.mkdir(parents=True, exist_ok=True)
    for version in versions:
        target = version_folder(folder, version.number)
        if not target.is_dir():
            _save(version, fetch, target)
    index = folder / INDEX
    write_whole(index, json.dumps([asdict(version) for version in versions], indent=2, default=str) + "\n")
    return index


def version_folder(folder: Path, number: int) -> Path:
    """The folder of a version's bundle in an export."""
    return folder / folder_of(number)


def _takes(folder: Path, versions: Sequence[Version]) -> bool:
    """Whether a folder does not exist yet, or has only bundles of these versions."""
    hashes = {folder_of(version.number): version.bundle_hash for version in versions}
    there = folder.glob("version-*")
    return not folder.exists() or (folder.is_dir() and all(_whole(one, hashes.get(one.name, "")) for one in there))


def _save(version: Version, fetch: Callable[[Version, Path], None], target: Path) -> None:
    with written_aside(target) as aside:
        fetch(version, aside)
        found = checked_hash(aside)
        if found != version.bundle_hash:
            raise BundleError(
                f"The bundle of version {version.number} has the hash {found}, but {version.bundle_hash} is "
                "registered. Nothing was deleted. Check the registry first."
            )


def _whole(folder: Path, bundle_hash: str) -> bool:
    try:
        return folder.is_dir() and checked_hash(folder) == bundle_hash
    except BundleError:
        return False
