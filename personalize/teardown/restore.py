"""Registers models that `destroy --keep-data` saved in another stack."""

import json
from collections.abc import Callable, Mapping
from pathlib import Path

from features.bundle import BundleError, checked_hash
from features.errors import BadInputError, reason
from personalize.teardown.export import version_folder
from steps.model_versions import INDEX, Version


class KeptModelsError(BadInputError):
    """A folder that is not an unchanged export."""


def restore(folder: Path, register: Callable[[Path], Version]) -> dict[int, Version]:
    """Register every saved version, oldest first. Returns the new version by the old number.

    All bundles are compared with the index first: raises `KeptModelsError` if one is missing or changed. A bundle that
    is registered already keeps its number, so an interrupted call can be repeated.
    """
    kept = _kept(folder)
    for number, bundle_hash in kept.items():
        _require_whole(version_folder(folder, number), bundle_hash)
    return {number: register(version_folder(folder, number)) for number in kept}


def _kept(folder: Path) -> Mapping[int, str]:
    """The bundles' hashes by version number."""
    index = folder / INDEX
    try:
        entries = json.loads(index.read_text(encoding="utf-8"))
        return {int(entry["number"]): str(entry["bundle_hash"]) for entry in entries}
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise KeptModelsError(
            f"{index} cannot be used: {reason(error)}. Name the folder of a `destroy --keep-data`."
        ) from error


def _require_whole(bundle: Path, bundle_hash: str) -> None:
    try:
        found = checked_hash(bundle)
    except BundleError as error:
        raise KeptModelsError(f"Nothing was imported: {error}") from error
    if found != bundle_hash:
        raise KeptModelsError(
            f"Nothing was imported: the bundle in {bundle} has the hash {found}, but {bundle_hash} was saved there. "
            "Restore the folder from a copy."
        )
