"""`try`: what it says of a folder's tables, what it keeps for the next run, and what it leaves alone."""

import csv
import json
import random
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import xxhash

from personalize.commands import try_out
from personalize.commands.init_data import FolderError
from tests.support import shop_exports
from tools.paths import ROOT
from training.errors import DatasetError

HERE = """
import sys
from pathlib import Path
from personalize.commands import app, try_out
try_out.TRIES = Path(sys.argv[1])
sys.argv = ["personalize", "try", *sys.argv[2:]]
try:
    app.main()
finally:
    print("imported", *{name.partition(".")[0] for name in sys.modules}, file=sys.stderr)
"""
"""Runs the command with another folder for what it keeps."""


@pytest.fixture(autouse=True)
def tries(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder for what it keeps."""
    monkeypatch.setattr(try_out, "TRIES", tmp_path / "tries")
    return tmp_path / "tries"


@pytest.fixture
def shop(tmp_path: Path) -> Path:
    """The example shop without a dataset config, as on a fresh clone."""
    folder = tmp_path / "shop"
    folder.mkdir()
    for name in ("orders.csv", "products.csv"):
        shutil.copy(ROOT / "examples/orders" / name, folder)
    return folder


def said(folder: Path, capfd: pytest.CaptureFixture[str], **options: bool) -> dict[str, Any]:
    """What it says as JSON, and beside that as `progress`."""
    try_out.try_(folder, as_json=True, **options)
    out, err = capfd.readouterr()
    found: dict[str, Any] = json.loads(out)
    return found | {"progress": err}


def orders(folder: Path, *, customers: int) -> None:
    """Orders by customers without tastes: each draws from all items alike."""
    chance = random.Random(1)  # noqa: S311 - rows for a test, no secret
    with (folder / "orders.csv").open("w") as stream:
        stream.write("order_id,customer_id,product_id,ordered_at\n")
        for order in range(customers * 10):
            at = datetime(2026, 1, 1) + timedelta(hours=order)  # noqa: DTZ001 - a shop's own time
            for _ in range(2):
                line = f"{order},c{chance.randrange(customers)},p{chance.randrange(60)},{at.isoformat()}"
                stream.write(line + "\n")


def clicks(folder: Path) -> None:
    """Impressions of advertisements to nobody in particular; the device tells who clicks."""
    chance = random.Random(1)  # noqa: S311 - rows for a test, no secret
    with (folder / "impressions.csv").open("w") as stream:
        stream.write("hour,device,clicked\n")
        for _ in range(3_000):
            is_phone = chance.random() < 0.5
            clicked = chance.random() < (0.5 if is_phone else 0.1)
            stream.write(f"{chance.randrange(24)},{'phone' if is_phone else 'desk'},{int(clicked)}\n")


def test_the_example_shop_gets_its_sentence_verdict_lists_and_doubts(
    shop: Path, tries: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    before = {path: path.stat().st_mtime_ns for path in (shop, *shop.iterdir())}
    try_out.try_(shop)
    out, err = capfd.readouterr()
    words = " ".join(out.split())
    assert "Of 100 customers, 80 find something that they later chose among ten" in words
    assert "with bestsellers 50, with what each of them chose most 75. The difference to the latter is +" in words
    assert "Verdict: better, since the whole interval is above 0." in words
    assert "own most chosen 0.4055" in words
    assert out.count("To somebody who chose ") == 3
    assert "unit_price (orders.csv): only columns of users and items help" in words
    assert "(lines 9, 98)" not in out, "reasons of what is certain stay in the draft"
    (place,) = tries.iterdir()
    assert (place / "run/bundle/report.html").is_file()
    assert f"up --config-file {place}/stack.yaml" in words
    assert "recommend: learn who chooses what" in err
    assert {path: path.stat().st_mtime_ns for path in (shop, *shop.iterdir())} == before
    assert not [*place.rglob("histories*")], "nobody's history is kept"


def test_a_second_run_takes_the_draft_as_it_is_now_and_trains_only_after_a_change(
    shop: Path, tries: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    first = said(shop, capfd)
    draft = Path(first["dataset_config"])
    assert draft.is_relative_to(tries)
    again = said(shop, capfd)
    assert "Nothing has changed since the last run" in again.pop("progress")
    assert again == {name: one for name, one in first.items() if name != "progress"}
    text = draft.read_text()
    draft.write_text(text.replace("recommend_seen: true", "recommend_seen: false"))
    changed = said(shop, capfd)
    assert "recommend: learn who chooses what" in changed["progress"]
    assert "own most chosen" not in changed["result"]["metrics"]["recommender"]["figures"]
    shutil.copy(ROOT / "examples/tables/dataset.yaml", shop)
    with pytest.raises(DatasetError, match="names the interactions file "):
        try_out.try_(shop)


@pytest.mark.parametrize(
    ("write", "verdict", "sentence"),
    [
        (lambda folder: orders(folder, customers=200), "not shown to be better", "Of 100 customers, "),
        (lambda folder: orders(folder, customers=5), "too few customers", "it takes 30 to judge one"),
        (shop_exports.german, "better", "since the whole interval is above 0"),
        (clicks, "better", "Verdict on click probabilities: they may be served. AUC "),
    ],
)
def test_the_verdict_follows_the_data(
    write: Callable[[Path], None], verdict: str, sentence: str, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    (folder := tmp_path / "export").mkdir()
    write(folder)
    found = said(folder, capfd)
    assert (found["verdict"], sentence in " ".join(found["said"])) == (verdict, True), found["said"]


def test_of_many_rows_a_part_of_the_customers_is_read_with_all_of_theirs(
    shop: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(try_out, "MOST_ROWS", 2_000)
    with (shop / "orders.csv").open(encoding="utf-8-sig") as stream:
        rows = [(row["customer_email"].strip().lower() or row["order_id"], row) for row in csv.DictReader(stream)]
    limit = 2**64 * 2_000 / len(rows)
    kept = [(who, row) for who, row in rows if xxhash.xxh64_intdigest(who.encode(), 42) < limit]
    customers = {who for who, row in kept if row["customer_email"].strip()}
    found = said(shop, capfd)
    assert len(rows) == 4_426
    assert found["said"][0] == (
        f"Of 4,426 rows, these are the {len(kept):,} of {len(customers)} customers, taken by a hash of their key; "
        "`--all` reads everything."
    )
    assert found["result"]["counted"]["Interactions read"] == len(kept)
    everything = said(shop, capfd, everything=True)
    assert everything["result"]["counted"]["Interactions read"] == 4_426
    assert everything["said"][0].startswith("Of 100 customers, 80 ")


@pytest.mark.parametrize(
    ("files", "sentence"),
    [
        ({}, "has no table"),
        ({"a.png": "PNG", "b.jpg": "JPG"}, "Ignored were a.png, b.jpg"),
        ({"names.csv": "name\nAnna\nBert\n"}, "These are options of `.venv/bin/personalize init-data "),
        ({"dataset.yaml": "interactions: gone.csv\nlabel: {column: clicked}\nnumeric: [age]\n"}, "does not exist"),
    ],
)
def test_what_cannot_be_used_is_said_and_leaves_nothing(
    files: dict[str, str], sentence: str, tmp_path: Path, tries: Path
) -> None:
    (folder := tmp_path / "bad").mkdir()
    for name, content in files.items():
        (folder / name).write_text(content)
    with pytest.raises(DatasetError) as caught:
        try_out.try_(folder)
    assert sentence in str(caught.value)
    assert not tries.exists()
    assert {path.name for path in folder.iterdir()} == {*files}


def test_a_project_that_cannot_be_written_to_is_said(shop: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(try_out, "TRIES", shop / "orders.csv" / "tries")  # also root can't write below a file
    with pytest.raises(FolderError, match="cannot be made: Not a directory"):
        try_out.try_(shop)


@pytest.mark.slow
@pytest.mark.parametrize("interrupted", [False, True])
def test_it_needs_no_pulumi_and_an_interrupted_run_leaves_its_draft_alone(
    interrupted: bool,  # noqa: FBT001 - a parameter of the test
    shop: Path,
    tries: Path,
) -> None:
    command = [sys.executable, "-c", HERE, str(tries), str(shop)]
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True) as process:
        assert process.stderr is not None
        lines = []
        for line in process.stderr:
            lines.append(line)
            if interrupted and line.startswith("recommend: learn"):
                process.send_signal(signal.SIGINT)
    (place,) = tries.iterdir()
    kept = {"dataset.yaml"} if interrupted else {"dataset.yaml", "run", "stack.yaml"}
    assert (process.returncode, {path.name for path in place.iterdir()}) == (130 if interrupted else 0, kept), lines
    (imported,) = [line.split() for line in lines if line.startswith("imported ")]
    assert {"azure", "grpc", "mlflow", "pandas", "pulumi", "pyspark", "sklearn"}.isdisjoint(imported)
