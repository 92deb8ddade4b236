"""The run on Databricks, on a local Spark: folders stand for volumes."""

from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from pyarrow import parquet

from batch import databricks, recommendations
from batch.databricks import main
from batch.recommendations import REPLACED, Batch, Opened
from batch.request import RESULT, BatchRequest
from recommend.forgotten import change
from scoring.responses import ModelName
from tests.support.recommenders import make_recommending_bundle, recommender, write_snapshots
from training.databricks import JobFailedError

if TYPE_CHECKING:
    pass

pytestmark = [pytest.mark.spark, pytest.mark.usefixtures("spark")]


@pytest.fixture
def request_(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> BatchRequest:
    """A run for two users in two parts, with the machine's own disk below `tmp_path`."""
    (tmp_path / "disk").mkdir()
    monkeypatch.setenv("SPARK_LOCAL_DIRS", str(tmp_path / "disk"))
    monkeypatch.setattr(recommendations, "USERS_TOGETHER", 1)
    return BatchRequest(
        bundle=make_recommending_bundle(tmp_path / "bundle", recommender()),
        snapshots=(write_snapshots(tmp_path / "snapshots"),),
        forgotten=tmp_path / "forgotten.json",
        model="films",
        version="4",
        top=2,
        new=0,
        output=tmp_path / "output" / tmp_path.name,
    )


def run(request: BatchRequest) -> None:
    main([request.model_dump_json()])


def test_a_repeated_run_writes_only_the_parts_that_are_missing(request_: BatchRequest) -> None:
    run(request_)
    first, second = (request_.output / f"{number:010}.parquet" for number in (0, 1))
    assert (request_.output / RESULT).read_text() == f'{{"users": 2, "parts": ["{first.name}", "{second.name}"]}}'
    kept, before = first.stat().st_mtime_ns, second.read_bytes()
    second.unlink()
    run(request_)
    assert first.stat().st_mtime_ns == kept
    assert second.read_bytes() == before
    target = request_.output / "here.parquet"
    name = ModelName(name="films", version="4")
    Batch(bundle=request_.bundle, snapshots=request_.snapshots[0], name=name, top=2).write(target, lambda *_: None)
    assert parquet.read_table(target).equals(parquet.read_table([first, second]))


def test_who_was_forgotten_is_left_out(request_: BatchRequest) -> None:
    change(request_.forgotten, lambda before: before.with_user("u1"))
    run(request_)
    (part,) = request_.output.glob("*.parquet")
    assert set(parquet.read_table(part).column("user").to_pylist()) == {"3"}


def test_histories_that_were_replaced_are_no_empty_ones(request_: BatchRequest) -> None:
    gone = request_.model_copy(update={"snapshots": (request_.output / "gone",)})
    with pytest.raises(JobFailedError, match=f"^error: {REPLACED}"):
        run(gone)


def test_what_a_task_refuses_is_a_sentence(request_: BatchRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    class Other(Opened):
        versions = ("another", "one")

    monkeypatch.setattr(databricks, "Opened", Other)
    with pytest.raises(JobFailedError, match=f"^error: {REPLACED}"):
        run(request_)
    assert not (request_.output / RESULT).exists()
