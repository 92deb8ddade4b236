"""The library that gives a simulated job's processes `/Volumes`, compiled from the C files here at its first use."""

import hashlib
import os
import shutil
import subprocess
from collections.abc import Mapping
from pathlib import Path

from features.errors import PersonalizationError
from tools.paths import cache_folder

FOLDER = Path(__file__).parent
SOURCES = ("files.c", "paths.c")
OPTIONS = ("-O2", "-Wall", "-Werror", "-Wno-nonnull-compare", "-shared", "-fPIC")


class VolumesError(PersonalizationError):
    """This machine can't simulate volumes."""


def environment(root: Path, rules: Mapping[str, str]) -> dict[str, str]:
    """Variables with which a process and its children find the folder `root` at `/Volumes`.

    `rules` has `r`, `rw` or nothing for each volume, by `CATALOG/SCHEMA/VOLUME`. Raises `VolumesError`.
    """
    return {
        "LD_PRELOAD": str(library()),
        "SIMULATED_VOLUMES": str(root.resolve()),
        "SIMULATED_VOLUME_RULES": "".join(f"/{volume}={allowed}," for volume, allowed in rules.items()),
    }


def library() -> Path:
    """The compiled library, from the cache."""
    content = b"".join(file.read_bytes() for file in sorted(FOLDER.glob("*.[ch]")))
    digits = hashlib.sha256(content + repr(OPTIONS).encode()).hexdigest()[:16]
    wanted = cache_folder() / "simulation" / f"volumes-{digits}.so"
    if wanted.exists():
        return wanted
    if shutil.which("cc") is None:
        raise VolumesError("Simulated volumes need a C compiler, and there is no `cc` here. Install `gcc`.")
    wanted.parent.mkdir(parents=True, exist_ok=True)
    aside = wanted.with_suffix(f".{os.getpid()}")
    command = ["cc", *OPTIONS, *(str(FOLDER / name) for name in SOURCES), "-o", str(aside), "-ldl"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise VolumesError(f"The C compiler refused the simulated volumes: {done.stderr.strip()[:500]}")
    aside.rename(wanted)
    return wanted
