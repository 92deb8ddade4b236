"""Saves a stack's models before it goes: every version's bundle with its report, and what the registry says of them."""

import json
import shutil
from collections.abc import Callable, Sequence
from dataclasses import asdict
from pathlib import Path

from features.bundle import BundleError, checked_hash
from features.files import write_whole, written_aside
from steps.shared.model_versions import Version

INDEX = "versions.json"


def export(versions: Sequence[Version], fetch: Callable[[Version, Path], None], folder: Path) -> Path:
    """Save `versions` in `folder`; `fetch` puts a version's bundle into a path that does not exist yet.

    What an interrupted run saved whole is kept. Returns the index. Raises what `fetch` raises, and `BundleError` when
    it brought another bundle than the registry has.
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
    """Where an export has the bundle of a version."""
    return folder / f"version-{number}"


def _save(version: Version, fetch: Callable[[Version, Path], None], target: Path) -> None:
    with written_aside(target) as aside:
        fetch(version, aside)
        found = checked_hash(aside)
        if found != version.bundle_hash:
            raise BundleError(
                f"The bundle of version {version.number} has the hash {found}, but {version.bundle_hash} is "
                "registered. Nothing was deleted; look into the registry first."
            )
        shutil.rmtree(target, ignore_errors=True)


def _whole(folder: Path, bundle_hash: str) -> bool:
    try:
        return folder.is_dir() and checked_hash(folder) == bundle_hash
    except BundleError:
        return False
