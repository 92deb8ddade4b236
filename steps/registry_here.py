"""The model registry: MLflow's, in a SQLite file, with the bundles beside it.

MLflow makes the database. Its import and its check of the schema take seconds of each process, so versions and the
champion are read from its tables and written to them.
"""

import json
import os
import shutil
import sqlite3
import time
import warnings
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from datetime import UTC, datetime
from importlib import import_module
from pathlib import Path
from typing import Any

from filelock import FileLock

from azure_clients.model_versions import IMPORTED, MODEL, Earlier, Version, find, tags_of
from features.bundle import Bundle, BundleError, is_whole
from features.errors import PersonalizationError
from features.files import is_inside, remove, written_aside
from training.parameters import TrainingParameters

CHAMPION = "champion"
DATABASE = "mlflow.db"
LISTED = """
SELECT version, creation_time, alias IS NOT NULL, json_group_object(key, value)
FROM model_versions
JOIN model_version_tags USING (name, version)
LEFT JOIN (SELECT * FROM registered_model_aliases WHERE alias = :champion) USING (name, version)
WHERE name = :model
GROUP BY version ORDER BY version
"""
"""Of each version: number, time of registration in ms since 1970 (UTC), whether it serves, and tags as JSON."""
NEWEST = "SELECT coalesce(max(version), 0) FROM model_versions WHERE name = :model"
CHANGED = "UPDATE registered_models SET last_updated_time = :now WHERE name = :model"
ADDED = """
INSERT INTO model_versions
    (name, version, creation_time, last_updated_time, current_stage, status, source, storage_location)
VALUES (:model, :version, :now, :now, 'None', 'READY', :source, :source)
"""
TAGGED = "INSERT INTO model_version_tags (name, version, key, value) VALUES (:model, :version, :key, :value)"
UNTAGGED = "DELETE FROM model_version_tags WHERE name = :model AND version = :version AND key = :key"
MARKED = "INSERT OR REPLACE INTO registered_model_aliases (name, alias, version) VALUES (:model, :champion, :version)"
"""As `create_model_version`, `delete_model_version_tag` and `set_registered_model_alias` of MLflow's store write."""


class RegistryError(PersonalizationError):
    """The registry is gone or can't be read."""


class LocalRegistry:
    """The registry in `folder`: `mlflow.db` and `bundles/<bundle hash>`."""

    def __init__(self, folder: Path) -> None:
        """Use `folder`, which is neither read nor written yet."""
        self._folder = folder
        self._database = folder / DATABASE

    @property
    def exists(self) -> bool:
        """Whether the database exists."""
        return self._database.is_file()

    def create(self) -> None:
        """Create an empty registry, if there is none. The database gets its name once it is complete."""
        self._folder.mkdir(parents=True, exist_ok=True)
        with self._lock():
            if self.exists:
                return
            with written_aside(self._database) as aside, _readable(aside):
                _client(aside).create_registered_model(MODEL)

    def delete(self) -> None:
        """Remove every version and every bundle. The database goes first: without it there is no registry."""
        self._database.unlink(missing_ok=True)
        shutil.rmtree(self._folder, ignore_errors=True)

    def register(self, bundle: Path, *, imported: bool = False) -> Version:
        """Copy the bundle into the registry and give it a version; a registered bundle keeps its number.

        Once this stack has trained an `imported` one, it is its own. Raises `BundleError`, and registers nothing, if
        the bundle is incomplete.
        """
        with self._lock():
            loaded = Bundle.load(bundle)
            kept = self.whole(loaded.hash, source=bundle)
            number = next((version.number for version in self.list() if version.bundle_hash == loaded.hash), None)
            if number is None:
                mark = {IMPORTED: "true"} if imported else {}
                number = self._add(kept.as_uri(), tags_of(loaded.hash, loaded.metadata) | mark)
            elif not imported:
                with self._connected() as connection:
                    connection.execute(UNTAGGED, {"model": MODEL, "version": number, "key": IMPORTED})
            return self.get(number)

    def register_imported(self, bundle: Path) -> Version:
        """Register a bundle that another stack has trained; see `register`."""
        return self.register(bundle, imported=True)

    def get(self, number: int) -> Version:
        """The version with this number; raises `NoSuchVersionError`."""
        return find(self.list(), number)

    def list(self) -> list[Version]:
        """All versions, oldest first."""
        with self._connected() as connection:
            return [_version(*row) for row in connection.execute(LISTED, {"champion": CHAMPION, "model": MODEL})]

    def set_champion(self, number: int) -> None:
        """Make a version the champion, the one that is served; raises `NoSuchVersionError`."""
        with self._lock():
            self.get(number)
            with self._connected() as connection:
                connection.execute(MARKED, {"model": MODEL, "champion": CHAMPION, "version": number})

    def get_champion(self) -> Version | None:
        """The version that is served; None before the first deployment."""
        return next((version for version in self.list() if version.champion), None)

    def earlier(self, parameters: TrainingParameters) -> Earlier:
        """The earlier versions with which a candidate with these parameters is compared."""
        return Earlier.among(self.list() if self.exists else [], parameters)

    def bundle(self, bundle_hash: str) -> Path:
        """The folder of the bundle with this hash, once it is registered."""
        return bundle_folder(self._folder, bundle_hash)

    def whole(self, bundle_hash: str, *, at: Path | None = None, source: Path | None = None) -> Path:
        """The folder of the bundle with this hash, or another one `at` which it should be. If it is missing or damaged,
        it is replaced by a copy: of the `source`, or of what the registry, a run or an image has.

        Raises `BundleError` if none of these is whole.
        """
        kept, stack = self.bundle(bundle_hash), self._folder.parent
        target = at or kept
        if not is_whole(target, bundle_hash):
            copies = [source or kept, kept, *stack.glob("runs/*/output/bundle"), *stack.glob("images/*/model")]
            found = next((one for one in copies if is_whole(one, bundle_hash)), None)
            if found is None:
                raise BundleError(
                    f"The bundle in {target} is damaged or gone, and neither a run nor an image has a whole copy. "
                    "Restore the folder from a backup, serve another version, or `reset` the stack and train again."
                )
            target.parent.mkdir(parents=True, exist_ok=True)
            with written_aside(target) as aside:
                shutil.copytree(found, aside)
                remove(target)
        return target

    def fetch(self, version: Version, target: Path) -> None:
        """Copy a version's bundle to `target`, which must not exist yet."""
        shutil.copytree(self.whole(version.bundle_hash), target)

    def read(self, versions: Sequence[Version], name: str) -> Sequence[bytes | None]:
        """A file of each version's bundle; None for one that is gone."""
        files = [self.bundle(version.bundle_hash) / name for version in versions]
        return [file.read_bytes() if file.is_file() else None for file in files]

    def check(self) -> None:
        """Raise `RegistryError` if the database is damaged; much faster than opening it with MLflow."""
        with self._connected() as connection:
            (answer,) = connection.execute("PRAGMA quick_check(1)").fetchone()
        if answer != "ok":
            raise _damaged(self._database, answer)

    def _add(self, source: str, tags: Mapping[str, str]) -> int:
        """Give a bundle at the address `source` the next version, which is returned."""
        with self._connected() as connection:
            (newest,) = connection.execute(NEWEST, {"model": MODEL}).fetchone()
            version = int(newest) + 1
            row = {"model": MODEL, "version": version, "source": source, "now": time.time_ns() // 1_000_000}
            connection.execute(CHANGED, row)
            connection.execute(ADDED, row)
            connection.executemany(TAGGED, [row | {"key": key, "value": value} for key, value in tags.items()])
        return version

    @contextmanager
    def _connected(self) -> Iterator[sqlite3.Connection]:
        """The database, in a transaction that ends with the block."""
        if not self.exists:
            raise RegistryError(
                f"The registry's file {self._database} is gone. Restore it, or run "
                "`.venv/bin/personalize up --refresh`, which makes a new one and registers the current model in it."
            )
        with _readable(self._database), closing(sqlite3.connect(self._database)) as connection, connection:
            yield connection

    def _lock(self) -> FileLock:
        return FileLock(self._folder / "lock", timeout=60)


def bundle_folder(registry: Path, bundle_hash: str) -> Path:
    """The folder of the bundle with this hash in a registry's folder; raises `RegistryError` if it isn't a name."""
    if "/" in bundle_hash or not is_inside(bundle_hash):
        raise RegistryError(f"{bundle_hash!r} is registered as a bundle's hash. Restore the registry, or train again.")
    return registry / "bundles" / bundle_hash


@contextmanager
def _readable(database: Path) -> Iterator[None]:
    """Turn SQLite's and MLflow's errors about a damaged file into a `RegistryError`."""
    try:
        yield
    except PersonalizationError:
        raise
    except Exception as error:
        if getattr(error, "sqlite_errorcode", None) == sqlite3.SQLITE_FULL:
            raise RegistryError(
                f"The disk is full, so the registry's file {database} stays as it is. Free some space and run again."
            ) from error
        raise _damaged(database, str(error).splitlines()[0]) from error


def _damaged(database: Path, reason: str) -> RegistryError:
    return RegistryError(
        f"The registry's file {database} cannot be used: {reason}. Restore it, or move it away and run "
        "`.venv/bin/personalize up --refresh`, which makes a new one and registers the current model in it."
    )


def _client(database: Path) -> Any:  # noqa: ANN401 - MLflow is imported late
    os.environ.setdefault("MLFLOW_DISABLE_TELEMETRY", "true")
    os.environ.setdefault("MLFLOW_LOGGING_LEVEL", "ERROR")
    with warnings.catch_warnings():
        # MLflow has fields with names that the pydantic of Databricks' runtime reserves.
        warnings.filterwarnings("ignore", message='Field "model_', category=UserWarning)
        tracking = import_module("mlflow.tracking")
    address = f"sqlite:///{database}"
    return tracking.MlflowClient(tracking_uri=address, registry_uri=address)


def _version(number: int, created: int, champion: int, tags: str) -> Version:
    registered = datetime.fromtimestamp(created / 1000, tz=UTC)
    return Version.of(number, json.loads(tags), champion=bool(champion), registered=registered)
