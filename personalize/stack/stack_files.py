"""The files of one stack on this machine: its passphrase, and the copy of the stack file that Pulumi uses.

Pulumi writes into its stack file how secrets are encrypted, so it gets a copy and the committed file stays unchanged.
Settings for this machine alone (`serve`) are in a file beside the copy, and override the committed ones.
"""

import os
import secrets
import shlex
import shutil
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

import yaml

from features.errors import BadInputError, PersonalizationError
from features.files import private_folder, write_private
from features.yaml_text import load_yaml
from tools.paths import ROOT, stacks_folder, state_folder

VARIABLE = "PERSONALIZE_CONFIG_FILE"
ENCRYPTION = ("encryptionsalt", "secretsprovider", "encryptedkey")
"""What Pulumi writes into a stack file about the encryption of secrets. None of it is secret."""
MEGABYTE = 1e6
LEAST_MEGABYTES = 200
"""Free space without which no update begins: room for the state with its copies, a bundle and an image."""
HEADER = "# Written from {source} on every run: edit that file.\n"


class StackFiles:
    """The files of a stack. They are written aside, then renamed, and readable for the owner only."""

    def __init__(self, stack: str, source: Path | None = None, folder: Path | None = None) -> None:
        """`source` is the stack file, and `folder` where the others are, if not in their usual places.

        The environment variable `PERSONALIZE_CONFIG_FILE` names a stack file to use instead of `Pulumi.<stack>.yaml`.
        """
        named = os.environ.get(VARIABLE)
        self.stack = stack
        self.folder = folder or state_folder(stack)
        self.source = source or (Path(named) if named else ROOT / f"Pulumi.{stack}.yaml")
        self.state = self.folder / "state"
        self.passphrase = self.folder / "passphrase"
        self.copy = self.folder / "stack.yaml"
        self.overrides = self.folder / "overrides.yaml"
        self.lock = self.folder.with_name(f".{self.folder.name}.lock")
        """Held by the command that changes the stack: beside the folder, which `delete` renames."""

    def create_folders(self) -> None:
        """Create the stack's folders, readable for the owner only."""
        private_folder(self.state)

    def require_room(self) -> None:
        """Raise `PersonalizationError` if the disk is nearly full: a state that is cut short can't be read again."""
        there = next(one for one in (self.folder, *self.folder.parents) if one.exists())
        free = shutil.disk_usage(there).free / MEGABYTE
        if free < LEAST_MEGABYTES:
            raise PersonalizationError(
                f"The disk of {there} has {free:.0f} MB free, and this needs at least {LEAST_MEGABYTES} MB. Nothing "
                "was changed. Free some space there, then run this again."
            )

    def delete(self) -> None:
        """Delete the stack's folder; with the last stack, the folder of all stacks.

        Raises `PersonalizationError` for anything but a folder of its own beside those of other stacks.
        """
        if self.folder.is_symlink() or self.folder.resolve().parent != stacks_folder().resolve():
            raise PersonalizationError(
                f"{self.folder} is not a folder inside {stacks_folder()}, so it is not deleted. If it is a link, "
                "delete the link and the folder behind it yourself."
            )
        self.finish_deletion()
        self.folder.rename(self._deleted)
        self.lock.unlink(missing_ok=True)  # `filelock` notices it, whoever waits
        self.finish_deletion()

    def finish_deletion(self) -> None:
        """Delete what an interrupted `delete` left: it renames the folder first, so that half a stack is none."""
        if self._deleted.is_dir():
            shutil.rmtree(self._deleted)
        with suppress(OSError):
            self.folder.parent.rmdir()

    @property
    def _deleted(self) -> Path:
        """No stack has a name that starts with a dot."""
        return self.folder.with_name(f".{self.folder.name}.deleted")

    def create_passphrase(self) -> None:
        """Write a new random passphrase. Only for a stack without a state."""
        write_private(self.passphrase, secrets.token_urlsafe(32))

    def check_passphrase(self) -> None:
        """Raise `PersonalizationError` if the passphrase file is missing or empty."""
        if self.passphrase.is_file() and self.passphrase.stat().st_size > 0:
            return
        raise PersonalizationError(
            f"The passphrase of stack {self.stack} is gone: {self.passphrase} is missing or empty, so Pulumi can't "
            "decrypt the state. Restore the file from a backup. Without one, "
            f"`.venv/bin/personalize reset --stack {self.stack} --yes` stops the service and deletes the stack's "
            "folder with its models, and `.venv/bin/personalize up` starts again. Until then the service keeps serving."
        )

    def committed(self) -> dict[str, Any]:
        """The content of the committed stack file. Raises `BadInputError` or `BadInputError`."""
        if not self.source.is_file():
            if self.source != ROOT / f"Pulumi.{self.stack}.yaml":
                raise BadInputError(f"There is no stack file {self.source}, which `--config-file` or {VARIABLE} names.")
            raise BadInputError(
                f"There is no stack {self.stack}: {self.source} does not exist. Copy Pulumi.local.yaml to that name "
                "and edit it, or leave `--stack` out."
            )
        content = _mapping(self.source)
        if not isinstance(content.get("config") or {}, dict):
            raise BadInputError(f"{self.source}: `config` must hold `key: value` lines, one per setting.")
        return content

    def render(self) -> None:
        """Write the copy: the committed content, this machine's overrides, and the encryption of secrets."""
        content = self.encryption() | self.committed() | {"config": self.effective()}
        write_private(self.copy, HEADER.format(source=self.source.name) + yaml.safe_dump(content, sort_keys=False))

    def effective(self) -> dict[str, Any]:
        """The settings by full key, with this machine's overrides."""
        return (self.committed().get("config") or {}) | self.read_overrides()

    def encryption(self) -> dict[str, str]:
        """The encryption of the stack's secrets; empty before the stack is initialised."""
        found = _mapping(self.copy) if self.copy.is_file() else {}
        return {name: str(found[name]) for name in ENCRYPTION if name in found}

    def take_encryption(self, written: Path) -> None:
        """Keep the encryption that Pulumi wrote into the file `written`."""
        found = _mapping(written)
        self.keep_encryption({name: str(found[name]) for name in ENCRYPTION if name in found})

    def keep_encryption(self, values: Mapping[str, str]) -> None:
        """Write the encryption into the copy, where `render` keeps it."""
        if self.encryption() != dict(values):
            write_private(self.copy, yaml.safe_dump(dict(values)))

    def read_overrides(self) -> dict[str, Any]:
        """The settings for this machine alone, by full key."""
        return _mapping(self.overrides) if self.overrides.is_file() else {}

    @property
    def options(self) -> str:
        """The options that name this stack in a command that is shown, with a space before each."""
        stack = "" if self.stack == "local" else f" --stack {self.stack}"
        usual = self.source == ROOT / f"Pulumi.{self.stack}.yaml"
        return stack if usual else f"{stack} --config-file {shlex.quote(str(self.source))}"

    def write_overrides(self, values: Mapping[str, Any]) -> None:
        """Replace the settings for this machine alone."""
        write_private(self.overrides, yaml.safe_dump(dict(values)))


def _mapping(path: Path) -> dict[str, Any]:
    try:
        content = load_yaml(path.read_text(encoding="utf-8"))
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        reason = " ".join(str(error).split())
        raise BadInputError(f"{path} is not valid YAML: {reason}. Correct it and run again.") from error
    if not isinstance(content or {}, dict):
        raise BadInputError(f"{path} must hold `key: value` lines.")
    return content or {}
