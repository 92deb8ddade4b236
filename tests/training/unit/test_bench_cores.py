"""What the training bench says of a second core."""

import pytest

from benchmarks import training_cores


def test_the_gain_is_of_the_work_of_both_processes(monkeypatch: pytest.MonkeyPatch) -> None:
    rounds = iter([[100.0], [60.0, 70.0], [100.0], [50.0, 50.0], [80.0], [80.0, 80.0]])
    monkeypatch.setattr(training_cores, "_rounds", lambda _cores: next(rounds))
    measured = training_cores.measure()
    assert measured["gains"] == [1.3, 1.0, 2.0]
    assert measured["gain"] == 1.3
