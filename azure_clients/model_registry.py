"""The model registry of an Azure ML workspace.

Tags are kept short, because Azure ML documents no limit for their length: `versions_of` reads the rest from the bundles
in the lake. A version's content is immutable, but its tags are not. The champion's tag contains its time, so that the
champion is clear even after an interruption between two writes.
"""

import json
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, cast

import msgspec

from azure_clients import credentials
from azure_clients.lake import lake_folder
from azure_clients.model_versions import IMPORTED, MODEL, Registered, Version, find, short_tags, tags_of
from azure_clients.resources import Lake, MachineLearning
from azure_clients.retries import Context, or_none, retried
from features.bundle import METADATA, Bundle, Metadata

if TYPE_CHECKING:
    from azure.ai.ml.entities import Model


CHAMPION = "champion"
FORMER = "former"
"""The champion's tag once another version serves."""
REGISTERED = "registered"
RUN = "run"
"""The tag with the address of the run that trained a version, or `IMPORTED`."""
BUNDLE_URL = "bundle_url"
READ_AT_ONCE = 8


@dataclass(frozen=True, kw_only=True)
class Entry(Registered):
    """A registered version as far as its tags tell, among them its bundle's address in the lake."""

    bundle_url: str
    tags: Mapping[str, str]


class AzureRegistry:
    """The versions of the project's model in a workspace."""

    def __init__(self, inputs: MachineLearning, context: Context) -> None:
        """Makes no request yet."""
        self._client = credentials.machine_learning(inputs)
        self._context = context

    def list(self) -> list[Entry]:
        """All versions, oldest first."""
        models = self._models()
        champion = max(models, key=_champion_since, default=None)
        entries = [_entry(model, champion=model is champion and bool(_champion_since(model))) for model in models]
        return sorted(entries, key=lambda entry: entry.number)

    def get(self, number: int) -> Entry:
        """The version `number`; raises `NoSuchVersionError`."""
        return find(self.list(), number)

    def champion(self) -> Entry | None:
        """The champion; None before the first."""
        return next((entry for entry in self.list() if entry.champion), None)

    def register(self, folder: Path, bundle_url: str, lineage: Mapping[str, str]) -> Entry:
        """Upload the bundle in `folder` as a new version, unless it is registered already.

        `lineage` are the data and the run that it comes from; those of an imported version are replaced once this
        stack has trained it. Raises `BundleError` if the bundle is incomplete.
        """
        from azure.ai.ml.entities import Model  # noqa: PLC0415 - takes a second

        bundle = Bundle.load(folder)
        entries = self.list()
        for entry in entries:
            if entry.bundle_hash == bundle.hash:
                if entry.imported and lineage[RUN] != IMPORTED:
                    adopted = next(model for model in self._models() if _number(model) == entry.number)
                    _tags(adopted).update(lineage)
                    self._put("register the model", adopted)
                return entry
        number = max((entry.number for entry in entries), default=0) + 1
        tags = {**short_tags(bundle.hash, bundle.metadata), **lineage, BUNDLE_URL: bundle_url, REGISTERED: _now()}
        model = Model(name=MODEL, version=str(number), type="custom_model", path=folder, tags=tags)
        self._put("register the model", model)
        return self.get(number)

    def set_champion(self, number: int) -> None:
        """Mark `number` as the champion, then unmark the others; raises `NoSuchVersionError`.

        In this order there is a champion after every call: of two marked versions, the later mark counts.
        """
        self.get(number)
        models = {_number(model): model for model in self._models()}
        self._mark(models.pop(number), _now())
        for model in models.values():
            if _champion_since(model):
                self._mark(model, FORMER)

    def _mark(self, model: "Model", mark: str) -> None:
        _tags(model)[CHAMPION] = mark
        self._put("mark the champion", model)

    def _models(self) -> "Sequence[Model]":
        return retried(
            "list the models", lambda: or_none(lambda: list(self._client.models.list(MODEL))) or [], self._context
        )

    def _put(self, what: str, model: "Model") -> None:
        retried(what, lambda: self._client.models.create_or_update(model), self._context)


def versions_of(entries: Sequence[Entry], lake: Lake, context: Context) -> list[Version]:
    """The version of each entry, in the same order. Raises `AzureRefusedError`.

    A version whose bundle is no longer in the lake is not accepted, because it can neither serve nor be compared with.
    """

    contents = files_of(entries, METADATA, lake, context)
    found = zip(entries, contents, strict=True)
    return [_lost(entry) if content is None else version_of(entry, content) for entry, content in found]


def files_of(entries: Sequence[Entry], name: str, lake: Lake, context: Context) -> list[bytes | None]:
    """A file of each entry's bundle, None for one that is no longer in the lake. Raises `AzureRefusedError`."""
    with ThreadPoolExecutor(READ_AT_ONCE) as pool:
        return list(pool.map(lambda entry: lake_folder(lake, entry.bundle_url, context).read(name), entries))


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


def _entry(model: "Model", *, champion: bool) -> Entry:
    tags = _tags(model)
    return Entry(
        number=_number(model),
        bundle_hash=tags["bundle_hash"],
        bundle_url=tags[BUNDLE_URL],
        tags=tags,
        accepted=json.loads(tags["accepted"]),
        champion=champion,
        imported=tags.get(RUN) == IMPORTED,
        registered=datetime.fromisoformat(tags[REGISTERED]),
    )


def _champion_since(model: "Model") -> str:
    """When a version became the champion, sortable by time; empty if it is not the champion."""
    since = _tags(model).get(CHAMPION, "")
    return "" if since == FORMER else since


def _number(model: "Model") -> int:
    return int(model.version or 0)


def _tags(model: "Model") -> dict[str, str]:
    """The tags, which can be changed in place; the SDK types them loosely."""
    return cast("dict[str, str]", model.tags)


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="microseconds")
