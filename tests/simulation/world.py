"""The simulated cloud's own record of what exists, kept in a file of its own: not Pulumi's state, so that drift and
leaks show.

Several processes use one record at a time (both plugins, the fakes, the test), so each step of the simulation is one
transaction. Operations that take time are not threads: a resource is written at once with the moment at which it will
be ready, as Azure goes on when the client has been killed.
"""

import json
import sqlite3
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

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


@dataclass(frozen=True)
class Record:
    """A resource that exists. `inputs` are what was asked for, `outputs` what the service added."""

    id: str
    type: str
    inputs: dict[str, Any]
    outputs: dict[str, Any]
    created: float
    ready: float
    """Seconds since the epoch from which no operation is running on it."""
    deleting: bool = False
    """Whether it will be gone when it is ready."""


class World:
    """One cloud. Ids are compared without case, as Azure does."""

    def __init__(self, folder: Path) -> None:
        """Opens the record in `folder`, or starts an empty one."""
        folder.mkdir(parents=True, exist_ok=True)
        self.folder = folder
        self._one_at_a_time = threading.Lock()
        self.database = sqlite3.connect(
            folder / "world.sqlite", timeout=LOCK_WAIT_SECONDS, isolation_level=None, check_same_thread=False
        )
        self.database.execute("PRAGMA journal_mode=WAL")
        self.database.execute("PRAGMA synchronous=OFF")  # it must outlive processes, not power cuts
        self.database.executescript(SCHEMA)

    def close(self) -> None:
        """Let go of the file."""
        self.database.close()

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """All or nothing, with no other process or thread in between: a plugin's calls share the connection."""
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
        """Delete a resource and all that is inside it, from the moment `ready` on; everything that goes is returned."""
        going = self.under(identity)
        for record in going:
            self.put(replace(record, ready=ready, deleting=True))
        return going

    def all(self, kind: str | None = None) -> list[Record]:
        """Everything that exists, oldest first; only resources of the type `kind` when it is given."""
        rows = self.database.execute(
            f"SELECT {COLUMNS} FROM resources WHERE {ALIVE} AND (? IS NULL OR type = ?) "  # noqa: S608 - our constants
            "ORDER BY created, key",
            (time.time(), kind, kind),
        )
        return [_record(row) for row in rows]

    def under(self, identity: str) -> list[Record]:
        """What lies inside `identity` (a resource group, an account), itself included."""
        prefix = key_of(identity)
        return [
            record for record in self.all() if key_of(record.id) == prefix or key_of(record.id).startswith(prefix + "/")
        ]

    def bury(self, identity: str, kind: str, days: float) -> None:
        """Keep a deleted name taken for `days`."""
        self.database.execute(
            "INSERT OR REPLACE INTO graves VALUES (?, ?, ?)",
            (key_of(identity), kind, time.time() + days * DAY_SECONDS),
        )

    def buried(self, kind: str) -> list[str]:
        """Ids (lower case) of the soft-deleted resources of a type."""
        rows = self.database.execute("SELECT key FROM graves WHERE type = ? AND until > ?", (kind, time.time()))
        return [row[0] for row in rows]

    def taken_names(self, kind: str) -> set[str]:
        """Names, lower case, that nobody can have for a new resource of a type whose names are global."""
        taken = {record.id.rpartition("/")[2].lower() for record in self.all(kind)}
        taken |= {name.lower() for name in self.setting("foreign_names")}
        return taken | {key.rpartition("/")[2] for key in self.buried(kind)}

    def purge(self, identity: str) -> None:
        """Forget a soft-deleted resource."""
        self.database.execute("DELETE FROM graves WHERE key = ?", (key_of(identity),))

    def set(self, name: str, value: Any) -> None:
        """Keep a setting of the simulation (any JSON value)."""
        self.database.execute("INSERT OR REPLACE INTO settings VALUES (?, ?)", (name, json.dumps(value)))

    def setting(self, name: str) -> Any:
        """A setting's value; the default when it was never set. Raises KeyError for a name that has none."""
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
    "place": "",  # id of the network that deployers are in; empty: on the internet
    "pace": 0.0,  # real seconds for each second that Azure would take
    "clients": {},  # client id of a workflow's application: its object id
    "spent_assertions": [],  # client assertions that have ended
    # Contributor and Role Based Access Control Administrator, on the subscription.
    "deployer_roles": ["b24988ac-6180-42a0-ab88-20f7382dd24c", "f58310d9-a9f6-439a-9e8d-f62e7b41a168"],
    "token_key": "",  # made at the first token
    "token_seconds": 3600.0,  # lifetime of a token; negative: expired at once
    "propagation_seconds": 120.0,  # until a role assignment counts
    "replication_seconds": 60.0,  # until a new principal is known without its type
    "registered_providers": None,  # None: all; else a list of namespaces
    "vcpu_quota": {},  # VM family: vCPUs; a family that is not named has 100
    "foreign_names": [],  # global names that somebody else has taken
    "swept": [],  # ids that went because the group around them was deleted
    "taken_groups": [],  # resource groups that exist already, lower case
    "hosts": {},  # service: address that the fakes answer on
    "kubernetes": {},  # server, certificate authority and OIDC issuer of the control plane behind AKS
    "broken_images": [],  # image digests whose pods never become ready
    "tasks_allowed": True,  # whether the subscription may use ACR Tasks
    "restricted_sizes": [],  # VM sizes that the subscription may not use
    "ml_assets": {},  # what Azure ML was sent, by workspace, kind, name and version
    "images": {},  # what ACR Tasks built, by digest
    "build_outcomes": [],  # how the next builds end: "" or "fail"
    "run_outcomes": [],  # how the next runs of jobs end: "", "fail", "hang", "cancel", "internal_error"
    "fail_first": None,  # see `Faults.fail_first`
    "members": {},  # Databricks workspace id: object ids that have signed in
    "directory_names": [],  # users and groups that grants may name
    "next_number": 1000,  # ids that services count up
    # What the admins of a workspace may in the metastore, where Databricks enabled the workspace automatically; None
    # where they may not even ask.
    "admin_privileges": ["CREATE_CATALOG", "CREATE_EXTERNAL_LOCATION", "CREATE_STORAGE_CREDENTIAL"],
    "metastore_late": 0,  # how often a workspace is asked before its metastore is assigned
    "metastore": True,  # whether a Unity Catalog metastore is assigned in the region
}


def key_of(identity: str) -> str:
    """The form in which ids are compared."""
    return "/" + identity.strip("/").lower()


def _record(row: tuple[Any, ...]) -> Record:
    return Record(row[0], row[1], json.loads(row[2]), json.loads(row[3]), row[4], row[5], bool(row[6]))
