"""The columns of users and items that snapshots show and filter by."""

from pathlib import Path

import pandas as pd
import yaml

from tests.support.described_tables import write_tables
from training.datasets.described.spec import load_spec
from training.engines.reading.entities import read_entities


def test_pictures_in_the_table_of_items_are_left_out_of_the_catalogue(tmp_path: Path) -> None:
    content = write_tables(
        tmp_path,
        interactions=pd.DataFrame({"user_id": ["u"], "item_id": ["a"], "clicked": [1]}),
        users=pd.DataFrame({"user_id": ["u"], "age": [1]}),
        items=pd.DataFrame({"item_id": ["a"], "minutes": [90]}),
    )
    items = pd.DataFrame({"item_id": ["a"], "title": ["Alpha"], "minutes": [90], "picture": [b"\xff\xd8\xff"]})
    items.to_parquet(tmp_path / "items.parquet")
    content["items"]["path"] = "items.parquet"
    file = tmp_path / "dataset.yaml"
    file.write_text(yaml.safe_dump(content | {"numeric": ["age", "minutes"]}))
    found = read_entities(load_spec(file), "items")
    assert {name: values.to_pylist() for name, values in found.columns.items()} == {
        "title": ["Alpha"],
        "minutes": ["90"],
    }
