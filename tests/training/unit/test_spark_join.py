"""Which tables Spark joins itself."""

from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
import yaml
from pyarrow import parquet

from training.datasets.described.files import load_spec
from training.datasets.described.spec import TablesSpec
from training.engines.spark import join

USERS = 100_000


def spec(folder: Path, users: int) -> TablesSpec:
    """A config with this many users, all of one country."""
    country = pa.array(["a"]).dictionary_encode().take(pa.array(np.zeros(users, np.int64)))
    parquet.write_table(pa.table({"user": np.arange(users), "country": country}), folder / "users.parquet")
    (folder / "seen.csv").write_text("user,clicked\n1,1\n2,0\n")
    content = {
        "interactions": "seen.csv",
        "users": {"path": "users.parquet", "key": "user"},
        "label": {"column": "clicked"},
        "categorical": ["country"],
    }
    (folder / "dataset.yaml").write_text(yaml.safe_dump(content))
    return load_spec(folder / "dataset.yaml")


def test_users_that_fill_memory_are_joined_by_spark_however_small_their_file_is(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(join, "SENT_BYTES", 20 * USERS)
    many = spec(tmp_path, USERS)
    assert (tmp_path / "users.parquet").stat().st_size < 20 * USERS
    assert join.is_for_spark(many)
    assert not join.is_for_spark(spec(tmp_path, USERS // 10))
