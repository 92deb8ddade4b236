"""Plain `pulumi up`, as in the README, with Pulumi's CLI and its own Python language host."""

import os
import re
import shutil
import subprocess

import pytest

from tests.e2e.life import Life
from tests.support.checkout import Checkout, environment
from tools.toolchain import pulumi_command

LANGUAGE_HOST = "pulumi-language-python"


def has_language_host() -> bool:
    """Whether the CLI finds the language host beside itself or on PATH; a CLI built from Go modules has none."""
    beside = pulumi_command().resolve().parent / LANGUAGE_HOST
    return beside.is_file() or shutil.which(LANGUAGE_HOST) is not None


def pulumi_up(checkout: Checkout) -> str:
    """The output of `pulumi up` in a shell that has evaluated the output of `make env`."""
    script = (
        'eval "$(.venv/bin/python -m personalize.stack.shell_exports local)" && '
        "pulumi up --yes --skip-preview --color never"
    )
    ended = subprocess.run(
        ["/bin/bash", "-c", script],
        cwd=checkout.folder,
        env=environment(),
        capture_output=True,
        text=True,
        timeout=400,
        check=False,
    )
    assert ended.returncode == 0, ended.stdout + ended.stderr
    return ended.stdout


@pytest.mark.engine
@pytest.mark.spark
@pytest.mark.full
@pytest.mark.skipif(not has_language_host(), reason=f"needs {LANGUAGE_HOST}, which Pulumi's official release has")
def test_a_plain_pulumi_up_brings_up_what_personalize_does(checkout: Checkout) -> None:
    lock = (checkout.folder / "uv.lock").read_bytes()
    assert re.search(r"^ +\+ \d+ created$", pulumi_up(checkout), re.MULTILINE)
    life = Life(checkout)
    life.remember(1)
    life.predict(1)
    again = pulumi_up(checkout)
    assert re.search(r"^ +\d+ unchanged$", again, re.MULTILINE)
    assert not re.search(r"\d+ (created|updated|replaced|deleted)", again)
    life.second_up()
    assert (checkout.folder / "uv.lock").read_bytes() == lock
    checkout.run("destroy", "--yes")
    assert not os.path.lexists(checkout.state)
