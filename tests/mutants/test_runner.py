"""The runner tells which mutants the tests miss, with mutants that everybody can judge."""

import os
import signal
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path

import psutil
import pytest

from tests.mutants import run
from tests.mutants.mutant import Fate, Mutant, MutantError, Outcome
from tests.mutants.workshop import Workshop
from tools.paths import ROOT

ANYTHING = Mutant(
    name="anything",
    file="features/hashing.py",
    before="HASH_SEED = 42",
    after="HASH_SEED = 43",
    tests=("tests/features/unit/test_hashing.py",),
)


@pytest.fixture(scope="module")
def workshop(tmp_path_factory: pytest.TempPathFactory) -> Workshop:
    return Workshop(tmp_path_factory.mktemp("mutants") / "copy")


@pytest.fixture(scope="module")
def judge(tmp_path_factory: pytest.TempPathFactory) -> str:
    """A test of its own, which needs none of what the project's tests share."""
    file = tmp_path_factory.mktemp("judge") / "test_seed.py"
    file.write_text("from features.hashing import HASH_SEED\n\n\ndef test_it() -> None:\n    assert HASH_SEED == 42\n")
    return str(file)


def test_a_mutant_is_killed_by_a_failing_test_alone(workshop: Workshop, judge: str) -> None:
    """The one that survives shows, too, that the copy is as it was after the one before it."""

    def fate(before: str, after: str, test: str = judge) -> Fate:
        mutant = Mutant(name="one", file="features/hashing.py", before=before, after=after, tests=(test,))
        return workshop.test(mutant, seconds=240).fate

    assert fate("HASH_SEED = 42", "HASH_SEED = 43") is Fate.KILLED
    assert fate("HASH_SEED = 42", "HASH_SEED = 42  # indeed") is Fate.SURVIVED
    assert fate("HASH_SEED = 41", "HASH_SEED = 43") is Fate.NOT_APPLICABLE
    assert fate("HASH_SEED = 42", "HASH_SEED = 43", f"{judge}x") is Fate.UNTESTED


def test_tests_that_fail_anyway_kill_nothing(workshop: Workshop, tmp_path: Path) -> None:
    failing = tmp_path / "test_failing.py"
    failing.write_text("def test_it() -> None:\n    raise AssertionError\n")
    mutant = Mutant(name="one", file="a", before="b", after="c", tests=(str(failing),))
    with pytest.raises(MutantError, match="do not pass as the program is"):
        run.require_passing([mutant], workshop)


def test_tests_that_do_not_end_prove_nothing(workshop: Workshop, tmp_path: Path) -> None:
    endless = tmp_path / "test_endless.py"
    endless.write_text("import time\n\n\ndef test_it() -> None:\n    time.sleep(600)\n")
    mutant = Mutant(name="one", file="features/hashing.py", before="= 42", after="= 43", tests=(str(endless),))
    assert workshop.test(mutant, seconds=1).fate is Fate.UNTESTED


@pytest.mark.parametrize(("fate", "code"), [(fate, 0 if fate is Fate.KILLED else 1) for fate in Fate])
def test_every_mutant_that_is_not_killed_fails_the_run(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], fate: Fate, code: int
) -> None:
    outcome = Outcome(name="one", fate=fate, seconds=1.0, said="what pytest said")
    monkeypatch.setattr(run, "Workshop", lambda *_, **__: None)
    monkeypatch.setattr(run, "listed", lambda: (ANYTHING,))
    monkeypatch.setattr(run, "require_passing", lambda *_: None)
    monkeypatch.setattr(run, "outcomes", lambda *_: (one for one in [outcome]))
    assert run.main(["--json"]) == code
    shown = capsys.readouterr()
    assert f'"fate":"{fate}"' in shown.out
    assert f"{1 - code} of 1 mutants were killed" in shown.err


def test_a_mutant_that_nobody_knows_is_refused(capsys: pytest.CaptureFixture[str]) -> None:
    assert run.main(["--only", "no-such-mutant"]) == 2
    assert "There is no mutant no-such-mutant" in capsys.readouterr().err


@pytest.mark.slow
@pytest.mark.parametrize("sent", [signal.SIGTERM, signal.SIGINT])
def test_a_run_that_is_ended_takes_its_tests_with_it(sent: signal.Signals) -> None:
    command = [sys.executable, "-m", "tests.mutants.run", "--only", "another-seed-than-sparks"]
    with subprocess.Popen(command, cwd=ROOT, stderr=subprocess.PIPE, text=True, start_new_session=True) as run_process:
        while not (testing := _pytests(run_process.pid)):
            assert run_process.poll() is None
            time.sleep(0.05)
        os.kill(run_process.pid, sent)
        _, said = run_process.communicate(timeout=60)
    assert run_process.returncode == 130, said
    assert "Traceback" not in said
    assert not any(process.is_running() for process in testing)


def _pytests(runner: int) -> list[psutil.Process]:
    with suppress(psutil.NoSuchProcess):
        return [child for child in psutil.Process(runner).children() if "pytest" in child.cmdline()]
    return []
