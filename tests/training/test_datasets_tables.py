"""Interactions, users and items on Spark: joined as described, and every mistake named by file, line or key."""

from datetime import datetime
from pathlib import Path

import pandas as pd
import pytest
import yaml
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pyspark.sql import SparkSession

from infra.paths import ROOT
from tests.support.rows import read
from training import datasets
from training.datasets.errors import DuplicateKeyError, EmptyDatasetError, JoinError, MalformedRowError, OneClassError
from training.datasets.fields import TableRules, complaint
from training.datasets.join import _label, _present, _time, _wrong
from training.datasets.spec import Label
from training.parameters import TablesDataset

pytestmark = pytest.mark.spark

USERS = "user,age\nu1,30\nu2,\n"
ITEMS = 'item,genre\ni1,drama\ni2,"sci-fi, ""space"""\n'
INTERACTIONS = "user,item,rating,seen\nu1,i1,5,2026-01-31 10:00:00\nu2,i2,1,1769853600\nu9,i1,4,2026-02-01\n"


@pytest.fixture(autouse=True)
def cache(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PERSONALIZE_CACHE", str(tmp_path_factory.mktemp("cache")))


def dataset(folder: Path, *, tables: dict[str, str] | None = None, **changes: object) -> TablesDataset:
    """A dataset in `folder`, with other contents of these tables and these changes of its description."""
    for name, content in {"users": USERS, "items": ITEMS, "interactions": INTERACTIONS, **(tables or {})}.items():
        (folder / f"{name}.csv").write_text(content)
    spec = {
        "interactions": "interactions.csv",
        "users": {"path": "users.csv", "key": "user"},
        "items": {"path": "items.csv", "key": "item"},
        "label": {"column": "rating", "at_least": 4},
        "numeric": ["age"],
        "categorical": ["genre", "item"],
        "timestamp": "seen",
    }
    (folder / "dataset.yaml").write_text(yaml.safe_dump({**spec, **changes}))
    return TablesDataset(kind="tables", spec=folder / "dataset.yaml")


def test_tables_are_joined_on_their_keys(spark: SparkSession, tmp_path: Path) -> None:
    reports = []
    described = dataset(tmp_path)
    rows, schema = read(spark, described, None, lambda *said, **_: reports.append(said))
    assert (schema.numeric, schema.categorical, schema.timestamp) == (("age",), ("genre", "item"), "seen")
    assert dict(rows.dtypes) == {
        "label": "int",
        "age": "double",
        "genre": "string",
        "item": "string",
        "seen": "timestamp",
    }
    assert sorted(map(tuple, rows.collect())) == [
        (0, None, 'sci-fi, "space"', "i2", datetime(2026, 1, 31, 10, 0)),  # noqa: DTZ001 - Spark gives local times
        (1, 30.0, "drama", "i1", datetime(2026, 1, 31, 10, 0)),  # noqa: DTZ001
    ]
    assert reports == [("data", "2 of 3 interactions have a known user and item")]


def test_a_text_that_means_missing_is_missing_in_its_column_alone(spark: SparkSession, tmp_path: Path) -> None:
    described = dataset(
        tmp_path,
        tables={"users": "user,age\nu1,unkonwn\nu2,NA\n", "items": "item,genre\ni1,NA\ni2,?\n"},
        missing=["NA", "unkonwn"],
        categorical=[{"column": "genre", "missing": ["?"]}],
    )
    rows, _ = read(spark, described)
    assert sorted((row.age, row.genre) for row in rows.collect()) == [(None, ""), (None, "NA")]


def test_the_copy_in_the_lake_reads_the_same(spark: SparkSession, tmp_path: Path) -> None:
    described = dataset(tmp_path)
    datasets.materialize(described, tmp_path / "lake")
    first, second = (read(spark, described, folder)[0].collect() for folder in (None, tmp_path / "lake"))
    assert sorted(map(repr, first)) == sorted(map(repr, second))


def test_parquet_and_tsv_tables_with_other_key_names_are_joined(spark: SparkSession, tmp_path: Path) -> None:
    described = dataset(
        tmp_path,
        users={"path": "users.parquet", "key": "id", "interactions_key": "user"},
        items={"path": "items.tsv", "key": "item"},
        label={"column": "rating", "equals": 5},
    )
    pd.DataFrame({"id": ["u1", "u2"], "age": [30.5, None]}).to_parquet(tmp_path / "users.parquet")
    (tmp_path / "items.tsv").write_text(ITEMS.replace(",", "\t", 3))
    rows, _ = read(spark, described)
    assert sorted((row.label, row.age) for row in rows.collect() if row.label) == [(1, 30.5)]


def test_the_example_has_no_row_without_user_and_item(spark: SparkSession) -> None:
    rows, _ = read(spark, TablesDataset(kind="tables", spec=ROOT / "examples/tables/dataset.yaml"))
    found = rows.selectExpr("count(*) rows", "avg(label) rate").first()
    assert found.rows == 3_000
    assert 0.2 < found.rate < 0.5


@pytest.mark.parametrize(
    ("tables", "reason"),
    [
        (
            {"users": "user,age\nu1,30\nu2,old\n"},
            r"users\.csv, line 3: 'old' in the numeric column age is not a number",
        ),
        ({"users": "user,age\nu1,30\nu2,4,5\n"}, r"users\.csv, line 3: 3 fields instead of 2"),
        ({"items": 'item,genre\ni1,"a\nb"\n'}, r"items\.csv, line 2: a quoted field contains a line break"),
        ({"users": "user,age\n,30\n"}, r"users\.csv, line 2: the key user is empty"),
        (
            {"interactions": INTERACTIONS + "u1,i1,,2026-01-01\n"},
            r"line 5: the label rating is '', but it must be a num",
        ),
        ({"interactions": INTERACTIONS + "u1,i1,3,\n"}, r"line 5: '' in the timestamp column seen is no time"),
        ({"interactions": INTERACTIONS + "u1,i1,3,soon\n"}, r"line 5: 'soon' in the timestamp column seen is no time"),
    ],
)
def test_a_wrong_row_is_named_by_file_and_line(
    spark: SparkSession, tmp_path: Path, tables: dict[str, str], reason: str
) -> None:
    with pytest.raises(MalformedRowError, match=reason):
        read(spark, dataset(tmp_path, tables=tables))


def test_a_label_without_a_rule_must_be_0_or_1(spark: SparkSession, tmp_path: Path) -> None:
    with pytest.raises(
        MalformedRowError, match=r"line 2: the label rating is '5', but it must be 0 or 1, or `at_least`"
    ):
        read(spark, dataset(tmp_path, label={"column": "rating"}))


def test_a_wrong_row_of_a_parquet_file_is_shown(spark: SparkSession, tmp_path: Path) -> None:
    described = dataset(tmp_path, users={"path": "users.parquet", "key": "user"})
    pd.DataFrame({"user": ["u1", "u2"], "age": ["30", "old"]}).to_parquet(tmp_path / "users.parquet")
    with pytest.raises(MalformedRowError, match=r"users\.parquet: 'old' in the numeric column age.*user 'u2'"):
        read(spark, described)


def test_a_duplicate_user_is_named_by_its_key(spark: SparkSession, tmp_path: Path) -> None:
    with pytest.raises(DuplicateKeyError, match=r"users\.csv has 2 rows with the user 'u1', and 1 more keys"):
        read(spark, dataset(tmp_path, tables={"users": USERS + "u1,31\nu2,31\nu3,5\n"}))


def test_keys_that_match_nothing_say_how_many_rows_survive(spark: SparkSession, tmp_path: Path) -> None:
    with pytest.raises(JoinError) as caught:
        read(spark, dataset(tmp_path, tables={"users": "user,age\n1,30\n2,40\n"}))
    assert f"0 of 3 rows of {tmp_path}/interactions.csv survive the join: 0 have a row in" in str(caught.value)
    assert "keys look like 'u1' in the interactions' user and '1' in the users' user" in str(caught.value)
    assert "3 have a row in" in str(caught.value)


def test_labels_that_are_all_the_same_are_refused(spark: SparkSession, tmp_path: Path) -> None:
    with pytest.raises(OneClassError, match="have the label 0"):
        read(spark, dataset(tmp_path, label={"column": "rating", "at_least": 9}))


def test_a_table_of_its_header_alone_is_refused(spark: SparkSession, tmp_path: Path) -> None:
    with pytest.raises(EmptyDatasetError, match=r"users\.csv names its columns but has no row"):
        read(spark, dataset(tmp_path, tables={"users": "user,age\n"}))


TEXT = st.one_of(
    st.sampled_from(
        ["", "0", "1", "1.0", "4", "true", "False", "yes", "1d", "NaN", "2026-01-31", "1769853600", "soon"]
    ),
    st.text(alphabet="0123456789.-eTtru", max_size=5),
)
LABELS = [
    Label(column="label"),
    Label(column="label", at_least=1),
    Label(column="label", equals=1),
    Label(column="label", equals="yes"),
    Label(column="label", equals=True),
]


@settings(max_examples=8, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(st.tuples(TEXT, TEXT, TEXT), min_size=30, max_size=60), st.sampled_from(LABELS))
def test_both_passes_refuse_the_same_rows(
    spark: SparkSession, fields: list[tuple[str, str, str]], label: Label
) -> None:
    absent = {"key": frozenset({"", "0"}), "number": frozenset({"", "yes"}), "label": frozenset({"", "4"})}
    rules = TableRules(path=Path("rows.csv"), keys={"k": "key"}, numeric=["number"], label=label, missing=absent)
    rows = [{"key": key, "number": number, "label": text, "_corrupt": None} for key, number, text in fields]
    frame = spark.createDataFrame(rows, "key string, number string, label string, _corrupt string")
    refused = [row.wrong for row in _present(frame, rules).select(_wrong(rules).alias("wrong")).collect()]
    assert refused == [complaint(row, rules) is not None for row in rows]


@pytest.mark.parametrize(
    ("label", "clicks", "others"),
    [
        (Label(column="text"), ["1", "1.0"], ["0", "0.0"]),
        (Label(column="text", at_least=4), ["4", "4.5", "1e2"], ["3.9", "-5"]),
        (Label(column="text", equals=1), ["1", "1.0"], ["0", "7"]),
        (Label(column="text", equals="buy"), ["buy"], ["view", "Buy"]),
        (Label(column="text", equals=False), ["false", "FALSE"], ["true"]),
    ],
)
def test_the_rule_makes_the_label(spark: SparkSession, label: Label, clicks: list[str], others: list[str]) -> None:
    frame = spark.createDataFrame([(text,) for text in clicks + others], "text string")
    made = [row.made for row in frame.select(_label(label).alias("made")).collect()]
    assert made == [1] * len(clicks) + [0] * len(others)


def test_times_are_seconds_or_words(spark: SparkSession) -> None:
    texts = ["1769853600", "2026-01-31 10:00:00", "2026-01-31T10:00:00", "2026-01-31T11:00:00+01:00"]
    frame = spark.createDataFrame([(text,) for text in texts], "seen string")
    assert [row.t for row in frame.select(_time("seen").cast("long").alias("t")).collect()] == [1769853600] * 4
