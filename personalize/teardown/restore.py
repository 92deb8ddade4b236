"""Brings models that an earlier stack's `destroy --keep-data` saved into the registry of another stack."""

import json
from collections.abc import Callable, Mapping
from pathlib import Path

from features.bundle import BundleError, checked_hash
from features.errors import BadInputError, reason
from personalize.teardown.export import INDEX, version_folder
from steps.shared.model_versions import Version


class KeptModelsError(BadInputError):
    """A folder that does not hold what an export wrote."""


def restore(folder: Path, register: Callable[[Path], Version]) -> dict[int, Version]:
    """Register every saved version, oldest first; by its old number what it is now.

    All bundles are compared with the index before the first is registered: raises `KeptModelsError` when one is missing
    or another. A bundle that is registered already keeps its number, so a call that was cut off can be made again.
    """
    kept = _kept(folder)
    for number, bundle_hash in kept.items():
        _require_whole(version_folder(folder, number), bundle_hash)
    return {number: register(version_folder(folder, number)) for number in kept}


def _kept(folder: Path) -> Mapping[int, str]:
    """The bundles' hashes by version."""
    index = folder / INDEX
    try:
        entries = json.loads(index.read_text(encoding="utf-8"))
        return {int(entry["number"]): str(entry["bundle_hash"]) for entry in entries}
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise KeptModelsError(
            f"{index} cannot be used: {reason(error)}. Name the folder in which `destroy --keep-data` saved models."
        ) from error


def _require_whole(bundle: Path, bundle_hash: str) -> None:
    try:
        found = checked_hash(bundle)
    except BundleError as error:
        raise KeptModelsError(f"Nothing was imported: {error}") from error
    if found != bundle_hash:
        raise KeptModelsError(
            f"Nothing was imported: the bundle in {bundle} has the hash {found}, but {bundle_hash} was saved there. "
            "Bring the folder back from a copy."
        )
