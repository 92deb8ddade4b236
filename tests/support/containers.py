"""Images of the scoring service, built from its Dockerfile without a Docker engine and run like a pod's container.

Debian's buildah builds them: on the recipe's own bases where `PERSONALIZATION_IMAGE_BASES=pulled` says that their
registry can be reached, else the one without Java on a Debian that debootstrap makes. They are run by the kernel's own
means: own processes and mounts, a root that is read-only, the image's user, and no way to more rights.
"""

import json
import os
import re
import shlex
import shutil
import subprocess
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import psutil

from features.bundle import checked_hash
from infra.workload.names import KEYS_FILE, SECRETS_FOLDER
from scoring.engines import EngineName
from steps.image_content import DOCKERFILE, RECIPE, build_context, serving_code_hash
from steps.serving_image import Inputs
from tests.support.services import KEY, RunningService, started_service
from tools.paths import ROOT

PULLED = os.environ.get("PERSONALIZATION_IMAGE_BASES") == "pulled"
TOOLS = ("buildah", "unshare", "setpriv", *(() if PULLED else ("debootstrap",)))
BASE_IMAGE = r"^FROM (\S+@sha256:[0-9a-f]{64}) AS base$"
"""The line of the Dockerfile's stage with its base image."""
DEBIAN = "bookworm"
DEBIAN_ARCHIVE = "http://deb.debian.org/debian"
OF_BASE = "python3,python3-venv,ca-certificates"
"""Packages that Microsoft's Python image has too."""
TRUSTED = Path("etc", "ssl", "certs", "ca-certificates.crt")
DEBIAN_BASE = "localhost/base"

ENTER = f"""
set -e
root=$1 secrets=$2 user=$3; shift 3
mount --bind "$root" "$root"
mkdir -p "$root{SECRETS_FOLDER}"
: >> "$root/etc/hosts"
mount -o remount,bind,ro "$root"
mount --bind /etc/hosts "$root/etc/hosts"
mount -t proc proc "$root/proc"
mount -t tmpfs tmpfs "$root/tmp"
mount -t tmpfs tmpfs "$root/dev"
for device in null zero random urandom; do
    : > "$root/dev/$device"
    mount --bind "/dev/$device" "$root/dev/$device"
done
ln -s /proc/self/fd "$root/dev/fd"
mkdir -m 1777 "$root/dev/shm"
mount -t tmpfs -o size=64m tmpfs "$root/dev/shm"
mount --bind "$secrets" "$root{SECRETS_FOLDER}"
mount -o remount,bind,ro "$root{SECRETS_FOLDER}"
exec setpriv --no-new-privs chroot --userspec="$user" --groups= "$root" "$@"
"""
"""Becomes the first process of a container: its mounts are those of the pod in `infra/workload/deployment.py`."""


def what_is_missing() -> str | None:
    """Why no image can be built and run on this machine, or None."""
    if os.getuid() != 0:
        return "debootstrap and mounts need root"
    missing = [tool for tool in TOOLS if shutil.which(tool) is None]
    return f"{', '.join(missing)} missing: apt-get install buildah debootstrap" if missing else None


@dataclass(frozen=True, kw_only=True)
class Image:
    """An image with its files laid out in the folder `root`."""

    root: Path
    entry_point: tuple[str, ...]
    variables: dict[str, str]
    user: str
    working_folder: str

    @property
    def size(self) -> int:
        """The size of its files on disk, in bytes."""
        counted = subprocess.run(["du", "-s", "-B1", self.root], capture_output=True, text=True, check=True)
        return int(counted.stdout.split()[0])


class ImageBuilder:
    """Builds images in its own store, the new folder `place`."""

    def __init__(self, place: Path) -> None:
        self._place = place

    def build(self, bundle: Path, engine: EngineName, *, name: str = "clicks", version: int = 7) -> Image:
        """The image that serves a bundle with `engine`."""
        inputs = Inputs(
            registry=name,
            version=version,
            bundle_hash=checked_hash(bundle),
            code_hash=serving_code_hash(ROOT),
            libraries={},
        )
        with build_context(ROOT, bundle, inputs, target=engine) as context:
            if not PULLED:
                self._put_on_debian(context.folder / DOCKERFILE)
            tag = f"localhost/{context.tag}"
            self._buildah("bud", "--target", context.target, "--tag", tag, str(context.folder))
        return self.laid_out(tag)

    def laid_out(self, tag: str) -> Image:
        """An image of the store."""
        container = self._buildah("from", tag)
        config: dict[str, Any] = json.loads(self._buildah("inspect", container))["OCIv1"]["config"]
        return Image(
            root=Path(self._buildah("mount", container)),
            entry_point=tuple(config.get("Entrypoint", ())),
            variables=dict(variable.split("=", 1) for variable in config.get("Env", ())),
            user=config.get("User", ""),
            working_folder=config.get("WorkingDir", "/"),
        )

    @cached_property
    def base(self) -> str:
        """The base image: the Dockerfile's, or a Debian with Python and this machine's certificate authorities."""
        if PULLED:
            (pulled,) = re.findall(BASE_IMAGE, (ROOT / RECIPE).read_text(), re.MULTILINE)
            return str(pulled)
        root = self._place / "debian"
        _run("debootstrap", "--variant=minbase", f"--include={OF_BASE}", DEBIAN, str(root), DEBIAN_ARCHIVE)
        shutil.copyfile(Path("/") / TRUSTED, root / TRUSTED)
        container = self._buildah("from", "scratch")
        self._buildah("add", "--quiet", container, str(root), "/")
        shutil.rmtree(root)
        self._buildah("commit", "--quiet", container, DEBIAN_BASE)
        return DEBIAN_BASE

    def _put_on_debian(self, recipe: Path) -> None:
        based, replaced = re.subn(BASE_IMAGE, f"FROM {self.base} AS base", recipe.read_text(), flags=re.MULTILINE)
        assert replaced == 1, "The recipe's stage `base` does not stand on an image by its digest."
        recipe.write_text(based)

    def _buildah(self, command: str, *arguments: str) -> str:
        store = ["--root", str(self._place / "store"), "--runroot", str(self._place / "run")]
        isolated = ["--isolation", "chroot"] if command in {"bud", "run"} else []
        return _run("buildah", *store, "--storage-driver", "vfs", command, *isolated, *arguments)


@contextmanager
def running_container(image: Image, folder: Path, *, arguments: Sequence[str] = ()) -> Iterator[RunningService]:
    """Run the image's entry point with its keys in `folder / "secrets"` until the block ends."""
    secrets = folder / "secrets"
    secrets.mkdir()
    (secrets / Path(KEYS_FILE).name).write_text(f"{KEY}\n")
    within = ["env", f"--chdir={image.working_folder}", *image.entry_point, "--keys-file", KEYS_FILE, "--port", "0"]
    command = [
        *("env", "-i", *(f"{name}={value}" for name, value in image.variables.items())),
        *("unshare", "--mount", "--pid", "--fork", "--kill-child"),
        *("sh", "-c", ENTER, "sh", str(image.root), str(secrets), image.user),
        *within,
        *arguments,
    ]
    with started_service(command, log_file=folder / "log", keys_file=secrets / "keys") as running:
        try:
            yield running
        finally:
            # The kernel drops the parent-death signal when the child changes its user.
            for first in psutil.Process(running.process.pid).children() if running.process.poll() is None else []:
                first.kill()


def first_process(container: RunningService) -> psutil.Process:
    """The process that a container runtime would signal to stop."""
    (first,) = psutil.Process(container.process.pid).children()
    return first


def _run(*command: str) -> str:
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, f"{shlex.join(command)}\n{done.stdout[-2000:]}{done.stderr[-4000:]}"
    return done.stdout.strip()
