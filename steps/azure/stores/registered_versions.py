"""The versions in Azure ML with what their tags leave out, which is in the bundles' metadata in the lake."""

import json
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor

import msgspec

from azure_clients.retries import Timeout
from features.bundle import METADATA, Metadata
from steps.azure.stores.azure_registry import Entry
from steps.azure.stores.lake import lake_folder
from steps.descriptions.places import Lake
from steps.provider.step import Context
from steps.shared.model_versions import IMPORTED, Version, tags_of

READ_AT_ONCE = 8


def versions_of(entries: Sequence[Entry], lake: Lake, context: Context, timeout: Timeout) -> list[Version]:
    """The version of each entry, in the same order. Raises `AzureRefusedError`.

    A version whose bundle is no longer in the lake is not accepted, because it can neither serve nor be compared with.
    """

    def read(entry: Entry) -> Version:
        content = lake_folder(lake, entry.bundle_url, timeout).read(METADATA, context)
        return _lost(entry) if content is None else version_of(entry, content)

    with ThreadPoolExecutor(READ_AT_ONCE) as pool:
        return list(pool.map(read, entries))


def version_of(entry: Entry, metadata: bytes) -> Version:
    """The version of an entry whose bundle has this `metadata.json`."""
    mark = {IMPORTED: "true"} if entry.imported else {}
    tags = tags_of(entry.bundle_hash, msgspec.json.decode(metadata, type=Metadata)) | mark
    return Version.of(entry.number, tags, champion=entry.champion, registered=entry.registered)


def _lost(entry: Entry) -> Version:
    reason = f"Its bundle is no longer at {entry.bundle_url}."
    nothing = {"accepted": "false", "reasons": json.dumps([reason]), "hyperparameters": "{}", "metrics": "{}"}
    tags = {**entry.tags, **nothing}
    return Version.of(entry.number, tags, champion=entry.champion, registered=entry.registered)
