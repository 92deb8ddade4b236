"""Categories are counted and encoded as plain Python does it row by row: single values, several, and crosses."""

from collections import Counter
from pathlib import Path

import lightgbm
import numpy as np
import pandas as pd
import pyarrow as pa
import pytest

from features.bundle import MODEL, Bundle
from features.encoder import RawRows
from features.hashing import hash_value
from features.schema import Schema
from tests.support.bundles import make_bundle, random_records, to_rows
from tests.support.prepared_rows import MemoryRows, prepared
from training.evaluation.measure import Scored, score
from training.kernels.columns import FEATURES, FOLD, RECORD_HASH, raw_columns, raw_rows
from training.kernels.encode import FoldEncoder
from training.kernels.split import PARTS, Division, Part
from training.local import chunks
from training.local.engine import LocalEngine, LocalRows
from training.parameters import TrainingParameters
from training.pipeline import fold_encoder

SCHEMA = Schema(
    numeric=("age",),
    categorical=("tags", "city", "genres", "device"),
    separators={"genres": "|", "tags": " "},
    crosses=(("city", "genres"), ("tags", "device"), ("device", "city")),
)
WITH_POOL = {"tags", "city x genres", "tags x device"}
"""Columns with hundreds of rare values."""
PARAMETERS = TrainingParameters(folds=3, min_category_rows=4, smoothing=5.0)


def values_of(text: str, separator: str) -> set[str]:
    """The definition, in its plainest form."""
    return {part.strip(" ") for part in text.split(separator)} - {""} or {""}


def raw_of(batch: pa.RecordBatch, schema: Schema) -> RawRows:
    return raw_rows([batch.column(name) for name in raw_columns(schema)], schema)


def held_in(row: pd.Series, name: str) -> list[str]:
    """The values of a column in a row, in the order in which they are added up; a pair's has the sign of none."""
    if name in SCHEMA.categorical:
        separator = SCHEMA.texts[SCHEMA.categorical.index(name)].separator
        return sorted(values_of(row[name], separator) if separator else {row[name]}, key=hash_value)
    first, second = (held_in(row, column) for column in name.split(" x "))
    if "" in {*first, *second}:
        return [""]
    return [f"{one}\0{other}" for one in first for other in second]


@pytest.fixture(scope="module")
def rows() -> pd.DataFrame:
    """400 rows with one to four tags and genres, a city and a device, frequent, rare, repeated and missing.

    Of the tags hundreds are rare, of the others a few.
    """
    random = np.random.default_rng(7)

    def field(separator: str, values: int) -> str:
        codes = random.zipf(1.4, random.integers(0, 5)) % values
        return separator.join(f"v{code}" if code else "" for code in codes)

    return pd.DataFrame(
        {
            "label": random.integers(0, 2, 400),
            "age": np.where(random.random(400) < 0.2, np.nan, random.normal(40, 10, 400)),
            "tags": [field(" ", 1000) for _ in range(400)],
            "city": [f"Köln {code}" if code else "" for code in random.zipf(1.4, 400) % 60],
            "genres": [field(" | ", 40) for _ in range(400)],
            "device": random.choice(["", "phone", "desk"], 400),
        }
    )


def by_definition(rows: pd.DataFrame, name: str, *, out_of_fold: bool) -> list[tuple[np.float32, np.float32]]:
    """Mean rate and mean log count of each row, one row and one value at a time."""
    held = [held_in(row, name) for _, row in rows.iterrows()]
    seen = [
        (value, fold, label) for own, fold, label in zip(held, rows[FOLD], rows["label"], strict=True) for value in own
    ]
    of_value = Counter(value for value, _, _ in seen)
    average = sum(label for _, _, label in seen) / len(seen)
    seldom = {value for value, number in of_value.items() if number < PARAMETERS.min_category_rows}
    assert (len(seldom) >= 100) == (name in WITH_POOL)
    rare = seldom if len(seldom) >= 100 else set()

    def pair(value: str, fold: int) -> tuple[np.float32, np.float32]:
        same = rare if value in rare else {value}
        labels = [label for other, of, label in seen if other in same and not (out_of_fold and of == fold)]
        rate = (sum(labels) + PARAMETERS.smoothing * average) / (len(labels) + PARAMETERS.smoothing)
        return np.float32(rate), np.float32(0.0 if value in rare else np.log1p(of_value[value]))

    known = {(value, fold): pair(value, fold) for value, fold, _ in seen}
    expected = []
    for own, fold in zip(held, rows[FOLD], strict=True):
        rates, log_counts = zip(*(known[value, fold] for value in own), strict=True)
        expected.append(
            (
                np.float32(sum(map(float, rates)) / len(own)),
                np.float32(sum(map(float, log_counts)) / len(own)),
            )
        )
    return expected


def divided(rows: pd.DataFrame, schema: Schema, parameters: TrainingParameters, folder: Path) -> LocalRows:
    """The rows as a run has them, in two files, all of them to train on."""
    batch = prepared(rows.to_dict(orient="records"), schema, label=rows["label"].tolist())
    half = len(rows) // 2
    for name, part in (("0", batch.slice(0, half)), ("1", batch.slice(half))):
        chunks.write(folder / f"{name}{chunks.SUFFIX}", [part])
    files = chunks.files(folder)
    engine = LocalEngine(data_size=0, processes=1)
    every = LocalRows(runner=engine, schema=schema, files=files)
    return every.divided(parameters, count=len(rows)).part(*Part)


def with_folds(rows: pd.DataFrame, schema: Schema, parameters: TrainingParameters) -> pd.DataFrame:
    """The rows with the fold that each is in."""
    batch = prepared(rows.to_dict(orient="records"), schema, label=rows["label"].tolist())
    division = Division(parameters=parameters, validation=0.1)
    return rows.assign(**{FOLD: division.folds(batch.column(RECORD_HASH).to_numpy())})


def inputs(rows: LocalRows, encoder: FoldEncoder, work: Path) -> pd.DataFrame:
    """The out-of-fold inputs by name, in the rows' order."""
    batches = [
        batch
        for file in rows.encode(encoder, TrainingParameters(), work / "train").files
        for batch in chunks.read(file)
    ]
    encoded = np.concatenate([np.stack(batch.column(FEATURES).to_pylist()) for batch in batches])
    return pd.DataFrame(encoded, columns=list(rows.schema.encoded_features))


@pytest.mark.parametrize("name", SCHEMA.categories)
def test_every_row_is_encoded_as_the_definition_says_to_the_bit(rows: pd.DataFrame, tmp_path: Path, name: str) -> None:
    of_run = divided(rows, SCHEMA, PARAMETERS, tmp_path)
    encoder = fold_encoder(of_run.count(PARAMETERS, tmp_path), of_run, SCHEMA, PARAMETERS)
    encoded = inputs(of_run, encoder, tmp_path)
    np.testing.assert_array_equal(encoded["age"], rows["age"])
    actual = list(zip(encoded[f"{name}_rate"], encoded[f"{name}_log_count"], strict=True))
    assert actual == by_definition(with_folds(rows, SCHEMA, PARAMETERS), name, out_of_fold=True)


@pytest.mark.parametrize("name", SCHEMA.categories)
def test_a_held_out_row_is_encoded_by_all_rows_as_the_service_encodes_it(
    rows: pd.DataFrame, tmp_path: Path, name: str
) -> None:
    of_run = divided(rows, SCHEMA, PARAMETERS, tmp_path)
    encoder = fold_encoder(of_run.count(PARAMETERS, tmp_path), of_run, SCHEMA, PARAMETERS)
    raw = raw_of(prepared(rows.to_dict(orient="records"), SCHEMA), SCHEMA)
    encoded = pd.DataFrame(raw.encode(encoder.encoder), columns=list(SCHEMA.encoded_features))
    actual = list(zip(encoded[f"{name}_rate"], encoded[f"{name}_log_count"], strict=True))
    assert actual == by_definition(with_folds(rows, SCHEMA, PARAMETERS), name, out_of_fold=False)


@pytest.mark.parametrize("name", SCHEMA.categories)
def test_values_are_counted_in_the_rows_that_are_wanted_and_in_no_others(
    rows: pd.DataFrame, tmp_path: Path, name: str
) -> None:
    of_run = divided(rows, SCHEMA, PARAMETERS, tmp_path)
    batch = prepared(rows.to_dict(orient="records"), SCHEMA, label=rows["label"].tolist())
    parts = Division(parameters=PARAMETERS, validation=0.1).parts(batch.column(RECORD_HASH).to_numpy(), None)
    wanted = rows[parts == PARTS.index(Part.HELD_OUT)]
    counted = of_run.part(Part.HELD_OUT).count(PARAMETERS, tmp_path).columns[SCHEMA.categories.index(name)]
    held = [(value, row["label"]) for _, row in wanted.iterrows() for value in held_in(row, name)]
    assert len(counted) == len({value for value, _ in held})
    assert (int(counted.rows.sum()), int(counted.clicks.sum())) == (len(held), sum(label for _, label in held))


def test_a_sample_is_encoded_as_the_rows_are(tmp_path: Path) -> None:
    bundle = Bundle.load(make_bundle(tmp_path / "bundle", schema=SCHEMA, rows=300, trees=1))
    wider = Schema(
        numeric=("age",),
        categorical=("more", "genres", "city", "device", "tags"),
        separators={"more": ",", "genres": "|", "tags": " "},
        crosses=(("city", "more"),),
    )
    records = random_records(SCHEMA, 200, seed=3)
    raw = raw_of(prepared([{**record, "more": "x,y"} for record in records], wider), wider)
    encoder = bundle.click_model.encoder
    np.testing.assert_array_equal(raw.of(SCHEMA).encode(encoder), to_rows(SCHEMA, records).encode(encoder))


def test_a_champion_takes_its_columns_of_several_values_and_its_crosses_from_wider_rows(tmp_path: Path) -> None:
    wider = Schema(
        numeric=("age",), categorical=("device", "genres", "city", "tags"), separators={"genres": "|", "tags": " "}
    )
    assert_scored_alike(tmp_path, own=SCHEMA, rows=wider)


def assert_scored_alike(folder: Path, *, own: Schema, rows: Schema) -> None:
    """The bundle of the schema `own` gives prepared rows of the schema `rows` what LightGBM gives the records."""
    bundle = Bundle.load(make_bundle(folder / "bundle", schema=own, rows=500, trees=5))
    records = random_records(own, 200, seed=3)
    clicks = bundle.click_model
    scored = Scored(schema=own, encoder=clicks.encoder, text=clicks.trees.read_text())
    found = score(MemoryRows((prepared(records, rows),)), rows, scored)
    expected = lightgbm.Booster(model_file=bundle.path / MODEL).predict(to_rows(own, records).encode(clicks.encoder))
    np.testing.assert_array_equal(found.probabilities, [expected])
