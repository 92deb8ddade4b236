"""Small real bundles for tests, made within a second: native LightGBM on random rows, encoded by the project's
encoder."""

import shutil
from collections.abc import Callable, Sequence
from pathlib import Path

import lightgbm
import msgspec
import numpy as np
import numpy.typing as npt

from features.bundle import (
    BUNDLE_FORMAT,
    GOLDEN,
    METADATA,
    MODEL,
    REPORT,
    SCHEMA,
    GoldenRecord,
    Metadata,
    Verdict,
    seal,
)
from features.columns import MOMENT, Category
from features.encoder import Encoder, Factors, RawRows
from features.hashing import Categories, Several, hash_value, hash_values
from features.reference import FILE as REFERENCE
from features.reference import Histogram, Reference, column_values
from features.schema import CRITEO, Schema

Record = dict[str, str | float | None]
MakeBundle = Callable[[int], Path]


def _empty(bundle: Path) -> None:
    (bundle / MODEL).write_bytes(b"")


def _cut(bundle: Path) -> None:
    (bundle / METADATA).write_bytes((bundle / METADATA).read_bytes()[:100])


def _file_instead(bundle: Path) -> None:
    shutil.rmtree(bundle)
    bundle.touch()


def _link_instead(bundle: Path) -> None:
    shutil.rmtree(bundle)
    bundle.symlink_to("gone")


DAMAGES: tuple[Callable[[Path], None], ...] = (
    _empty,
    _cut,
    lambda bundle: (bundle / SCHEMA).unlink(),
    shutil.rmtree,
    _file_instead,
    _link_instead,
)
"""What a lost power supply or a careless hand does to a bundle's folder."""

GOLDEN_RECORDS = 50
SMOOTHING = 20.0
MAX_VALUES = 5


def make_bundle(
    folder: Path, *, schema: Schema = CRITEO, rows: int = 2_000, seed: int = 42, values: int = 200, trees: int = 10
) -> Path:
    """Write a sealed bundle into the new folder `folder` and return it.

    `rows` random records are drawn with `random_records`; clicks depend on the numbers and on the categories. `values`
    is how many distinct values a categorical column has. Same arguments, same bundle.
    """
    folder.mkdir(parents=True)
    records = random_records(schema, rows, seed=seed, values=values)
    made = to_rows(schema, records)
    labels = _labels(schema, records, seed)
    encoder = _encoder(made, labels)
    encoded = made.encode(encoder)
    booster = lightgbm.train(
        {"objective": "binary", "num_leaves": 32, "verbose": -1, "seed": seed, "num_threads": 1, "deterministic": True},
        lightgbm.Dataset(encoded, labels, feature_name=list(schema.encoded_features)),
        num_boost_round=trees,
    )
    booster.save_model(folder / MODEL)
    encoder.save(folder)
    (folder / SCHEMA).write_bytes(schema.to_json())
    (folder / METADATA).write_bytes(msgspec.json.encode(made_metadata(seed)))
    (folder / REPORT).write_text("<!doctype html><title>Test</title>")
    golden = records[:GOLDEN_RECORDS]
    probabilities = np.asarray(booster.predict(encoded))
    write_golden(folder, golden, probabilities[:GOLDEN_RECORDS].tolist())
    (folder / REFERENCE).write_bytes(msgspec.json.encode(_reference(schema, encoded, probabilities)))
    seal(folder)
    return folder


def write_golden(folder: Path, records: list[Record], probabilities: list[float]) -> None:
    """Write `golden.jsonl`; the bundle must be sealed afterwards."""
    pairs = zip(records, probabilities, strict=True)
    lines = [msgspec.json.encode(GoldenRecord(record=record, probability=value)) for record, value in pairs]
    (folder / GOLDEN).write_bytes(b"\n".join(lines) + b"\n")


def random_records(schema: Schema, rows: int, *, seed: int = 0, values: int = 200) -> list[Record]:
    """`rows` records of the schema with one value in ten missing, as null or the empty string.

    Fields with several values have up to `MAX_VALUES`, in any order and some of them twice.
    """
    generator = np.random.default_rng(seed)
    numbers = np.round(generator.exponential(20.0, (rows, len(schema.numeric))), 3)
    codes = generator.zipf(1.5, (rows, len(schema.categorical))) % values
    missing = generator.random((rows, len(schema.numeric) + len(schema.categorical))) < 0.1
    records: list[Record] = []
    for row in range(rows):
        record: Record = {
            name: None if missing[row, index] else float(numbers[row, index])
            for index, name in enumerate(schema.numeric)
        }
        for index, name in enumerate(schema.categorical):
            absent = missing[row, len(schema.numeric) + index]
            record[name] = "" if absent else f"{index:02x}{codes[row, index]:06x}"
        records.append(record)
    for column in schema.several:
        for record in records:
            more = generator.zipf(1.5, generator.integers(0, MAX_VALUES)) % values
            field = [str(record[column.name]), *(f"{column.index:02x}{code:06x}" for code in more)]
            record[column.name] = f" {column.separator}".join(field)
    for record in records if schema.times else []:
        for name in (*(column.name for column in schema.further), MOMENT):
            absent = name != MOMENT and generator.random() < 0.1
            record[name] = None if absent else round(float(generator.normal(1.6e9, 1e9)), 3)  # seconds, from 1890 on
    return records


def to_rows(schema: Schema, records: Sequence[Record]) -> RawRows:
    """The records as rows; fields are split here by the definition and not by the code under test."""
    numbers = [
        np.array([np.nan if record.get(field.name) is None else record[field.name] for record in records], np.float64)
        for field in schema.numbers[: len(schema.numeric)]
    ]
    texts = [_values(field, records) for field in schema.texts]
    times = [_microseconds(field.name, records) for field in schema.fields[len(schema.numeric) + len(schema.texts) :]]
    return RawRows(schema=schema, fields=[*numbers, *texts, *times])


def _microseconds(name: str, records: Sequence[Record]) -> npt.NDArray[np.float64]:
    """Those of a column that holds seconds since 1970."""
    values = [record.get(name) for record in records]
    return np.array([np.nan if value is None else int(float(value) * 1_000_000) for value in values], np.float64)


def _values(column: Category, records: Sequence[Record]) -> Categories:
    texts = [str(record.get(column.name) or "") for record in records]
    if not column.separator:
        return hash_values(texts)
    parts = [{part.strip(" ") for part in text.split(column.separator)} - {""} or {""} for text in texts]
    values = [(row, value) for row, of_row in enumerate(parts) for value in sorted(map(hash_value, of_row))]
    row, hashes = np.array(values, dtype=np.int64).reshape(-1, 2).T
    return Several(hashes=hashes, row=row)


def _labels(schema: Schema, records: Sequence[Record], seed: int) -> npt.NDArray[np.int64]:
    numeric = np.array([[record[name] for name in schema.numeric] for record in records], dtype=np.float64)
    texts = [hash_values(str(record[name] or "") for record in records) for name in schema.categorical]
    hashes = np.column_stack([np.zeros(len(records), np.int64), *texts])
    logit = -1.3 + np.nansum(np.log1p(numeric), axis=1) * 0.02 + np.sum((hashes[:, 1:] % 7) - 3, axis=1) * 0.1
    clicked: npt.NDArray[np.bool_] = np.random.default_rng(seed + 1).random(len(logit)) < 1 / (1 + np.exp(-logit))
    return clicked.astype(np.int64)


def _reference(schema: Schema, encoded: npt.NDArray[np.float64], probabilities: npt.NDArray[np.float64]) -> Reference:
    columns = zip(schema.columns, column_values(schema, encoded).T, strict=True)
    return Reference(
        prediction=Histogram.of(probabilities), columns={one.name: Histogram.of(values) for one, values in columns}
    )


def _encoder(made: RawRows, labels: npt.NDArray[np.int64]) -> Encoder:
    schema = made.schema
    base_rate = float(labels.mean())
    tables, rates, log_counts = [], [], []
    for index in range(len(schema.categories)):
        found = made.values(index)
        values, row = found if isinstance(found, Several) else (found, np.arange(len(found)))
        table, inverse, counts = np.unique(values, return_inverse=True, return_counts=True)
        clicks = np.bincount(inverse, weights=labels[row], minlength=len(table))
        tables.append(table)
        rates.append((clicks + SMOOTHING * base_rate) / (counts + SMOOTHING))
        log_counts.append(np.log1p(counts))
    factors = None
    if schema.factored:
        columns = (schema.factored.first.index, schema.factored.second.index)
        first, second = (np.cos(np.arange(6 * len(tables[column]) + 6)).reshape(-1, 6) for column in columns)
        factors = Factors(
            columns=columns, first=first.astype(np.float32), second=second.astype(np.float32)
        )  # any will do
    return Encoder(
        columns=schema.categories,
        offsets=np.cumsum([0, *(len(table) for table in tables)], dtype=np.int64),
        hashes=np.concatenate([*tables, np.empty(0, dtype=np.int64)]),
        rates=np.concatenate([*rates, np.empty(0)]).astype(np.float32),
        log_counts=np.concatenate([*log_counts, np.empty(0)]).astype(np.float32),
        unseen=np.tile(np.array([base_rate, 0.0], dtype=np.float32), (len(schema.categories), 1)),
        factors=factors,
    )


def made_metadata(seed: int = 1, **metrics: object) -> Metadata:
    return Metadata(
        bundle_format=BUNDLE_FORMAT,
        manifest_hash="0" * 64,
        code_hash="1" * 64,
        seed=seed,
        hyperparameters={},
        library_versions={},
        metrics=metrics,
        verdict=Verdict(accepted=True, reasons=("Made for a test.",)),
    )
