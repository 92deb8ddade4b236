"""The command of the entry point of an image of the scoring service."""

import json
import re
import sys
from pathlib import Path

from steps.azure.image.build_context import DOCKERFILE

ENTRY_POINT = re.compile(r"^ENTRYPOINT (\[.*\])$", re.MULTILINE)
IMAGE_FOLDER = "/service"
"""Where the Dockerfile puts `app`, `model` and `image.json`, which are at the root of its build context."""


def entry_point(image: Path) -> list[str]:
    """The command of the image's first entry point, with this Python; it runs in `image / "app"`."""
    recipe = (image / DOCKERFILE).read_text(encoding="utf-8")
    _, *arguments = json.loads(ENTRY_POINT.findall(recipe)[0])
    return [sys.executable, *(str(image) if part == IMAGE_FOLDER else part for part in arguments)]
