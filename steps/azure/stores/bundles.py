"""Bundles on this machine: downloaded from the lake once, and used only if they are complete."""

import shutil
from pathlib import Path

from azure_clients.retries import Timeout
from features.bundle import BundleError, checked_hash
from features.files import written_aside
from steps.azure.stores.lake import LakeFolder
from steps.descriptions.places import Lake
from steps.provider.step import Context

CONTAINER = "models"


def lake_folder(inputs: Lake, url: str, timeout: Timeout) -> LakeFolder:
    """The folder that `url`, an address for Spark, names in the lake's container for models."""
    return LakeFolder(inputs, CONTAINER, url.split("/", 3)[3], timeout)


def bring(folder: LakeFolder, target: Path, bundle_hash: str, context: Context) -> None:
    """Put the bundle in `folder` into `target`, unless it is there. Raises `BundleError` when it is another one."""
    if target.is_dir() and checked_hash(target) == bundle_hash:
        return
    context.report("fetching the bundle")
    with written_aside(target) as aside:
        folder.fetch(aside, context)
        found = checked_hash(aside)
        if found != bundle_hash:
            raise BundleError(
                f"The bundle in {folder.url} has the hash {found}, but {bundle_hash} was expected. Train again."
            )
        shutil.rmtree(target, ignore_errors=True)
