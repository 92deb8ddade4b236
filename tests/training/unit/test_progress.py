import io
import json
import threading
from queue import SimpleQueue

import pytest

from tests.support.clock import Clock
from training import progress as progress_module
from training.progress import Format, Progress, background


def test_text_is_one_line_a_report() -> None:
    stream = io.StringIO()
    Progress(stream)("fit", "iteration 12 of 50", seconds_left=8.6)
    assert stream.getvalue() == "fit: iteration 12 of 50, about 9 s left\n"


def test_json_has_the_numbers_beside_the_message() -> None:
    stream = io.StringIO()
    Progress(stream, style=Format.JSON)("fit", "iteration 12 of 50", done=12, total=50, seconds_left=8.6)
    assert json.loads(stream.getvalue()) == {
        "stage": "fit",
        "message": "fit: iteration 12 of 50, about 9 s left",
        "done": 12,
        "total": 50,
        "seconds_left": 8.6,
    }


def test_a_repeated_report_is_dropped() -> None:
    stream = io.StringIO()
    progress = Progress(stream)
    progress("read", "3 rows")
    progress("read", "3 rows")
    progress("read", "4 rows")
    assert stream.getvalue().splitlines() == ["read: 3 rows", "read: 4 rows"]


def test_stages_are_timed_and_add_up(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = Clock()
    monkeypatch.setattr(progress_module, "time", clock)
    progress = Progress(io.StringIO())
    for seconds in (2.5, 4.0):
        with progress.stage("encode", "rows"):
            clock.now += seconds
        clock.now += 60.0
    assert progress.seconds == {"encode": 6.5}


def test_a_background_action_runs_until_its_block_ends() -> None:
    calls: SimpleQueue[threading.Thread] = SimpleQueue()
    with background(lambda: calls.put(threading.current_thread()), seconds=0.01):
        first, second = calls.get(), calls.get()
    assert first is second
    assert not first.is_alive()
