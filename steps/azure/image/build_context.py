"""The build context of an image: an allow-list of files, packed reproducibly."""

import gzip
import shutil
import tarfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from tempfile import TemporaryDirectory

from steps.descriptions.serving_image import Inputs
from steps.shared.base_images import RECIPE
from steps.shared.image_content import files_of, fill, image_digest

DOCKERFILE = "Dockerfile"
PROJECT_FILES = ("pyproject.toml", "uv.lock", "README.md", "LICENSE", "training/jars.json")
"""For installing the libraries in locked versions; the build system reads README and LICENSE."""
TAG_DIGITS = 32


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


@contextmanager
def build_context(code: Path, bundle: Path, inputs: Inputs[str, int], *, target: str) -> Iterator[BuildContext]:
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
