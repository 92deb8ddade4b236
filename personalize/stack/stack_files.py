"""The files of one stack on this machine: the passphrase, and the copy of the stack file that Pulumi works with.

The committed stack file stays as it is. Pulumi writes how secrets are encrypted into the stack file it is given, so it
gets a copy; what a command sets for this machine alone (`serve`) lies beside it and wins over the committed one.
"""

import secrets
import shutil
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

import yaml

from features.files import write_private
from personalize.errors import PassphraseLostError, StackFileInvalidError, StackFileMissingError
from tools.paths import ROOT, state_folder

ENCRYPTION = ("encryptionsalt", "secretsprovider", "encryptedkey")
"""What Pulumi writes into a stack file about how its secrets are encrypted; none of it is secret itself."""
HEADER = "# Made from {source} on every run: edit that one.\n"


class StackFiles:
    """Where the files of a stack are, and how they are written: aside and then renamed, for the owner alone."""

    def __init__(self, stack: str, source: Path | None = None) -> None:
        self.stack = stack
        self.source = source or ROOT / f"Pulumi.{stack}.yaml"
        self.folder = state_folder(stack)
        self.state = self.folder / "state"
        self.passphrase = self.folder / "passphrase"
        self.copy = self.folder / "stack.yaml"
        self.overrides = self.folder / "overrides.yaml"

    def create_folders(self) -> None:
        """Make the stack's folders; only the owner may look inside."""
        self.folder.parent.mkdir(mode=0o700, exist_ok=True)
        self.folder.mkdir(mode=0o700, exist_ok=True)
        self.state.mkdir(mode=0o700, exist_ok=True)

    def delete(self) -> None:
        """Remove the stack's folder, and the folder of all stacks with the last one."""
        shutil.rmtree(self.folder)
        with suppress(OSError):
            self.folder.parent.rmdir()

    def create_passphrase(self) -> None:
        """Write a new random passphrase; call it for a stack without any state only."""
        write_private(self.passphrase, secrets.token_urlsafe(32))

    def check_passphrase(self) -> None:
        """Raise `PassphraseLostError` when the passphrase file is gone or empty."""
        if self.passphrase.is_file() and self.passphrase.stat().st_size > 0:
            return
        raise PassphraseLostError(
            f"The passphrase of stack {self.stack} is gone: {self.passphrase} is missing or empty, so Pulumi can't "
            "decrypt the state. Put the file back from a backup. Without one, "
            f"`.venv/bin/personalize reset --stack {self.stack} --yes` stops what runs here and deletes the stack's "
            "folder, models too, and `.venv/bin/personalize up` starts afresh; until then the service keeps serving."
        )

    def committed(self) -> dict[str, Any]:
        """The committed stack file's content; raises when it is missing or is not a stack file."""
        if not self.source.is_file():
            raise StackFileMissingError(
                f"There is no stack {self.stack}: {self.source} does not exist. Copy Pulumi.local.yaml to that name "
                "and edit it, or leave `--stack` out."
            )
        content = _mapping(self.source)
        if not isinstance(content.get("config") or {}, dict):
            raise StackFileInvalidError(f"{self.source}: `config` must hold `key: value` lines, one per setting.")
        return content

    def render(self) -> None:
        """Bring the copy up to date: the committed content, this machine's overrides, and what encrypts secrets."""
        content = self.encryption() | self.committed() | {"config": self.effective()}
        write_private(self.copy, HEADER.format(source=self.source.name) + yaml.safe_dump(content, sort_keys=False))

    def effective(self) -> dict[str, Any]:
        """The settings by full key: the committed ones with this machine's overrides."""
        return (self.committed().get("config") or {}) | self.read_overrides()

    def deployed(self) -> dict[str, Any]:
        """The settings by full key that the last run of the engine got; empty before the first."""
        return (_mapping(self.copy).get("config") or {}) if self.copy.is_file() else {}

    def encryption(self) -> dict[str, str]:
        """How the stack's secrets are encrypted; empty before the stack was initialised."""
        found = _mapping(self.copy) if self.copy.is_file() else {}
        return {name: str(found[name]) for name in ENCRYPTION if name in found}

    def take_encryption(self, written: Path) -> None:
        """Keep what Pulumi wrote into `written` about it."""
        found = _mapping(written)
        self.keep_encryption({name: str(found[name]) for name in ENCRYPTION if name in found})

    def keep_encryption(self, values: Mapping[str, str]) -> None:
        """Write it into the copy, from which `render` takes it over."""
        if self.encryption() != dict(values):
            write_private(self.copy, yaml.safe_dump(dict(values)))

    def read_overrides(self) -> dict[str, Any]:
        """Settings of this machine alone, by full key."""
        return _mapping(self.overrides) if self.overrides.is_file() else {}

    def write_overrides(self, values: Mapping[str, Any]) -> None:
        """Replace the settings of this machine alone."""
        write_private(self.overrides, yaml.safe_dump(dict(values)))


def _mapping(path: Path) -> dict[str, Any]:
    try:
        content = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        reason = " ".join(str(error).split())
        raise StackFileInvalidError(f"{path} is not valid YAML: {reason}. Correct it and run again.") from error
    if not isinstance(content or {}, dict):
        raise StackFileInvalidError(f"{path} must hold `key: value` lines.")
    return content or {}
