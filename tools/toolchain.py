"""Which Pulumi CLI is used: the one on PATH if it is recent enough, else the one in the cache.

The set-up reads this module with the machine's own Python before any package is there, so it keeps to the standard
library.
"""

import os
import re
import shutil
import subprocess
from pathlib import Path

from features.errors import PersonalizationError
from tools.paths import cache_folder
from tools.versions import PULUMI


class PulumiMissingError(PersonalizationError):
    """No usable Pulumi CLI."""


def pulumi_command() -> Path:
    """Absolute path of the Pulumi CLI to use; in the cache it is always `<folder>/bin/pulumi`.

    Raises `PulumiMissingError` if neither PATH nor the cache has one of at least version `PULUMI`.
    """
    on_path = shutil.which("pulumi")
    found = pulumi_version(Path(on_path)) if on_path else ()
    if on_path and found >= version_numbers(PULUMI):
        return Path(on_path).absolute()
    cached = cached_pulumi()
    if os.access(cached, os.X_OK):
        return cached
    older = f" (the one on PATH is {'.'.join(map(str, found))})" if found else ""
    raise PulumiMissingError(f"there is no Pulumi CLI of at least {PULUMI}{older}; run `make setup` to get it")


def cached_pulumi() -> Path:
    """Where the set-up puts the Pulumi CLI; the folder above `bin` is a root for `PulumiCommand(root=...)`."""
    return cache_folder() / "pulumi" / f"v{PULUMI}" / "bin" / "pulumi"


def pulumi_version(command: Path) -> tuple[int, ...]:
    """Version that a Pulumi CLI reports; empty if it does not start or reports none."""
    return reported_version(str(command), "version", PULUMI_SKIP_UPDATE_CHECK="true")


def reported_version(*command: str, **variables: str) -> tuple[int, ...]:
    """Version that a command prints with these environment variables; empty if it fails, or prints none."""
    try:
        answer = subprocess.run(  # noqa: S603 - the callers' own programs
            command, capture_output=True, check=False, text=True, timeout=20, env=os.environ | variables
        )
    except (OSError, subprocess.TimeoutExpired):
        return ()
    return version_numbers(answer.stdout) if answer.returncode == 0 else ()


def version_numbers(text: str) -> tuple[int, ...]:
    """First dotted number in `text` as integers; empty if there is none."""
    match = re.search(r"\d+(?:\.\d+)+", text)
    return tuple(int(part) for part in match[0].split(".")) if match else ()
