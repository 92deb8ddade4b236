"""The compiled kernel: how it is built and loaded, and what is reported if that fails."""

from pathlib import Path

import pytest

from scoring.native import build, load
from tests.support.kernels import built_kernel
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
