"""Which resource owns a folder that several resources may share, because it is named by its content.

After a failed update the engine may keep an old resource for later deletion while a new one uses the same folder. Only
the last owner may delete it.
"""

import uuid
from pathlib import Path


def claim(folder: Path) -> str:
    """Make the caller the owner of `folder`, and return the proof."""
    proof = uuid.uuid4().hex
    file = _file(folder)
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(proof)
    return proof


def owns(folder: Path, proof: str) -> bool:
    """Whether the owner of this proof still owns `folder`."""
    file = _file(folder)
    return not file.is_file() or file.read_text() == proof


def release(folder: Path) -> None:
    """Remove the record of who owns `folder`."""
    _file(folder).unlink(missing_ok=True)


def _file(folder: Path) -> Path:
    return folder.with_name(f".{folder.name}.owner")
