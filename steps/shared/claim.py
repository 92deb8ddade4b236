"""Which resource owns a folder that several may find by its content.

After a failed update the engine may keep an old resource for later deletion while a new one has adopted the same
folder; only the one that claimed it last may delete it.
"""

import uuid
from pathlib import Path


def claim(folder: Path) -> str:
    """Make the caller the owner of `folder` and return the proof."""
    proof = uuid.uuid4().hex
    file = _file(folder)
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(proof)
    return proof


def owns(folder: Path, proof: str) -> bool:
    """Whether nobody has claimed `folder` after the one with this proof."""
    file = _file(folder)
    return not file.is_file() or file.read_text() == proof


def release(folder: Path) -> None:
    """Forget who owns `folder`."""
    _file(folder).unlink(missing_ok=True)


def _file(folder: Path) -> Path:
    return folder.with_name(f".{folder.name}.owner")
