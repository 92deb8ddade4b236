"""The Unity Catalog volumes of a run: the lake's files in folders that the run's processes see below `/Volumes`.

They are filled before the run and copied back after it, also after one that failed. Databricks' FUSE does both at each
file; a run here can't see what somebody else writes meanwhile.
"""

import hashlib
import os
import re
import shutil
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from features.errors import PersonalizationError
from tests.simulation.databricks import READ, VOLUME, WRITE, covering, volume_access
from tests.simulation.fakes.runs import TaskFailedError
from tests.simulation.tokens import STORAGE, issue
from tests.simulation.world import World
from tools.paths import ROOT, cache_folder

VOLUMES = "/Volumes/"
LIBRARY = ROOT / "tests" / "simulation" / "volumes"
"""The C sources of the library that leads a process's `/Volumes/` to a folder."""
SOURCES = ("files.c", "paths.c")
OPTIONS = ("-O2", "-Wall", "-Werror", "-Wno-nonnull-compare", "-shared", "-fPIC")
URL = re.compile(r"abfss://([a-z0-9-]+)@([a-z0-9]+)\.dfs\.core\.windows\.net(/.*)?")


class VolumesError(PersonalizationError):
    """This machine can't simulate volumes."""


@dataclass
class _Mounted:
    """One volume: its folder here, its place in the lake, and the files that it had before."""

    folder: Path
    client: Any
    prefix: str
    writable: bool
    before: dict[str, int] = field(default_factory=dict)


class Volumes:
    """All volumes of the metastore, as far as `who` may use them."""

    def __init__(self, world: World, who: str, folder: Path) -> None:
        """`folder` becomes `/Volumes`. Raises `TaskFailedError` if a location's credential leads nowhere."""
        self._folder = folder
        folder.mkdir(parents=True, exist_ok=True)
        self._rules: dict[str, str] = {}
        self._mounted: list[_Mounted] = []
        for record in world.all(VOLUME):
            names = [str(record.inputs[name]) for name in ("catalogName", "schemaName", "name")]
            allowed = volume_access(world, who, ".".join(names))
            place = folder.joinpath(*names)
            place.mkdir(parents=True, exist_ok=True)
            self._rules["/".join(names)] = allowed
            if READ in allowed:
                self._mounted.append(_mounted(world, place, str(record.inputs["storageLocation"]), WRITE in allowed))

    def environment(self) -> dict[str, str]:
        """Variables with which the run's processes find the folder at `/Volumes`. Raises `VolumesError`."""
        return {
            "LD_PRELOAD": str(_library()),
            "SIMULATED_VOLUMES": str(self._folder.resolve()),
            "SIMULATED_VOLUME_RULES": "".join(f"/{volume}={allowed}," for volume, allowed in self._rules.items()),
        }

    def reads(self, path: str) -> bool:
        """Whether the run may read a path below `/Volumes`."""
        return READ in self._rules.get(_volume(path), READ)

    def refuse(self, paths: dict[str, bool]) -> None:
        """Raise `TaskFailedError` like Python if the run may not read, or (True) write, below one of `paths`."""
        for path, writes in paths.items():
            volume = _volume(path)
            if volume not in self._rules:
                raise TaskFailedError(f"FileNotFoundError: [Errno 2] No such file or directory: '{path}'")
            if not self._rules[volume] or (writes and WRITE not in self._rules[volume]):
                raise TaskFailedError(f"PermissionError: [Errno 13] Permission denied: '{path}'")

    def local(self, path: str) -> Path:
        """The file of this machine behind a path below `/Volumes`."""
        return self._folder / path.removeprefix(VOLUMES)

    def fetch(self) -> None:
        """Fill the volumes from the lake; one whose container is gone leads nowhere."""
        self._mounted = [one for one in self._mounted if one.client.exists()]
        for one in self._mounted:
            for blob in one.client.list_blobs(name_starts_with=one.prefix):
                target = one.folder / blob.name.removeprefix(one.prefix)
                target.parent.mkdir(parents=True, exist_ok=True)
                with target.open("wb") as file:
                    one.client.download_blob(blob.name).readinto(file)
            one.before = dict(_files(one.folder))

    def send(self) -> None:
        """Copy back what is new or changed, and delete what is gone."""
        for one in self._mounted:
            after = dict(_files(one.folder)) if one.writable else one.before
            for name in sorted(name for name, at in after.items() if one.before.get(name) != at):
                with (one.folder / name).open("rb") as file:
                    one.client.upload_blob(one.prefix + name, file, overwrite=True)
            for name in sorted(one.before.keys() - after.keys()):
                one.client.delete_blob(one.prefix + name)
            one.before = after


def _volume(path: str) -> str:
    """The volume of a path, `CATALOG/SCHEMA/VOLUME`."""
    return "/".join(path.removeprefix(VOLUMES).split("/")[:3])


def _files(folder: Path) -> Iterator[tuple[str, int]]:
    """The names of all files with the times of their last change."""
    for path in folder.rglob("*"):
        if path.is_file():
            yield str(path.relative_to(folder)), path.stat().st_mtime_ns


def _mounted(world: World, place: Path, url: str, writable: bool) -> _Mounted:  # noqa: FBT001 - one of its fields
    found = URL.fullmatch(url)
    if found is None:
        raise TaskFailedError(f"INVALID_STATE: '{url}' is no place in a lake.")
    client = client_with(found[2], found[1], _connector_token(world, url))
    return _Mounted(place, client, (found[3] or "/").strip("/") + "/", writable)


def _connector_token(world: World, url: str) -> str:
    """A token of the access connector behind the external location that contains `url`; raises `TaskFailedError`."""
    location = covering(world, url)
    if location is None:
        raise TaskFailedError(f"PERMISSION_DENIED: no external location covers '{url}'.")
    name = location.inputs["name"]
    credential = world.get(f"/metastore/storageCredential/{location.inputs['credentialName']}")
    connector = world.get(credential.inputs["azureManagedIdentity"]["accessConnectorId"]) if credential else None
    if connector is None:
        raise TaskFailedError(f"INVALID_STATE: the credential of External Location '{name}' leads nowhere.")
    return issue(world, connector.outputs["identity"]["principalId"], STORAGE)[0]


def client_with(account: str, name: str, token: str) -> Any:
    """A client of a container with a given token."""
    from azure.core.credentials import AccessToken
    from azure.storage.blob import ContainerClient

    class Known:
        """A credential with this token."""

        def get_token(self, *_: str, **__: object) -> AccessToken:
            return AccessToken(token, 2**40)

    return ContainerClient(f"https://{account}.blob.core.windows.net", name, credential=Known())


def _library() -> Path:
    """The library, compiled at its first use and kept in the cache."""
    content = b"".join(file.read_bytes() for file in sorted(LIBRARY.glob("*.[ch]")))
    digits = hashlib.sha256(content + repr(OPTIONS).encode()).hexdigest()[:16]
    wanted = cache_folder() / "simulation" / f"volumes-{digits}.so"
    if wanted.exists():
        return wanted
    if shutil.which("cc") is None:
        raise VolumesError("Simulated volumes need a C compiler, and there is no `cc` here. Install `gcc`.")
    wanted.parent.mkdir(parents=True, exist_ok=True)
    aside = wanted.with_suffix(f".{os.getpid()}")
    command = ["cc", *OPTIONS, *(str(LIBRARY / name) for name in SOURCES), "-o", str(aside), "-ldl"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise VolumesError(f"The C compiler refused the simulated volumes: {done.stderr.strip()[:500]}")
    aside.rename(wanted)
    return wanted
