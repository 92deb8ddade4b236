"""The service with only the files and packages of its image: no checkout, no libraries of the tests.

`make test-full` builds the image itself, where root and Debian are available; the Python environment is the same.
"""

import os
import re
import shlex
import subprocess
from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path

import pytest

from features.bundle import Bundle
from scoring.engines import EngineName
from steps.image_content import DOCKERFILE, build_context, serving_code_hash
from steps.serving_image import Inputs
from tools.paths import ROOT
from tools.setup.uv import ensure_uv
from tools.versions import PYTHON

STAGE = re.compile(r"^FROM \S+ AS (\S+)$", re.MULTILINE)
INSTALLS = re.compile(r"^RUN /opt/uv/bin/uv sync (.*)$", re.MULTILINE)
IMPORT_ALL = """
import importlib, pathlib, sys
app = pathlib.Path.cwd()
for file in sorted((app / "scoring").rglob("*.py")):
    name = ".".join(file.relative_to(app).with_suffix("").parts)
    if not name.endswith("__main__"):
        importlib.import_module(name)
print(*(one.__file__ for one in list(sys.modules.values()) if getattr(one, "__file__", None)), sep="\\n")
"""


@pytest.fixture(scope="module")
def image(bundle: Bundle) -> Iterator[Path]:
    """What the Dockerfile copies into an image (`app`, `model`, `image.json`), and the files that it installs from."""
    inputs = Inputs(
        registry="clicks", version=7, bundle_hash=bundle.hash, code_hash=serving_code_hash(ROOT), libraries={}
    )
    with build_context(ROOT, bundle.path, inputs, target=EngineName.LIGHTGBM) as context:
        yield context.folder


def installed(stage: str, image: Path, folder: Path) -> Path:
    """Python of a new environment, installed with the command of the Dockerfile's stage."""
    recipe = (image / DOCKERFILE).read_text(encoding="utf-8")
    names = {one[1]: one.end() for one in STAGE.finditer(recipe)}
    command = INSTALLS.search(recipe, names[stage])
    assert command is not None
    options = [option for option in shlex.split(command[1]) if option not in {"--no-cache", "--system-certs"}]
    environment = os.environ | {"UV_PROJECT_ENVIRONMENT": str(folder / "venv"), "UV_PYTHON": PYTHON}
    environment.pop("VIRTUAL_ENV", None)
    subprocess.run([str(ensure_uv()), "sync", "--quiet", *options], cwd=image, env=environment, check=True)
    return folder / "venv" / "bin" / "python"


@pytest.fixture(scope="module")
def python_of(image: Path, tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Path]:
    """Python of a stage's environment, which is installed once."""
    return cache(lambda stage: installed(stage, image, tmp_path_factory.mktemp(stage)))


def run(python: Path, image: Path, *arguments: str) -> str:
    """The output of a command in the image's working folder, without this process's environment variables."""
    clean = {name: value for name, value in os.environ.items() if name in {"PATH", "HOME", "LANG"}}
    done = subprocess.run(
        [str(python), *arguments], cwd=image / "app", env=clean, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.mark.slow
def test_the_images_own_packages_score_the_golden_records(image: Path, python_of: Callable[[str], Path]) -> None:
    assert "golden records" in run(python_of("builder"), image, "-m", "scoring", "--image", str(image), "--check")


@pytest.mark.slow
def test_every_file_of_the_service_imports_what_its_image_holds(image: Path, python_of: Callable[[str], Path]) -> None:
    loaded = run(python_of("spark-builder"), image, "-c", IMPORT_ALL).split()
    assert str(image / "app" / "features" / "encoder.py") in loaded
    assert not [file for file in loaded if Path(file).is_relative_to(ROOT)]
