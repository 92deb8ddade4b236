"""The compiled kernel: how it is built and loaded, its sums to the last bit, and that it touches no foreign memory."""

import os
import subprocess
import sys
import sysconfig
from pathlib import Path

import numpy as np
import pytest

from recommend import ranking
from recommend.first_stage import ItemWeights
from recommend.recommender import Recommender
from scoring.model.model import KernelWeights, best_of, with_kernel
from scoring.native import build, load
from scoring.native.build import SOURCE
from tests.support.kernels import built_kernel
from tests.support.recommenders import ITEM_TO_ITEM, ITEMS
from tools.paths import ROOT
from tools.setup.__main__ import ensure_kernel


def test_without_a_compiler_the_set_up_goes_on_and_says_what_is_missing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("sysconfig.get_path", lambda _name: str(tmp_path))
    monkeypatch.setenv("PATH", str(tmp_path))
    ensure_kernel()
    assert load() is None
    assert "no C compiler `cc`" in capsys.readouterr().err


def test_a_source_that_does_not_compile_is_an_error_and_leaves_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    built_kernel()  # skips without a compiler
    source = tmp_path / "kernel.c"
    source.write_text("this is no C;")
    place = tmp_path / "packages"
    place.mkdir()
    monkeypatch.setattr("sysconfig.get_path", lambda _name: str(place))
    monkeypatch.setattr(build, "SOURCE", source)
    with pytest.raises(build.KernelBuildError, match="refused the kernel"):
        build.build()
    assert list(place.iterdir()) == []


def test_a_kernel_of_another_source_is_not_taken(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    built_kernel()
    source = tmp_path / "kernel.c"
    source.write_bytes(build.SOURCE.read_bytes() + b"\n")
    monkeypatch.setattr(build, "SOURCE", source)
    assert load() is None


MANY = 700


@pytest.mark.parametrize("largest", [1, 40, MANY])
@pytest.mark.parametrize("chosen", [0, 1, 2, 100])
def test_the_kernel_gives_what_numpy_gives(largest: int, chosen: int) -> None:
    chance = np.random.default_rng(chosen)
    dense = np.round(chance.normal(size=(MANY, MANY)), 1)  # rounded, so that there are equal weights
    plain = ItemWeights.cut(dense, largest)
    ours = KernelWeights(**vars(plain), kernel=built_kernel())
    history = np.sort(chance.choice(MANY, chosen, replace=False))
    assert ours.scores(history).tolist() == plain.scores(history).tolist()
    best = np.argsort(-plain.scores(history), kind="stable")[:20]
    reasons = ours.reasons(history, best, 2)
    assert reasons == plain.reasons(history, best, 2)
    counts, least = chance.random(chosen), plain.scores(history)[best] + np.tile([-0.05, 0.05], 10)
    assert ours.scores(history, counts).tolist() == plain.scores(history, counts).tolist()
    above = ours.reasons(history, best, 2, least)
    assert above == plain.reasons(history, best, 2, least)
    assert above[::2] == reasons[::2]
    assert above[1::2] == [[]] * 10
    assert [*map(len, reasons)].count(2) > 15 or largest < MANY or chosen < 100


def test_a_history_of_other_items_is_refused() -> None:
    plain = ItemWeights.cut(ITEM_TO_ITEM)
    ours = KernelWeights(**vars(plain), kernel=built_kernel())
    for item in (-1, len(ITEMS)):
        with pytest.raises(ValueError, match="not of these items"):
            ours.scores(np.array([item]))
        with pytest.raises(ValueError, match="not of these items"):
            ours.reasons(np.array([item]), np.array([0]), 1)


@pytest.mark.parametrize("top", [1, 10, 100, MANY, MANY + 1])
def test_the_best_scores_are_those_of_numpy(top: int) -> None:
    chance = np.random.default_rng(top)
    scores = np.round(chance.normal(size=MANY), 1)  # rounded, so that many are equal
    scores[chance.choice(MANY, 50, replace=False)] = -np.inf
    for own in (scores, np.sort(scores), np.full(MANY, -np.inf)):
        assert best_of(built_kernel(), own, top).tolist() == ranking.best_of(own, top).tolist()


def test_without_a_kernel_numpy_sums() -> None:
    recommender = Recommender(items=ITEMS, first_stage=ItemWeights.cut(ITEM_TO_ITEM))
    assert with_kernel(recommender, None) is recommender
    assert isinstance(with_kernel(recommender, built_kernel()).first_stage, KernelWeights)


SANITISED = ("-fsanitize=address,undefined", "-fno-sanitize-recover=all", "-g", "-O1", "-ffp-contract=off")
GROWTH_BYTES = 1 << 16
"""What Python's own caches may hold more; a leak of 350 bytes in each of the 207 calls is more."""


def sanitised(folder: Path) -> tuple[Path, str]:
    """A kernel with the sanitiser in `folder`, and the libraries to preload."""
    built_kernel()  # skips without a compiler
    libraries = []
    for name in ("libasan.so", "libubsan.so"):
        asked = subprocess.run(["cc", f"-print-file-name={name}"], capture_output=True, check=True, text=True)
        libraries.append(asked.stdout.strip())
    if not all(Path(library).is_absolute() for library in libraries):
        pytest.skip("the C compiler of this machine has no address sanitiser")
    file = folder / "kernel.so"
    include = f"-I{sysconfig.get_path('include')}"
    subprocess.run(["cc", *SANITISED, "-shared", "-fPIC", include, str(SOURCE), "-o", str(file), "-lm"], check=True)
    return file, " ".join(libraries)


def asked(kernel: Path, libraries: str, rows: int) -> "subprocess.CompletedProcess[str]":
    """So many requests to the kernel, in a process of its own."""
    environment = {
        **os.environ,
        "LD_PRELOAD": libraries,
        "ASAN_OPTIONS": "detect_leaks=0",  # it would report what Python itself never frees
        "PYTHONMALLOC": "malloc",
    }
    command = [sys.executable, "-m", "tests.support.sanitised_kernel", str(kernel), str(rows)]
    return subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False)


@pytest.mark.parametrize("rows", [30_000, pytest.param(1_000_000, marks=[pytest.mark.full, pytest.mark.timeout(1800)])])
def test_varied_requests_touch_no_foreign_memory_and_leak_nothing(tmp_path: Path, rows: int) -> None:
    done = asked(*sanitised(tmp_path), rows)
    assert done.returncode == 0, done.stderr[-3000:]
    assert int(done.stdout) < GROWTH_BYTES
