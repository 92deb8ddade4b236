"""A run of the suite fails on CI if it skips what it should test, and prints what it really used."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support import ran, skips
from tests.support.suite_report import has_kernel
from tools.paths import ROOT

CONFTEST = """
from tests.support import ran, skips, suite_report

def pytest_configure(config):
    skips.register(config)
    suite_report.register(config)
"""
TESTS = """
import pytest
from tests.support import ran

def test_that_runs():
    ran.note(ran.KUSTO)

def test_whose_tool_is_missing():
    pytest.skip("needs a tool that somebody forgot")

@pytest.mark.skipif(True, reason="needs Go")
def test_that_cannot_run_there(): ...

@pytest.mark.xfail(reason="known")
def test_that_fails_as_expected():
    assert False
"""
WITHOUT_AZURE = """
import sys

sys.modules["azure"] = None  # as if it were not installed
from tests.support.azure_files import pytest_pycollect_makemodule
"""
WHOLE_FILE = 'import pytest\npytest.importorskip("no_such_package", reason="needs a package")\ndef test_it(): ...\n'


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder with tests, some of which are skipped."""
    (tmp_path / "conftest.py").write_text(CONFTEST)
    (tmp_path / "test_them.py").write_text(TESTS)
    return tmp_path


def run(folder: Path, environment: str, *options: str) -> subprocess.CompletedProcess[str]:
    own = {name: value for name, value in os.environ.items() if not name.startswith("PYTEST_")}
    return subprocess.run(
        [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", "-rfEs", f"--rootdir={folder}", *options, folder],
        cwd=ROOT,
        env=own | {skips.VARIABLE: environment, "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"},  # they take long to import
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.mark.parametrize(
    "options",
    [
        pytest.param((), id="one process"),
        pytest.param(("-p", "xdist.plugin", "--numprocesses=1"), id="another process", marks=pytest.mark.full),
    ],
)
def test_a_skip_that_is_not_listed_fails_and_names_its_reason(folder: Path, options: tuple[str, ...]) -> None:
    done = run(folder, "github", *options)
    assert done.returncode == pytest.ExitCode.TESTS_FAILED, done.stdout
    assert "1 failed, 1 passed, 1 skipped, 1 xfailed" in done.stdout
    assert "environment `github` does not allow: needs a tool that somebody forgot" in done.stdout


def test_a_skipped_file_fails_too(folder: Path) -> None:
    (folder / "test_more.py").write_text(WHOLE_FILE)
    done = run(folder, "ci")
    assert done.returncode == pytest.ExitCode.INTERRUPTED, done.stdout
    assert "environment `ci` does not allow: needs a package" in done.stdout


@pytest.mark.parametrize(
    ("environment", "said", "status"),
    [("", "skipped 1: needs the packages of Azure", 0), ("ci", "environment `ci` does not allow: needs the pack", 2)],
)
def test_a_folder_that_needs_azures_packages_is_not_left_out_in_silence(
    folder: Path, environment: str, said: str, status: int
) -> None:
    other = folder / "azure"
    other.mkdir()
    (other / "conftest.py").write_text(WITHOUT_AZURE)
    (other / "test_azure.py").write_text("import azure\n")
    done = run(folder, environment)
    assert done.returncode == status, done.stdout
    assert said in done.stdout


def test_elsewhere_skips_stay_skips_and_the_end_lists_them_with_what_ran(folder: Path) -> None:
    (folder / "test_more.py").write_text(WHOLE_FILE)
    done = run(folder, "")
    assert done.returncode == 0, done.stdout
    assert "1 passed, 3 skipped, 1 xfailed" in done.stdout
    assert f"{ran.KUSTO}: 1 times\n" in done.stdout
    assert f"{ran.CHROMIUM}: not used\n" in done.stdout
    assert re.search(r"^kernel: (in C|NumPy)", done.stdout, re.MULTILINE)
    assert "skipped 1: needs Go\n" in done.stdout


def test_an_unknown_environment_is_refused_with_the_known_ones(folder: Path) -> None:
    done = run(folder, "nowhere")
    assert done.returncode == pytest.ExitCode.USAGE_ERROR
    assert "is 'nowhere', and tests/allowed_skips.yaml has github, ci." in done.stderr


@pytest.mark.parametrize("environment", skips.environments())
def test_every_listed_reason_is_one_of_a_test_and_says_why_it_stays(environment: str) -> None:
    own = Path(__file__)
    written = "".join(path.read_text(encoding="utf-8") for path in ROOT.glob("tests/**/*.py") if path != own)
    for allowed in skips.environments()[environment]:
        assert len(allowed.because) > 10
        fixed = max(re.split(r"pulumi-language-python|debootstrap and mounts.*", allowed.reason), key=len)
        assert fixed.strip() in written, allowed.reason


def test_the_tests_of_the_service_run_its_kernel_in_c() -> None:
    if not has_kernel():
        pytest.skip("the kernel in C is not built: install gcc, then `make setup`")
