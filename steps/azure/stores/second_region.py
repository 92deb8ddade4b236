"""A copy of every accepted model in a storage account of another region, in the layout that `import-models` reads."""

import json
from dataclasses import asdict
from pathlib import Path

from azure_clients.retries import Timeout
from steps.azure.stores.lake import LakeFolder
from steps.descriptions.places import Lake
from steps.provider.step import Context
from steps.shared.model_versions import INDEX, Version, folder_of
from steps.shared.volumes import Volume

COPIES = "versions"
"""The folder in the container."""


def copy_bundle(copy: Lake, version: Version, bundle: Path, context: Context, timeout: Timeout) -> None:
    """Copy the version with its `bundle` to the account at `copy`'s endpoint, then list it in the index.

    What an interrupted call copied is not sent again. Raises `AzureRefusedError`.
    """
    context.report(f"copying version {version.number} to the second region")
    place = LakeFolder(copy, Volume.MODELS, COPIES, timeout)
    place.below(folder_of(version.number)).send(bundle, context)
    listed = [one for one in json.loads(place.read(INDEX, context) or b"[]") if one["number"] != version.number]
    listed.append(asdict(version))
    place.write(INDEX, json.dumps(listed, indent=2, default=str).encode(), context)
