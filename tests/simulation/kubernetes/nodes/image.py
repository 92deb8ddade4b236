"""An image of the scoring service as a folder: what its Dockerfile copies, and the command of its entry point."""

import json
import re
import shutil
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

from scoring.engines import EngineName
from steps.azure.image.build_context import DOCKERFILE, build_context
from steps.descriptions.serving_image import Inputs
from steps.shared.image_content import serving_code_hash
from tools.paths import ROOT

ENTRY_POINT = re.compile(r"^ENTRYPOINT (\[.*\])$", re.MULTILINE)
IMAGE_FOLDER = "/service"
"""Where the Dockerfile puts `app`, `model` and `image.json`, which are at the root of its build context."""
EVERYWHERE = "0.0.0.0"  # noqa: S104 - what stands in a manifest, to be replaced


def entry_point(image: Path) -> list[str]:
    """The command of the image's first entry point, with this Python; it runs in `image / "app"`."""
    recipe = (image / DOCKERFILE).read_text(encoding="utf-8")
    _, *arguments = json.loads(ENTRY_POINT.findall(recipe)[0])
    return [sys.executable, *(str(image) if part == IMAGE_FOLDER else part for part in arguments)]


def build(folder: Path, bundle: Path, bundle_hash: str, version: int) -> Path:
    """Build the image of a model from the serving code of this tree, as the new folder `folder`."""
    inputs = Inputs(
        registry="ctr", version=version, bundle_hash=bundle_hash, code_hash=serving_code_hash(ROOT), libraries={}
    )
    with build_context(ROOT, bundle, inputs, target=EngineName.LIGHTGBM) as context:
        shutil.copytree(context.folder, folder)
    return folder


def placed(arguments: Sequence[str], mounts: Mapping[str, Path], address: str) -> list[str]:
    """A container's arguments for a plain process: mounts become folders, and it gets an address of its own."""
    return [_placed(argument, mounts, address) for argument in arguments]


def _placed(argument: str, mounts: Mapping[str, Path], address: str) -> str:
    for path, folder in mounts.items():
        if argument.startswith(f"{path}/"):
            return str(folder / argument.removeprefix(f"{path}/"))
    return address if argument == EVERYWHERE else argument
