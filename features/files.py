"""Files that are whole or not there: written aside, then renamed."""

import os
from pathlib import Path


def write_private(path: Path, text: str) -> None:
    """Write `text` aside with mode 0600, then rename."""
    aside = path.with_name(f".{path.name}.{os.getpid()}")
    aside.unlink(missing_ok=True)
    with os.fdopen(os.open(aside, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w", encoding="utf-8") as stream:
        stream.write(text)
    aside.replace(path)
