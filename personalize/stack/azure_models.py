"""The models of a stack on Azure: its versions in Azure ML, their bundles and the service's snapshots in the lake."""

from collections.abc import Sequence
from pathlib import Path

from azure_clients import credentials
from azure_clients.lake import LakeFolder, bring, lake_folder
from azure_clients.model_registry import RUN, AzureRegistry, Entry, files_of, versions_of
from azure_clients.model_versions import IMPORTED, Version
from azure_clients.resources import Lake, MachineLearning
from azure_clients.retries import Context, Timeout
from azure_clients.snapshots import LakeSnapshots
from azure_clients.volumes import Volume
from features.bundle import REPORT, checked_hash
from features.files import private_folder
from infra.azure_settings import AzureSettings
from infra.cloud.names import lake_path, names_of
from personalize.bootstrap.resources import STORAGE_VERSION
from personalize.errors import StackMissingError
from personalize.terminal import say
from steps.registry_here import bundle_folder
from tools.paths import state_folder

LOOK = Timeout(seconds=20, pause=2)
"""A command that only reads does not wait for new roles to take effect, as `up` does."""


class AzureVersions:
    """The versions of a stack in Azure ML."""

    def __init__(self, stack: str, settings: AzureSettings) -> None:
        """Makes no request yet."""
        self._stack = stack
        self._settings = settings
        self._names = names_of(stack, settings)
        self._context = Context(report=say, timeout=LOOK)
        inputs = MachineLearning(
            tenant=settings.tenant,
            subscription=settings.subscription,
            resource_group=self._names.training_group,
            workspace=self._names.machine_learning,
        )
        self._registry = AzureRegistry(inputs, self._context)

    def list(self) -> list[Version]:
        """All versions, oldest first; none without a workspace. Raises `AzureRefusedError`."""
        return list(self._versions(self._registry.list()))

    def get(self, number: int) -> Version:
        """The version `number`; raises `NoSuchVersionError`."""
        return self._versions([self._registry.get(number)])[0]

    def get_champion(self) -> Version | None:
        """The version that serves, None before the first one."""
        found = self.serving()
        return self._versions([found])[0] if found else None

    def register_imported(self, bundle: Path) -> Version:
        """Upload a bundle to the lake that another stack has trained, and register it.

        Raises `AzureRefusedError` or `BundleError`.
        """
        folder = LakeFolder(self._lake(), Volume.MODELS, f"{IMPORTED}/{checked_hash(bundle)}", self._context)
        folder.send(bundle)
        return self._versions([self._registry.register(bundle, folder.url, {RUN: IMPORTED})])[0]

    def fetch(self, version: Version, target: Path) -> None:
        """Download a version's bundle to `target`. Raises as `bundle` does."""
        self.bundle(self._registry.get(version.number), target)

    def read(self, versions: Sequence[Version], name: str) -> Sequence[bytes | None]:
        """A file of each version's bundle; None for one that is gone. Raises `AzureRefusedError`."""
        entries = {entry.number: entry for entry in self._registry.list()}
        return files_of([entries[one.number] for one in versions], name, self._lake(), self._context)

    def bundle(self, entry: Entry, target: Path | None = None) -> Path:
        """A version's bundle on this machine, in `target` if given; downloaded from the lake if it is missing.

        Raises `AzureRefusedError`, or `BundleError` if it differs from the registered one.
        """
        kept = target or bundle_folder(state_folder(self._stack) / "registry", entry.bundle_hash)
        private_folder(kept.parent)
        bring(lake_folder(self._lake(), entry.bundle_url, self._context), kept, entry.bundle_hash)
        return kept

    def serving(self) -> Entry | None:
        """The version that serves, None before the first one. Raises `AzureRefusedError`."""
        return self._registry.champion()

    def report(self) -> Path | None:
        """The report of the version that serves, None before the first one."""
        found = self.serving()
        return self.bundle(found) / REPORT if found else None

    def _versions(self, entries: Sequence[Entry]) -> Sequence[Version]:
        return versions_of(entries, self._lake(), self._context) if entries else []

    def _lake(self) -> Lake:
        return lake_of(self._stack, self._settings)


def lake_snapshots(stack: str, settings: AzureSettings) -> LakeSnapshots:
    """The snapshots that a stack's service follows. Raises `StackMissingError`."""
    return LakeSnapshots(lake_of(stack, settings), Context(report=say, timeout=LOOK))


def lake_of(stack: str, settings: AzureSettings) -> Lake:
    """The lake of a stack. Raises `StackMissingError`."""
    path = lake_path(names_of(stack, settings), settings)
    account = credentials.resource_manager(settings.tenant).get(path, STORAGE_VERSION)
    if account is None:
        raise StackMissingError(f"Stack {stack} has no lake. `.venv/bin/personalize up --stack {stack}` creates it.")
    endpoint = str(account["properties"]["primaryEndpoints"]["blob"])
    return Lake(tenant=settings.tenant, blob_endpoint=endpoint)
