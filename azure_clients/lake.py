"""Folders in a container of the lake, sent in parallel with checksums, fetched and removed, and the bundles in them.

The Blob endpoint also works for accounts with a hierarchical namespace, where folders are listed as entries.
"""

import functools
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Any, TypeVar

from azure_clients import credentials
from azure_clients.resources import Lake
from azure_clients.retries import Context, or_none, retried
from azure_clients.volumes import Volume
from features.bundle import BundleError, checked_hash, is_whole
from features.errors import PersonalizationError
from features.files import is_inside, remove, sha256, written_aside

if TYPE_CHECKING:
    from azure.storage.blob import ContainerClient

SHA256 = "sha256"
"""Metadata of a completely uploaded blob: its content's hash."""
FILES_AT_ONCE = 4
BLOCKS_AT_ONCE = 2
MEGABYTE = 1e6
FOLDER = "hdi_isfolder"
"""Metadata of the entries that are folders, in accounts with a hierarchical namespace."""
Answer = TypeVar("Answer")


class LakeNameError(PersonalizationError):
    """A name in the lake, or an address in the registry, that leads out of its folder."""


class LakeFolder:
    """The folder `name` of a volume; the volume's own for an empty one."""

    def __init__(self, inputs: Lake, volume: Volume, name: str, context: Context) -> None:
        """Makes no request yet."""
        self._client: ContainerClient = credentials.container(inputs.tenant, inputs.blob_endpoint, volume.container)
        self._volume = volume
        self._inputs = inputs
        self._name = PurePosixPath(name)
        self._path = str(volume.folder / self._name)
        self.context = context
        """Shows progress, limits how long Azure is waited for, and ends calls after Ctrl-C."""

    @property
    def url(self) -> str:
        """Its address, `abfss://CONTAINER@ACCOUNT.dfs.core.windows.net/PATH`."""
        host = self._inputs.blob_endpoint.removeprefix("https://").rstrip("/").replace(".blob.", ".dfs.", 1)
        return f"abfss://{self._volume.container}@{host}/{self._path}"

    def on_cluster(self, volumes: str) -> Path:
        """Its path on a cluster's machines; `volumes` is the folder with the stack's volumes."""
        return Path(volumes) / self._volume / self._name

    def below(self, name: str) -> "LakeFolder":
        """The folder `name` in this one."""
        return LakeFolder(self._inputs, self._volume, str(self._name / name), self.context)

    def send(self, folder: Path) -> None:
        """Upload every file below `folder` that the lake does not have with the same content, several in parallel.

        Raises `AzureRefusedError`, and `StepCancelledError` after Ctrl-C: uploaded files stay.
        """
        files = sorted(path for path in folder.rglob("*") if path.is_file())
        total = sum(file.stat().st_size for file in files)
        sent = 0

        def send_one(file: Path) -> int:
            self._send_file(file, file.relative_to(folder).as_posix())
            return file.stat().st_size

        with ThreadPoolExecutor(FILES_AT_ONCE) as pool:
            try:
                for size in pool.map(send_one, files):
                    sent += size
                    self.context.report(f"upload: {sent / MEGABYTE:,.1f} of {total / MEGABYTE:,.1f} MB")
            finally:
                pool.shutdown(cancel_futures=True)

    def write(self, name: str, content: bytes) -> None:
        """Write one small file."""
        blob = self._client.get_blob_client(f"{self._path}/{name}")
        self._ask("write to the lake", lambda: blob.upload_blob(content, overwrite=True))

    def read(self, name: str) -> bytes | None:
        """The content of one small file; None if it does not exist."""
        blob = self._client.get_blob_client(f"{self._path}/{name}")
        content: bytes | None = self._ask("read the lake", lambda: or_none(lambda: blob.download_blob().readall()))
        return content

    def change(self, name: str, changed: Callable[[bytes | None], bytes | None]) -> None:
        """Replace one small file by what `changed` makes of its content, None if it does not exist.

        It is asked again if somebody else has changed the file meanwhile, and leaves it as it is by returning None.
        """
        from azure.core import MatchConditions  # noqa: PLC0415 - an extra
        from azure.core.exceptions import ResourceExistsError, ResourceModifiedError  # noqa: PLC0415 - an extra

        blob = self._client.get_blob_client(f"{self._path}/{name}")
        unchanged = MatchConditions.IfNotModified

        def write() -> bool:
            before = or_none(blob.download_blob)
            content = changed(None if before is None else before.readall())
            if content is None:
                return True
            is_as_read: dict[str, Any] = {}
            if before is not None:
                is_as_read = {"overwrite": True, "etag": before.properties.etag, "match_condition": unchanged}
            try:
                blob.upload_blob(content, **is_as_read)
            except (ResourceModifiedError, ResourceExistsError):
                return False
            return True

        while not self._ask("write to the lake", write):
            self.context.raise_if_cancelled()

    def names(self) -> frozenset[str]:
        """The paths of all files in it; none if it, or the container, does not exist."""
        return self._ask("list the lake", lambda: frozenset(or_none(lambda: list(self._files())) or ()))

    def fetch(self, folder: Path) -> None:
        """Download every file to `folder`; raises `LakeNameError` for a name that leads out of it."""
        for name in self._ask("list the lake", lambda: list(self._files())):
            if not is_inside(name):
                raise LakeNameError(f"{self.url} has {name}, whose path leads elsewhere. Delete this blob.")
            target = folder / name
            target.parent.mkdir(parents=True, exist_ok=True)
            self._ask("read the lake", functools.partial(self._fetch_file, name, target))
            self.context.raise_if_cancelled()

    def remove(self, *first: str) -> None:
        """Delete all of it; succeeds if it, or the container, does not exist. An interrupted call leaves what is left
        without the files `first`.
        """

        def work() -> None:
            # In a hierarchical account folders are entries, and only empty ones can be deleted: longest names first.
            listed = or_none(lambda: [one.name for one in self._client.list_blobs(name_starts_with=f"{self._path}/")])
            marks = [f"{self._path}/{name}" for name in first]
            for name in [*marks, *sorted(listed or [], reverse=True), self._path]:
                or_none(functools.partial(self._client.delete_blob, name))

        self._ask("delete from the lake", work)

    def _fetch_file(self, name: str, target: Path) -> None:
        with target.open("wb") as stream:
            self._client.get_blob_client(f"{self._path}/{name}").download_blob().readinto(stream)

    def _send_file(self, file: Path, name: str) -> None:
        self.context.raise_if_cancelled()
        digest = sha256(file)
        blob = self._client.get_blob_client(f"{self._path}/{name}")
        known = self._ask("read the lake", lambda: or_none(lambda: blob.get_blob_properties().metadata.get(SHA256)))
        if known == digest:
            return

        def progress(_current: int, _total: int | None) -> None:
            self.context.raise_if_cancelled()

        def work() -> None:
            with file.open("rb") as stream:
                blob.upload_blob(
                    stream,
                    overwrite=True,
                    metadata={SHA256: digest},
                    validate_content=True,
                    max_concurrency=BLOCKS_AT_ONCE,
                    progress_hook=progress,
                )

        self._ask("write to the lake", work)

    def _ask(self, what: str, call: Callable[[], Answer]) -> Answer:
        return retried(what, call, self.context)

    def _files(self) -> Iterator[str]:
        for blob in self._client.list_blobs(name_starts_with=f"{self._path}/", include=["metadata"]):
            if (blob.metadata or {}).get(FOLDER) != "true":
                yield blob.name.removeprefix(f"{self._path}/")


def lake_folder(inputs: Lake, url: str, context: Context) -> LakeFolder:
    """The folder at the address `url` in the volume for bundles. Raises `LakeNameError` if it leads elsewhere."""
    name = url.split("/", 3)[3].removeprefix(f"{Volume.MODELS.folder}/")
    if not is_inside(name):
        raise LakeNameError(f"{url} is not a bundle's address: its path leads elsewhere. Register the model again.")
    return LakeFolder(inputs, Volume.MODELS, name, context)


def bring(folder: LakeFolder, target: Path, bundle_hash: str) -> None:
    """Download the bundle in `folder` to `target`, unless it is whole there. Raises `BundleError` for another hash."""
    if is_whole(target, bundle_hash):
        return
    folder.context.report("fetching the bundle")
    with written_aside(target) as aside:
        folder.fetch(aside)
        found = checked_hash(aside)
        if found != bundle_hash:
            raise BundleError(
                f"The bundle in {folder.url} has the hash {found}, but {bundle_hash} was expected. Train again."
            )
        remove(target)
