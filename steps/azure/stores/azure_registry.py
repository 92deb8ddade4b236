"""The model registry of an Azure ML workspace: the same versions and tags as the local one.

A version's content can't be changed, its tags can: which version serves is a tag with the time at which it was set, so
that an interruption between two writes leaves no doubt.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, cast

from azure.core.exceptions import ResourceNotFoundError

from azure_clients.retries import Timeout, retried
from features.bundle import Bundle
from steps.azure.azure_step import workspace_client
from steps.descriptions.places import MachineLearning
from steps.provider.step import Context
from steps.shared.model_versions import MODEL, Version, find, tags_of

if TYPE_CHECKING:
    from azure.ai.ml.entities import Model

CHAMPION = "champion"
FORMER = "former"
"""The champion's tag once another version serves."""
REGISTERED = "registered"
BUNDLE_URL = "bundle_url"


@dataclass(frozen=True, kw_only=True)
class Entry:
    """A registered version, and where its bundle lies in the lake."""

    version: Version
    bundle_url: str


class AzureRegistry:
    """The versions of our model in a workspace."""

    def __init__(self, inputs: MachineLearning, context: Context, timeout: Timeout) -> None:
        """Nothing is asked yet."""
        self._client = workspace_client(inputs)
        self._context = context
        self._timeout = timeout

    def list(self) -> list[Entry]:
        """All versions, oldest first."""
        models = self._models()
        champion = max(models, key=_champion_since, default=None)
        entries = [_entry(model, champion=model is champion and bool(_champion_since(model))) for model in models]
        return sorted(entries, key=lambda entry: entry.version.number)

    def get(self, number: int) -> Entry:
        """The version `number`; raises `NoSuchVersionError`."""
        entries = {entry.version.number: entry for entry in self.list()}
        find([entry.version for entry in entries.values()], number)
        return entries[number]

    def champion(self) -> Entry | None:
        """The version that serves, None before the first."""
        return next((entry for entry in self.list() if entry.version.champion), None)

    def register(self, folder: Path, bundle_url: str, lineage: Mapping[str, str]) -> Entry:
        """Send the bundle in `folder` and give it a version; one that is registered already keeps its number.

        `lineage` names the data and the run that it comes from. Raises `BundleError` when the bundle is not whole.
        """
        from azure.ai.ml.entities import Model  # noqa: PLC0415 - a second that other steps need not wait

        bundle = Bundle.load(folder)
        entries = self.list()
        for entry in entries:
            if entry.version.bundle_hash == bundle.hash:
                return entry
        number = max((entry.version.number for entry in entries), default=0) + 1
        tags = {**tags_of(bundle.hash, bundle.metadata), **lineage, BUNDLE_URL: bundle_url, REGISTERED: _now()}
        model = Model(name=MODEL, version=str(number), type="custom_model", path=folder, tags=tags)
        self._put("register the model", model)
        return self.get(number)

    def set_champion(self, number: int) -> None:
        """Mark `number` as the version that serves; raises `NoSuchVersionError`."""
        self.get(number)
        for model in self._models():
            current = bool(_champion_since(model))
            if _number(model) == number:
                _tags(model)[CHAMPION] = _now()
            elif current:
                _tags(model)[CHAMPION] = FORMER
            else:
                continue
            self._put("mark the champion", model)

    def _models(self) -> "Sequence[Model]":
        """Newest version first, so that the new champion is marked before the old one is not any more."""
        models = retried("list the models", self._found, self._context, self._timeout)
        return sorted(models, key=_number, reverse=True)

    def _found(self) -> "Sequence[Model]":
        try:
            return list(self._client.models.list(MODEL))
        except ResourceNotFoundError:
            return []

    def _put(self, what: str, model: "Model") -> None:
        retried(what, lambda: self._client.models.create_or_update(model), self._context, self._timeout)


def _entry(model: "Model", *, champion: bool) -> Entry:
    tags = _tags(model)
    registered = datetime.fromisoformat(tags[REGISTERED])
    version = Version.of(_number(model), tags, champion=champion, registered=registered)
    return Entry(version=version, bundle_url=tags[BUNDLE_URL])


def _champion_since(model: "Model") -> str:
    """When a version became the champion, in a form that sorts by time; empty for one that does not serve."""
    since = _tags(model).get(CHAMPION, "")
    return "" if since == FORMER else since


def _number(model: "Model") -> int:
    return int(model.version or 0)


def _tags(model: "Model") -> dict[str, str]:
    """The tags themselves, to be read or changed; the SDK types them loosely."""
    return cast("dict[str, str]", model.tags)


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="microseconds")
