"""A dataset's rows as a training run gets them, without the run: typed, and checked by one full read."""

from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from features.schema import Schema
from training import datasets
from training.errors import DatasetError
from training.parameters import Dataset
from training.tables.columns import table_rules
from training.tables.progress import Reporter, silent
from training.tables.reading import check, opened


def read(dataset: Dataset, folder: Path | None = None, report: Reporter = silent) -> tuple[pd.DataFrame, Schema]:
    """Rows and schema of a dataset, from its copy in a folder if one is given: label, numbers with NaN and categories
    with "" for missing, and the time in microseconds. Raises the `DatasetError` that fits."""
    spec = datasets.tables_of(dataset, folder)
    rules, schema = table_rules(spec), spec.joined_schema
    pieces, found = opened(spec, rules)
    frames = []
    for fields in (fields for piece in pieces for fields in piece()):
        found.update(fields.counted, rows=len(fields), clicks=int(fields.label.sum()))
        columns: dict[str, Any] = {schema.label: fields.label}
        columns |= dict(zip(schema.numeric, fields.numeric, strict=True))
        columns |= {name: texts.to_pylist() for name, texts in zip(schema.categorical, fields.categorical, strict=True)}
        frames.append(pd.DataFrame(columns | ({} if schema.timestamp is None else {schema.timestamp: fields.time})))
    check(found, spec, rules, report)
    return pd.concat(frames, ignore_index=True), schema


def refused(kind: type[DatasetError], of: Dataset) -> str:
    """The error before training, of exactly this class; reading all rows ends with the same one."""
    with pytest.raises(DatasetError) as caught:
        datasets.describe(of)
    assert type(caught.value) is kind, str(caught.value)
    with pytest.raises(kind) as later:
        read(of)
    assert str(later.value) == str(caught.value)
    return str(caught.value)
