"""What a page shows is compared with what was printed: exactly where a seed fixes it, by its shape elsewhere."""

import pytest

from tests.docs.shapes import agree, for_readers, renewed


@pytest.mark.parametrize(
    ("shown", "printed"),
    [
        ("14 created, 60 s.", "14 created, 7 s."),
        ("✔ training    created      52 s", "✔ training    created"),
        ("  scored: p50 1.12 ms  max 91.80 ms", "  scored: p50 0.4 ms  max 8.00 ms"),
        ("  status 200: 38,308", "  status 200: 9"),
        ("bundles/781c7f31.../report.html", "bundles/00ab12cd.../report.html"),
        ('{"probability":0.3614564892497034}', '{"probability":0.3614564892497129}'),
        ("1  0.7729  2026-11-26 13:30:00  0a1b2c3d4e", "1  0.7729  2026-11-27 01:02:03  e4d3c2b1a0"),
    ],
)
def test_what_no_seed_fixes_may_differ(shown: str, printed: str) -> None:
    assert agree([shown], [printed])


@pytest.mark.parametrize(
    ("shown", "printed"),
    [
        ("0.390275", "0.439361"),
        ("this model  0.7729", "this model  0.7730"),
        ("14 created, 60 s.", "13 created, 60 s."),
        ("  status 200: 38,308", "  status 500: 38,308"),
        ("model version 1", "model version 2"),
    ],
)
def test_what_a_seed_fixes_is_compared_exactly(shown: str, printed: str) -> None:
    assert not agree([shown], [printed])


def test_lines_left_out_are_said_to_be() -> None:
    printed = ["one", "two", "three"]
    assert agree(["one", "...", "three"], printed)
    assert agree(["...", "two", "..."], printed)
    assert agree(["..."], printed)
    assert not agree(["one", "three"], printed)
    assert not agree(["one"], printed)
    assert not agree(["...", "two"], printed)
    assert not agree(["...", "three", "..."], ["one", "two"])
    assert not agree([], printed)


def test_steps_may_begin_in_another_order() -> None:
    assert agree(["✔ data created", "✔ key created", "done"], ["✔ key created", "✔ data created", "done"])
    assert not agree(["✔ data created", "✔ key created"], ["✔ key created", "✔ key created"])


def test_outputs_are_renewed_line_by_line() -> None:
    shown = ["...", "version 1", "AUC 0.70", "...", "end"]
    assert renewed(shown, ["x", "version 1", "AUC 0.80", "y", "end"]) == ["...", "version 1", "AUC 0.80", "...", "end"]
    assert renewed(shown, ["x", "another line", "end"]) is None
    assert renewed(["old", "lines"], ["new"]) == ["new"]


def test_a_reader_sees_his_own_port_and_folder() -> None:
    printed = f"at http://127.0.0.1:40123\r\nin /tmp/x/copy/file {'ab' * 32}\n\n".replace("\r\n", "\n")
    assert for_readers(printed, port=40123, folder="/tmp/x/copy") == [  # noqa: S108 - nothing is written there
        "at http://127.0.0.1:8123",
        "in ~/personalization/file abababab...",
    ]
