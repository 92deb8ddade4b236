"""The three tables of a described dataset on Spark: checked, then joined.

Every field of a text file is read as text and checked by us, so that a wrong one is an error that names its line and
not a silent null.
"""

from py4j.protocol import Py4JJavaError
from pyspark.sql import Column, DataFrame, Row, SparkSession
from pyspark.sql import functions as F  # noqa: N812 - the name that every Spark program uses
from pyspark.sql.types import StringType, StructField, StructType

from features.schema import Schema
from training.datasets.columns import delimiter, header, is_text, locate
from training.datasets.errors import DatasetError, DuplicateKeyError, EmptyDatasetError, JoinError, MalformedRowError
from training.datasets.fields import NUMBER, TableRules, complaint, first_problem
from training.datasets.labels import require_both_classes
from training.datasets.progress import STAGE, Reporter
from training.datasets.source import PROBLEM, Found, Source
from training.datasets.spec import LABEL, Label, TablesSpec
from training.places import to_read
from training.quoting import column

_CORRUPT = "_corrupt"
_KEYS = {"users": "_user_key", "items": "_item_key"}


def open_joined(spark: SparkSession, spec: TablesSpec, report: Reporter) -> Source:
    """The interactions with their users' and items' columns: label int, numbers double with null for missing,
    categories string with "" for missing, and the timestamp if there is one.

    Interactions whose user or item is unknown are left out, and `report` says how many are not. The tables are checked
    now, by reading them, and what is left of the interactions when the rows are. Raises the `DatasetError` that fits.
    """
    rules = table_rules(spec)
    texts = {table: _present(_texts(spark, rule), rule) for table, rule in rules.items()}
    total = {table: _check(texts[table], rule) for table, rule in rules.items()}["interactions"]
    tables = {table: _typed(texts[table], rule) for table, rule in rules.items()}
    for table, key in _KEYS.items():
        _require_unique(tables[table], key, rules[table])
    schema = Schema(
        numeric=spec.numeric_names, categorical=spec.categorical_names, label=LABEL, timestamp=spec.timestamp
    )
    names = [LABEL, *schema.features, *([spec.timestamp] if spec.timestamp else [])]
    joined = tables["interactions"].join(tables["users"], _KEYS["users"]).join(tables["items"], _KEYS["items"])

    def check(found: Found) -> None:
        if found.rows == 0:
            raise _nothing_matches(tables, rules, total)
        left = f"{rules['interactions'].path} that survive the join"
        require_both_classes(left, rows=found.rows, clicks=found.clicks)
        report(STAGE, f"{found.rows:,} of {total:,} interactions have a known user and item")

    right = F.lit(False).alias(PROBLEM)  # noqa: FBT003 - a literal of Spark, not a flag
    frame = joined.select(*map(column, names), right)
    return Source(frame=frame, schema=schema, explain=lambda: None, check=check)


def table_rules(spec: TablesSpec) -> dict[str, TableRules]:
    """What each table must hold."""
    located = locate(spec)
    keys = {
        "interactions": {_KEYS["users"]: spec.users.foreign_key, _KEYS["items"]: spec.items.foreign_key},
        "users": {_KEYS["users"]: spec.users.key},
        "items": {_KEYS["items"]: spec.items.key},
    }
    return {
        table: TableRules(
            path=path,
            keys=keys[table],
            numeric=located[table]["numeric"],
            categorical=located[table]["categorical"],
            label=spec.label if table == "interactions" else None,
            timestamp=spec.timestamp if table == "interactions" else None,
            missing={name: spec.missing_in(name) for name in header(path)},
        )
        for table, path in spec.tables.items()
    }


def _texts(spark: SparkSession, rules: TableRules) -> DataFrame:
    """Every column of a table as text, "" for missing; `_CORRUPT` is null unless a row has a wrong number of fields."""
    path = to_read(rules.path)
    if not is_text(rules.path):
        table = spark.read.parquet(path)
        columns = [_text(column(name), kind).alias(name) for name, kind in table.dtypes]
        return table.select(*columns, F.lit(None).cast("string").alias(_CORRUPT))
    names = header(rules.path)
    schema = StructType([StructField(name, StringType()) for name in [*names, _CORRUPT]])
    # Without all columns parsed, Spark does not notice a row with too few or too many fields.
    table = spark.read.option("columnPruning", "false").csv(
        path,
        schema=schema,
        sep=delimiter(rules.path),
        header=True,
        escape='"',
        mode="PERMISSIVE",
        columnNameOfCorruptRecord=_CORRUPT,
    )
    return table.select(*(F.coalesce(column(name), F.lit("")).alias(name) for name in names), _CORRUPT)


def _text(column: Column, kind: str) -> Column:
    if kind in {"float", "double"}:
        column = F.when(~F.isnan(column), column)
    return F.coalesce(column.cast("string"), F.lit(""))


def _present(texts: DataFrame, rules: TableRules) -> DataFrame:
    """The same columns with "" for every text that means missing."""
    absent = {name: sorted(words - {""}) for name, words in rules.missing.items() if words - {""}}
    blank = {name: F.when(~column(name).isin(words), column(name)).otherwise("") for name, words in absent.items()}
    return texts.select(*(blank.get(name, column(name)).alias(name) for name in texts.columns))


def _check(texts: DataFrame, rules: TableRules) -> int:
    """The number of rows of a table whose rows are all right; raises the `DatasetError` that fits otherwise."""
    wrong = _wrong(rules)
    try:
        found = texts.agg(F.count("*").alias("rows"), F.count_if(wrong).alias("problems")).first()
        example = texts.filter(wrong).first() if found and found.problems else None
    except Py4JJavaError as error:
        raise _unreadable(rules) from error
    if found is None or found.rows == 0:
        raise EmptyDatasetError(f"{rules.path} names its columns but has no row. Give a file with rows in it.")
    if example:
        problem = complaint(example.asDict(), rules)
        raise (first_problem(rules) if is_text(rules.path) else None) or MalformedRowError(
            f"{rules.path}: {problem or 'a row cannot be read'} (the row: {_shown(example)})"
        )
    return int(found.rows)


def _wrong(rules: TableRules) -> Column:
    """Whether a row breaks a rule; `training.datasets.fields.complaint` says which."""
    wrong = column(_CORRUPT).isNotNull()
    for name in rules.keys.values():
        wrong |= column(name) == ""
    for name in rules.numeric:
        wrong |= (column(name) != "") & ~column(name).rlike(NUMBER)
    if rules.label:
        wrong |= F.isnull(_label(rules.label))
    if rules.timestamp:
        wrong |= F.isnull(_time(rules.timestamp))
    return wrong


def _typed(texts: DataFrame, rules: TableRules) -> DataFrame:
    columns = [column(name).alias(key) for key, name in rules.keys.items()]
    columns += [F.when(column(name) != "", column(name)).cast("double").alias(name) for name in rules.numeric]
    columns += [column(name) for name in rules.categorical]
    if rules.label:
        columns.append(_label(rules.label).alias(LABEL))
    if rules.timestamp:
        columns.append(_time(rules.timestamp).alias(rules.timestamp))
    return texts.select(*columns)


def _label(label: Label) -> Column:
    """The label as 0 or 1 by its rule, null for a field to which the rule does not apply."""
    text = column(label.column)
    if isinstance(label.equals, str):
        return F.when(text != "", (text == label.equals).cast("int"))
    if isinstance(label.equals, bool):
        return F.when(F.lower(text).isin("true", "false"), (F.lower(text) == str(label.equals).lower()).cast("int"))
    number = F.when(text.rlike(NUMBER), text).cast("double")
    if label.at_least is not None:
        return (number >= label.at_least).cast("int")
    if label.equals is not None:
        return (number == label.equals).cast("int")
    return F.when(number.isin(0.0, 1.0), number.cast("int"))


def _time(name: str) -> Column:
    """Seconds since 1970 or a time in words as a timestamp, null for anything else."""
    text = column(name)
    return F.when(text.rlike(NUMBER), F.when(text.rlike(NUMBER), text).cast("double").cast("timestamp")).otherwise(
        F.try_to_timestamp(text)
    )


def _require_unique(table: DataFrame, key: str, rules: TableRules) -> None:
    repeated = table.groupBy(key).count().filter("count > 1").orderBy(key)
    example = repeated.first()
    if example is None:
        return
    others = repeated.count() - 1
    more = f", and {others:,} more keys are repeated" if others else ""
    raise DuplicateKeyError(
        f"{rules.path} has {example['count']} rows with the {rules.keys[key]} {example[key]!r}{more}. "
        "Keep one row for each key."
    )


def _nothing_matches(tables: dict[str, DataFrame], rules: dict[str, TableRules], total: int) -> JoinError:
    parts = []
    for table, key in _KEYS.items():
        matched = tables["interactions"].join(tables[table], key, "left_semi").count()
        ours, theirs = (frame.select(key).first() for frame in (tables["interactions"], tables[table]))
        parts.append(
            f"{matched:,} have a row in {rules[table].path} (keys look like {ours and ours[0]!r} in the interactions' "
            f"{rules['interactions'].keys[key]} and {theirs and theirs[0]!r} in the {table}' {rules[table].keys[key]})"
        )
    return JoinError(
        f"0 of {total:,} rows of {rules['interactions'].path} survive the join: {' and '.join(parts)}. "
        "Make the keys the same in both files."
    )


def _unreadable(rules: TableRules) -> DatasetError:
    found = first_problem(rules) if is_text(rules.path) else None
    return found or DatasetError(f"Spark cannot read {rules.path}. Write the file again.")


def _shown(row: Row) -> str:
    return ", ".join(f"{name} {value!r}" for name, value in row.asDict().items() if value is not None)
