"""The simulated cloud's record of what exists, in its own file. It's independent of Pulumi's state, so that drift and
leaks show.

Several processes share a record (both plugins, the fakes, the test), so each step of the simulation is one transaction.
Operations that take time need no threads: a resource is written at once, with the time when it will be ready. So they
continue if the client is killed, as in Azure.
"""

import json
import os
import sqlite3
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from features.errors import PersonalizationError

WORLD_VARIABLE = "SIMULATED_AZURE"
"""The environment variable with the folder of a process's `World`."""
LOCK_WAIT_SECONDS = 30.0
DAY_SECONDS = 86_400.0
SCHEMA = """
CREATE TABLE IF NOT EXISTS resources(
    key TEXT PRIMARY KEY, id TEXT, type TEXT, inputs TEXT, outputs TEXT, created REAL, ready REAL, deleting INTEGER);
CREATE TABLE IF NOT EXISTS graves(key TEXT PRIMARY KEY, type TEXT, until REAL);
CREATE TABLE IF NOT EXISTS settings(name TEXT PRIMARY KEY, value TEXT);
CREATE TABLE IF NOT EXISTS calls(
    number INTEGER PRIMARY KEY AUTOINCREMENT, at REAL, operation TEXT, type TEXT, id TEXT, outcome TEXT);
CREATE TABLE IF NOT EXISTS faults(
    number INTEGER PRIMARY KEY AUTOINCREMENT, pattern TEXT, nth INTEGER, kind TEXT, seconds REAL, seen INTEGER);
"""
COLUMNS = "id, type, inputs, outputs, created, ready, deleting"
ALIVE = "NOT (deleting AND ready <= ?)"


class RefusedError(PersonalizationError):
    """How the simulated cloud says no, with Azure's status and code where they are known."""

    def __init__(self, status: int, code: str, message: str) -> None:
        """`status` is HTTP's, `code` the service's own word for the cause."""
        super().__init__(f'Status={status} Code="{code}" Message="{message}"')
        self.status = status
        self.code = code
        self.message = message


@dataclass(frozen=True)
class Record:
    """A resource that exists. `inputs` were requested, `outputs` were added by the service."""

    id: str
    type: str
    inputs: dict[str, Any]
    outputs: dict[str, Any]
    created: float
    ready: float
    """When its running operation ends, in seconds since the epoch."""
    deleting: bool = False
    """Whether that operation is its deletion."""


class World:
    """One cloud. Ids are compared case-insensitively, as in Azure."""

    def __init__(self, folder: Path) -> None:
        """Opens the record in `folder`, or creates an empty one."""
        folder.mkdir(parents=True, exist_ok=True)
        self.folder = folder
        self._one_at_a_time = threading.Lock()
        self.database = sqlite3.connect(
            folder / "world.sqlite", timeout=LOCK_WAIT_SECONDS, isolation_level=None, check_same_thread=False
        )
        self.database.execute("PRAGMA journal_mode=WAL")
        self.database.execute("PRAGMA synchronous=OFF")  # it must survive processes, not power cuts
        self.database.executescript(SCHEMA)

    def close(self) -> None:
        self.database.close()

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """All or nothing, with no other process or thread in between. A plugin's calls share the connection."""
        with self._one_at_a_time:
            self.database.execute("BEGIN IMMEDIATE")
            try:
                yield
            except BaseException:
                self.database.execute("ROLLBACK")
                raise
            self.database.execute("COMMIT")

    def get(self, identity: str) -> Record | None:
        """The resource with this id, if it exists."""
        row = self.database.execute(
            f"SELECT {COLUMNS} FROM resources WHERE key = ? AND {ALIVE}",  # noqa: S608 - our own constants
            (key_of(identity), time.time()),
        ).fetchone()
        return _record(row) if row else None

    def put(self, record: Record) -> None:
        """Write a resource, new or changed."""
        self.database.execute(
            "INSERT OR REPLACE INTO resources VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
            (
                key_of(record.id),
                record.id,
                record.type,
                json.dumps(record.inputs),
                json.dumps(record.outputs),
                record.created,
                record.ready,
                record.deleting,
            ),
        )

    def remove(self, identity: str, ready: float = 0.0) -> list[Record]:
        """Delete a resource and its contents from the time `ready` on; returns everything that was deleted."""
        going = self.under(identity)
        for record in going:
            self.put(replace(record, ready=ready, deleting=True))
        return going

    def all(self, kind: str | None = None) -> list[Record]:
        """Everything that exists, oldest first; only resources of the type `kind` if given."""
        rows = self.database.execute(
            f"SELECT {COLUMNS} FROM resources WHERE {ALIVE} AND (? IS NULL OR type = ?) "  # noqa: S608 - our constants
            "ORDER BY created, key",
            (time.time(), kind, kind),
        )
        return [_record(row) for row in rows]

    def named(self, kind: str, host: str) -> Record:
        """The resource of a type with this name, or at the host that begins with it. Raises `RefusedError`."""
        name = host.partition(".")[0]
        found = (record for record in self.all(kind) if record.id.endswith(f"/{name}") and not record.deleting)
        for record in found:
            return record
        raise RefusedError(404, "ResourceNotFound", f"There is no {kind} '{name}'.")

    def under(self, identity: str) -> list[Record]:
        """The resource `identity` (such as a resource group or an account) and its contents."""
        prefix = key_of(identity)
        return [
            record for record in self.all() if key_of(record.id) == prefix or key_of(record.id).startswith(prefix + "/")
        ]

    def bury(self, identity: str, kind: str, days: float) -> None:
        """Reserve a deleted resource's name for `days`."""
        self.database.execute(
            "INSERT OR REPLACE INTO graves VALUES (?, ?, ?)",
            (key_of(identity), kind, time.time() + days * DAY_SECONDS),
        )

    def buried(self, kind: str) -> list[str]:
        """Ids (lower case) of the soft-deleted resources of a type."""
        rows = self.database.execute("SELECT key FROM graves WHERE type = ? AND until > ?", (kind, time.time()))
        return [row[0] for row in rows]

    def taken_names(self, kind: str) -> set[str]:
        """Names, in lower case, that are taken for a type whose names are global."""
        taken = {record.id.rpartition("/")[2].lower() for record in self.all(kind)}
        return taken | {key.rpartition("/")[2] for key in self.buried(kind)}

    def purge(self, identity: str) -> None:
        self.database.execute("DELETE FROM graves WHERE key = ?", (key_of(identity),))

    def set(self, name: str, value: Any) -> None:
        """Store a setting of the simulation (any JSON value)."""
        self.database.execute("INSERT OR REPLACE INTO settings VALUES (?, ?)", (name, json.dumps(value)))

    def take(self, name: str) -> str:
        """Takes the first outcome from a setting that lists them; empty if there is none."""
        first, *rest = self.setting(name) or [""]
        self.set(name, rest)
        return str(first)

    def setting(self, name: str) -> Any:
        """A setting's value, or its default. Raises `KeyError` for an unknown name."""
        row = self.database.execute("SELECT value FROM settings WHERE name = ?", (name,)).fetchone()
        return json.loads(row[0]) if row else DEFAULTS[name]


DEFAULTS: Mapping[str, Any] = {
    "subscription": "11111111-1111-4111-8111-111111111111",
    "tenant": "22222222-2222-4222-8222-222222222222",
    "caller": "33333333-3333-4333-8333-333333333333",
    "deployers": [
        {"object_id": "33333333-3333-4333-8333-333333333333", "type": "User"},
        {"object_id": "44444444-4444-4444-8444-444444444444", "type": "ServicePrincipal"},
    ],
    "place": "",  # id of the network that deployers are in; empty for the internet
    "pace": 0.0,  # real seconds for each second that Azure would take
    "clients": {},  # a workflow's application: client id to object id
    # Contributor and Role Based Access Control Administrator, on the subscription.
    "deployer_roles": ["b24988ac-6180-42a0-ab88-20f7382dd24c", "f58310d9-a9f6-439a-9e8d-f62e7b41a168"],
    "services_late": {},  # how many times the directory does not know a service yet, by its audience
    "token_key": "",  # created with the first token
    "propagation_seconds": 120.0,  # until a role assignment takes effect
    "replication_seconds": 60.0,  # until a new principal is found without its type, or a new role at all
    "registered_providers": None,  # None: all; else a list of namespaces
    "swept": [],  # ids that were deleted only with their resource group
    "kubernetes": {},  # server and certificate authority of the control plane behind AKS
    "tasks_allowed": True,  # whether the subscription may use ACR Tasks
    "ml_assets": {},  # what Azure ML received, by workspace, kind, name and version
    "images": {},  # what ACR Tasks built, by digest
    "build_outcomes": [],  # results of the next builds: "" or "fail"
    "run_outcomes": [],  # results of the next job runs: "", "fail", "hang"
    "members": {},  # Databricks workspace id: object ids that have signed in before somebody added them
    "next_number": 1000,  # the last number that a service gave out
    # Privileges of a workspace's admins in the metastore if Databricks enabled the workspace automatically; None if
    # they may not even read them.
    "admin_privileges": ["CREATE_CATALOG", "CREATE_EXTERNAL_LOCATION", "CREATE_STORAGE_CREDENTIAL"],
    "metastore_late": 0,  # how many requests a workspace answers before its metastore is assigned
    "metastore": True,  # whether a Unity Catalog metastore is assigned in the region
}


def world_from_environment() -> World:
    """This process's record. Raises `RefusedError` if the environment names none."""
    folder = os.environ.get(WORLD_VARIABLE)
    if folder is None:
        raise RefusedError(0, "NoWorld", f"{WORLD_VARIABLE} must name the folder of the simulated cloud's record.")
    return World(Path(folder))


def key_of(identity: str) -> str:
    """An id in normal form, for comparison."""
    return "/" + identity.strip("/").lower()


def _record(row: tuple[Any, ...]) -> Record:
    return Record(row[0], row[1], json.loads(row[2]), json.loads(row[3]), row[4], row[5], bool(row[6]))
