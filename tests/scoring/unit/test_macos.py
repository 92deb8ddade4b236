"""Differences of macOS, as far as another system can imitate them."""

import ctypes
import os
import resource
import sys
from pathlib import Path

import pytest

from scoring import server
from scoring.engines.library import library
from scoring.errors import EngineError
from training.engines.local.pool import cores


def test_every_core_counts_where_no_process_is_bound_to_some(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delattr(os, "sched_getaffinity")
    monkeypatch.setattr(os, "cpu_count", lambda: 12)

    assert cores() == 12


def test_a_limit_of_open_files_that_the_system_does_not_grant_stays(monkeypatch: pytest.MonkeyPatch) -> None:
    asked = []

    def refuse(kind: int, limits: tuple[int, int]) -> None:
        asked.append((kind, limits))
        raise ValueError("current limit exceeds maximum limit")

    monkeypatch.setattr(resource, "setrlimit", refuse)

    server.allow_open_files()

    assert [kind for kind, _ in asked] == [resource.RLIMIT_NOFILE]


def test_lightgbm_is_looked_for_by_its_name_on_macos(monkeypatch: pytest.MonkeyPatch) -> None:
    wanted: list[Path] = []

    def missing(path: str) -> ctypes.CDLL:
        wanted.append(Path(path))
        raise OSError("Library not loaded: @rpath/libomp.dylib")

    monkeypatch.setattr(sys, "platform", "darwin")
    monkeypatch.setattr(ctypes, "CDLL", missing)
    library.cache_clear()

    with pytest.raises(EngineError, match=r"libomp\.dylib.*brew install libomp"):
        library()
    assert [path.name for path in wanted] == ["lib_lightgbm.dylib"]
