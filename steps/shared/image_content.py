"""The content of an image, the same on every target: the serving code, one model, and their versions."""

import hashlib
import json
import shutil
from collections.abc import Iterator
from pathlib import Path

from features.bundle import checked_hash
from features.errors import PersonalizationError
from features.files import sha256
from steps.descriptions.serving_image import Inputs
from tools.paths import ROOT
from training.stages.provenance import code_hash, source_files

SERVING_PACKAGES = ("features", "recommend", "scoring")


class CodeChangedError(PersonalizationError):
    """The serving code was edited during the build of its image."""


def serving_code_hash(root: Path = ROOT) -> str:
    """The hash of the serving code, 64 hexadecimal digits."""
    return code_hash(SERVING_PACKAGES, root)


def fill(image: Path, code: Path, bundle: Path, inputs: Inputs[str, int]) -> None:
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
