"""Which snapshots a version of a stack on Azure has: one small file, `CURRENT`, which is replaced whole, in a folder of
the lake that is named by the hash of the version's bundle.

A snapshot lies beside these folders in one that is named by the hash of its content, and never changes. So a reader of
`CURRENT` gets either what it names, or an error because newer ones have replaced it.
"""

import msgspec

from recommend.stored import SnapshotError

CURRENT = "current.json"
RECORD = "snapshots.json"
"""The file beside a run's result in which the run names what it has made."""
LISTED = "listed"
"""The file beside histories that says which version of the list of forgotten users their run has read."""
Published = dict[str, str]
"""The SHA-256 of each file, 64 hexadecimal digits, by the file's name. Without histories no user is known."""


def place(name: str, digest: str) -> str:
    """The path of a snapshot's file beside the versions' folders."""
    return f"{digest}/{name}"


def encode(published: Published) -> bytes:
    """The content of `CURRENT`."""
    return msgspec.json.encode(published, order="sorted")


def decode(content: bytes) -> Published:
    """What `CURRENT` names; raises `SnapshotError` if its content is not right."""
    try:
        return msgspec.json.decode(content, type=Published)
    except (msgspec.DecodeError, ValueError) as error:
        raise SnapshotError(f"{CURRENT} in the lake is not right: {error}. Train again.") from error
