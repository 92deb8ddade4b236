"""A key that stands twice in a dataset config is refused with its line: PyYAML keeps the last one without a word."""

from pathlib import Path

import pytest

from training.datasets.described.spec import read_spec
from training.datasets.errors import SpecError


@pytest.mark.parametrize(
    ("text", "key", "line"),
    [
        ("interactions: a.csv\nlabel: {column: hit}\ncategorical: [user]\ncategorical: [item]\n", "categorical", 4),
        ("interactions: a.csv\nlabel: {column: hit,\n  column: bought}\ncategorical: [user]\n", "column", 3),
        ("interactions: a.csv\ntimes:\n- column: seen\n  zone: UTC\n  zone: CET\n", "zone", 5),
    ],
)
def test_a_key_that_stands_twice_is_refused_with_its_line(tmp_path: Path, text: str, key: str, line: int) -> None:
    (tmp_path / "dataset.yaml").write_text(text)
    with pytest.raises(SpecError, match=rf"the key '{key}' stands in line \d+ already .*line {line}, column"):
        read_spec(tmp_path / "dataset.yaml")


def test_a_key_may_replace_what_an_alias_brings(tmp_path: Path) -> None:
    config = tmp_path / "dataset.yaml"
    config.write_text(
        "interactions: a.csv\nusers: &same {key: user, version: 1}\nitems: {<<: *same, key: item}\n"
        "label: {column: hit}\ncategorical: [user]\n"
    )
    items = read_spec(config).items
    assert items is not None
    assert (items.key, items.version) == ("item", 1)
