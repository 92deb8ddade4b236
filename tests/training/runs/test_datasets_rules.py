"""Rules of labels, keys and times: the same on Spark as in Python."""

from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pyspark.sql import SparkSession

from training.datasets.described.fields import TableRules, checks, is_click, key_of
from training.datasets.described.spec import Label
from training.engines.spark.reading import checked

TEXT = st.one_of(
    st.sampled_from(
        ["", "0", "1", "1.0", "4", "true", "False", "yes", "1d", "NaN", "2026-01-31", "1769853600", "soon", "NA"]
    ),
    st.sampled_from(["1e400", "1\u2028", "12.0", "12.0\n", "-0.0", "2026-02-30", "2026-01-31 10:00-05:30"]),
    st.text(alphabet="0123456789.-eTtru", max_size=5),
    st.from_regex(
        r"(20|02)[0-9]{2}-[0-9]{1,2}-[0-9]{2}[ T][0-9]{2}:[0-9]{2}(:[0-9]{2}(\.[0-9]+)?)?(Z|[+-][01][0-9]:?00)?"
    ),
)
NO_RULES = TableRules(path=Path("rows.csv"), keys={})
LABELS = [
    Label(column="label"),
    Label(column="label", at_least=1),
    Label(column="label", equals=1),
    Label(column="label", equals="yes"),
    Label(column="label", equals=True),
]


@pytest.mark.spark
@settings(max_examples=10, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(st.tuples(*[TEXT] * 4), min_size=60, max_size=90), st.sampled_from(LABELS))
def test_both_checks_have_the_same_rules(
    spark: SparkSession, fields: list[tuple[str, str, str, str]], label: Label
) -> None:
    absent = {name: frozenset({"", "NA", word}) for name, word in [("key", "0"), ("number", "yes"), ("label", "4")]}
    rules = TableRules(
        path=Path("rows.csv"), keys={"k": "key"}, numeric=["number"], label=label, timestamp="time", missing=absent
    )
    frame = spark.createDataFrame(fields, "key string, number string, label string, time string")
    every = checks(rules)
    wrong = [checked.wrong(check, rules) for check in every]
    made = frame.select(*wrong, checked.key("key", rules), checked.label(label, rules)).collect()
    columns = [name for name, _ in frame.dtypes]
    for row, texts in zip(made, fields, strict=True):
        text = dict(zip(columns, texts, strict=True))
        assert list(row[: len(every)]) == [not check.is_right(text[check.column]) for check in every], text
        present = {name: "" if rules.is_missing(name, text[name]) else text[name] for name in columns}
        assert row[-2] == key_of(present["key"])
        assert row[-1] == (is_click(present["label"], label) if present["label"] else None)


@pytest.mark.spark
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
    made = [row.made for row in frame.select(checked.label(label, NO_RULES).alias("made")).collect()]
    assert made == [1] * len(clicks) + [0] * len(others)


@pytest.mark.spark
def test_times_are_seconds_or_words(spark: SparkSession) -> None:
    texts = ["1769853600", "2026-01-31 10:00:00", "2026-01-31T10:00:00", "2026-01-31T11:00:00+01:00"]
    frame = spark.createDataFrame([(text,) for text in texts], "seen string")
    assert [row.t for row in frame.select(checked.time("seen", NO_RULES).cast("long").alias("t")).collect()] == [
        1769853600
    ] * 4
