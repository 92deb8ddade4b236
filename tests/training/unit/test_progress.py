import io
import json
import time

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


def test_stages_are_timed_and_add_up() -> None:
    progress = Progress(io.StringIO())
    for _ in range(2):
        with progress.stage("encode", "rows"):
            time.sleep(0.02)
    assert progress.seconds["encode"] >= 0.04


def test_a_background_action_runs_until_its_block_ends() -> None:
    calls: list[float] = []
    with background(lambda: calls.append(0.0), seconds=0.01):
        while len(calls) < 2:
            time.sleep(0.01)
    ended = len(calls)
    time.sleep(0.05)
    assert ended == len(calls)
