"""The content of an image, the same on every target: the serving code, one model, and their versions.

On Azure the image is built from it: the build context is an allow-list of files, packed reproducibly.
"""

import gzip
import hashlib
import json
import re
import shutil
import tarfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

from features.bundle import checked_hash
from features.errors import PersonalizationError
from features.files import sha256
from tools.paths import ROOT
from training.provenance import code_hash, source_files

if TYPE_CHECKING:
    from steps.serving_image import Inputs


RECIPE = Path("scoring", "Dockerfile")
BASE = re.compile(r"^FROM (\S+@sha256:[0-9a-f]{64})\b", re.MULTILINE)
SERVING_PACKAGES = ("features", "recommend", "scoring")
DOCKERFILE = "Dockerfile"
PROJECT_FILES = ("pyproject.toml", "uv.lock", "README.md", "LICENSE", "training/jars.json")
"""For installing the libraries in locked versions; the build system reads README and LICENSE."""
TAG_DIGITS = 32


class CodeChangedError(PersonalizationError):
    """The serving code was edited during the build of its image."""


@dataclass(frozen=True)
class BuildContext:
    """A folder with everything that the build may read, and the stage of the Dockerfile to build."""

    folder: Path
    target: str

    @cached_property
    def tag(self) -> str:
        """The stage and the first digits of the content's hash."""
        digits = image_digest(self.folder).removeprefix("sha256:")[:TAG_DIGITS]
        return f"{self.target}-{digits}"

    def pack(self, archive: Path) -> None:
        """Write it as a gzipped tar that depends only on names and contents."""
        with (
            archive.open("wb") as raw,
            gzip.GzipFile(filename="", mode="wb", fileobj=raw, mtime=0) as packed,
            tarfile.open(fileobj=packed, mode="w", format=tarfile.PAX_FORMAT) as tar,
        ):
            for file in files_of(self.folder):
                entry = tarfile.TarInfo(file.relative_to(self.folder).as_posix())
                entry.size = file.stat().st_size
                with file.open("rb") as stream:
                    tar.addfile(entry, stream)


def serving_code_hash(root: Path = ROOT) -> str:
    """The hash of the serving code, 64 hexadecimal digits."""
    return code_hash(SERVING_PACKAGES, root)


def fill(image: Path, code: Path, bundle: Path, inputs: "Inputs") -> None:
    """Put `model`, `app` and `image.json` into the new folder `image`; `code` holds the serving packages.

    Raises `BundleError` if the bundle is incomplete, `CodeChangedError` if the code's hash differs from the inputs'.
    """
    checked_hash(bundle)
    shutil.copytree(bundle, image / "model")
    for file in source_files(SERVING_PACKAGES, code):
        target = image / "app" / file.relative_to(code)
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(file, target)
    if serving_code_hash(code) != inputs.code_hash:
        raise CodeChangedError("The serving code was edited during the build of its image. Run `up` again.")
    facts = {
        "model_name": inputs.registry,
        "model_version": inputs.version,
        "bundle_hash": inputs.bundle_hash,
        "code_hash": inputs.code_hash,
    }
    (image / "image.json").write_text(json.dumps(facts, indent=2) + "\n")


def image_digest(image: Path) -> str:
    """`sha256:` and 64 hexadecimal digits: the hash of all files' names and contents, without compiled Python."""
    digest = hashlib.sha256()
    for file in files_of(image):
        digest.update(f"{file.relative_to(image).as_posix()} {sha256(file)}\n".encode())
    return f"sha256:{digest.hexdigest()}"


def files_of(image: Path) -> Iterator[Path]:
    """Its files in a stable order, without compiled Python."""
    return (file for file in sorted(image.rglob("*")) if file.is_file() and file.suffix != ".pyc")


def base_images(root: Path = ROOT) -> tuple[str, ...]:
    """The references by digest in the `FROM` lines of the Dockerfile in `root`."""
    return tuple(BASE.findall((root / RECIPE).read_text(encoding="utf-8")))


@contextmanager
def build_context(code: Path, bundle: Path, inputs: "Inputs", *, target: str) -> Iterator[BuildContext]:
    """The context of one model and the serving code in `code`, deleted at the end of the block.

    Raises `BundleError` or `CodeChangedError`.
    """
    with TemporaryDirectory(prefix="image-") as place:
        folder = Path(place) / "context"
        fill(folder, code, bundle, inputs)
        shutil.copyfile(code / RECIPE, folder / DOCKERFILE)
        for name in PROJECT_FILES:
            shutil.copyfile(code / name, folder / Path(name).name)
        yield BuildContext(folder, target)
