"""The lake as a Spark job of the simulated Databricks sees it: `abfss://` paths are folders of this machine.

Spark can't read Azurite through its ABFS driver. So what a job is given is copied from the lake before it starts, and
what it wrote is copied back when it has ended well; the job itself reads and writes plain files.
"""

import re
import shutil
from collections.abc import Iterator, Sequence
from pathlib import Path

URL = re.compile(r"abfss://([a-z0-9-]+)@([a-z0-9]+)\.dfs\.core\.windows\.net(/[^\s\"']*)?")


class Lake:
    """Folders for the containers that a run touches."""

    def __init__(self, folder: Path, token: str) -> None:
        """`token` is the access connector's, for the Blob endpoint."""
        self._folder = folder
        self._token = token
        self._before: dict[Path, float] = {}
        self._touched: set[tuple[str, str]] = set()

    def local(self, text: str) -> str:
        """`text` with every URL of the lake as a path of this machine."""
        return URL.sub(lambda found: str(self._path(found[2], found[1], found[3] or "/")), text)

    def fetch(self, texts: Sequence[str]) -> None:
        """Copy what the URLs in `texts` name."""
        for account, container, path in _urls(texts):
            self._touched.add((account, container))
            client = self._container(account, container)
            prefix = path.strip("/")
            for blob in client.list_blobs(name_starts_with=prefix):  # type: ignore[attr-defined]
                if prefix and blob.name != prefix and not blob.name.startswith(prefix + "/"):
                    continue
                target = self._path(account, container, blob.name)
                target.parent.mkdir(parents=True, exist_ok=True)
                with target.open("wb") as file:
                    client.download_blob(blob.name).readinto(file)  # type: ignore[attr-defined]
        self._before = {path: path.stat().st_mtime for path in self._folder.rglob("*") if path.is_file()}

    def send(self) -> None:
        """Copy back what is new or changed."""
        for account, container in self._touched:
            root = self._path(account, container, "")
            client = self._container(account, container)
            for path in sorted(root.rglob("*")) if root.exists() else []:
                if path.is_file() and self._before.get(path) != path.stat().st_mtime:
                    with path.open("rb") as file:
                        client.upload_blob(str(path.relative_to(root)), file, overwrite=True)  # type: ignore[attr-defined]

    def copy(self, source: str, target: str) -> None:
        """What `dbutils.fs.cp` does, of a file or a folder."""
        start, end = (Path(self.local(text).removeprefix("file:")) for text in (source, target))
        end.parent.mkdir(parents=True, exist_ok=True)
        if start.is_dir():
            shutil.copytree(start, end, dirs_exist_ok=True)
        else:
            shutil.copyfile(start, end)

    def _path(self, account: str, container: str, path: str) -> Path:
        return self._folder / account / container / path.strip("/")

    def _container(self, account: str, container: str) -> object:
        from azure.core.credentials import AccessToken
        from azure.storage.blob import ContainerClient

        token = self._token

        class Known:
            """A credential that is known already."""

            def get_token(self, *_: str, **__: object) -> AccessToken:
                return AccessToken(token, 2**40)

        return ContainerClient(f"https://{account}.blob.core.windows.net", container, credential=Known())


def _urls(texts: Sequence[str]) -> Iterator[tuple[str, str, str]]:
    for text in texts:
        for found in URL.finditer(text):
            yield found[2], found[1], found[3] or "/"
