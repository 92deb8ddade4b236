"""The lake as a Spark job of the simulated Databricks sees it: `abfss://` paths are folders of this machine.

Spark can't read Azurite through its ABFS driver. So a job's inputs are copied from the lake before it starts, and its
outputs are copied back after it succeeds; the job itself reads and writes plain files.
"""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from tests.simulation.runtime.launcher import URL, Places


class Lake:
    """Folders for the containers that a run uses."""

    def __init__(self, folder: Path, token: str) -> None:
        """`token` is the access connector's, for the Blob endpoint."""
        self._folder = folder
        self._places = Places(folder)
        self._token = token
        self._before: dict[Path, float] = {}
        self._touched: set[tuple[str, str]] = set()

    def fetch(self, texts: Sequence[str]) -> None:
        """Copy what the URLs in `texts` point to."""
        for account, name, path in _urls(texts):
            self._touched.add((account, name))
            client = container(account, name, self._token)
            prefix = path.strip("/")
            for blob in client.list_blobs(name_starts_with=prefix):
                if prefix and blob.name != prefix and not blob.name.startswith(prefix + "/"):
                    continue
                target = self._places.path(account, name, blob.name)
                target.parent.mkdir(parents=True, exist_ok=True)
                with target.open("wb") as file:
                    client.download_blob(blob.name).readinto(file)
        self._before = {path: path.stat().st_mtime for path in self._folder.rglob("*") if path.is_file()}

    def send(self) -> None:
        """Copy back what is new or changed."""
        for account, name in self._touched:
            root = self._places.path(account, name, "")
            client = container(account, name, self._token)
            for path in sorted(root.rglob("*")) if root.exists() else []:
                if path.is_file() and self._before.get(path) != path.stat().st_mtime:
                    with path.open("rb") as file:
                        client.upload_blob(str(path.relative_to(root)), file, overwrite=True)


def container(account: str, name: str, token: str) -> Any:
    """A client of a container with a given token."""
    from azure.core.credentials import AccessToken
    from azure.storage.blob import ContainerClient

    class Known:
        """A credential with this token."""

        def get_token(self, *_: str, **__: object) -> AccessToken:
            return AccessToken(token, 2**40)

    return ContainerClient(f"https://{account}.blob.core.windows.net", name, credential=Known())


def _urls(texts: Sequence[str]) -> Iterator[tuple[str, str, str]]:
    for text in texts:
        for found in URL.finditer(text):
            yield found[2], found[1], found[3] or "/"
