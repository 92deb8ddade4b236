"""The tables of a described dataset on Spark, as text, with the check that reads all of their rows.

Every field is read as text and checked by us, so that a wrong one is an error that names its line and not a silent
null. The rules are those of `training.datasets.described.fields`.
"""

from py4j.protocol import Py4JJavaError
from pyspark.sql import Column, DataFrame, Row, SparkSession
from pyspark.sql import functions as F  # noqa: N812 - the name that every Spark program uses
from pyspark.sql.types import StringType, StructField, StructType

from training.datasets.described.cells import all_faults, malformed
from training.datasets.described.columns import header
from training.datasets.described.fields import NUMBER, TIME, WHOLE, Check, TableRules, checks
from training.datasets.described.problems import no_row
from training.datasets.described.spec import Label
from training.datasets.described.texts import delimiter, is_text, require_utf8
from training.datasets.described.uses import Use, problem, spoken_of
from training.datasets.errors import DatasetError
from training.engines.spark.identifiers import column
from training.engines.spark.spark_paths import to_read

_CORRUPT = "_corrupt"
_REPLACEMENT = "\ufffd"
"""What Spark makes of bytes that are no UTF-8; it may stand in a file of its own right too."""


def texts_of(spark: SparkSession, rules: TableRules) -> DataFrame:
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
        text = F.when(F.floor(column) == column, column.cast("bigint").cast("string")).otherwise(column.cast("string"))
        return F.coalesce(F.when(~F.isnan(column), text), F.lit(""))
    return F.coalesce(column.cast("string"), F.lit(""))


def value(name: str, rules: TableRules) -> Column:
    """A column's text, "" where it means missing."""
    words = sorted(rules.missing.get(name, frozenset()) - {""})
    return F.when(~column(name).isin(words), column(name)).otherwise("") if words else column(name)


def key(name: str, rules: TableRules) -> Column:
    """A column's text as a key: see `training.datasets.described.fields.key_of`."""
    return F.regexp_replace(value(name, rules), exactly(WHOLE), "$1")


def label(rule: Label, rules: TableRules) -> Column:
    """The label as 0 or 1 by its rule, null for a field to which the rule does not apply."""
    text = value(rule.column, rules)
    if isinstance(rule.equals, str):
        return F.when(text != "", (text == rule.equals).cast("int"))
    if isinstance(rule.equals, bool):
        return F.when(F.lower(text).isin("true", "false"), (F.lower(text) == str(rule.equals).lower()).cast("int"))
    value_of = number(text)
    if rule.at_least is not None:
        return (value_of >= rule.at_least).cast("int")
    if rule.equals is not None:
        return (value_of == rule.equals).cast("int")
    return F.when(value_of.isin(0.0, 1.0), value_of.cast("int"))


def time(name: str, rules: TableRules) -> Column:
    """Seconds since 1970 or a time in words as a timestamp, null for anything else."""
    text = value(name, rules)
    words = F.when(text.rlike(exactly(TIME)), F.try_to_timestamp(text))
    return F.coalesce(number(text).cast("timestamp"), words)


def wrong(check: Check, rules: TableRules) -> Column:
    """Whether a field breaks a rule, never null: the expression of `Check.is_right`."""
    text = value(check.column, rules)
    match check.role:
        case "key":
            return text == ""
        case "number":
            return (text != "") & F.isnull(number(text))
        case "label" if rules.label:
            return F.isnull(label(rules.label, rules))
        case _:
            return F.isnull(time(check.column, rules))


def find_problems(texts: DataFrame, rules: TableRules) -> tuple[int, list[DatasetError]]:
    """The number of rows of a table, as `texts_of` gives it, and all that is wrong with their fields.

    Raises the `DatasetError` that fits for a file that cannot be read.
    """
    found = _counted(texts, rules)
    if not found["rows"]:
        raise no_row(rules.path)
    problems: list[DatasetError] = []
    if found["replaced"]:
        require_utf8(rules.path)
    if found["corrupt"] or any(found[f"wrong {index}"] for index in range(len(checks(rules)))):
        rows, faults = all_faults(rules)
        problems.append(malformed([fault.sentence(f"{rows:,}") for fault in faults] or [_refused(texts, rules)]))
    for name in spoken_of(rules):
        use = Use(column=name, **{what: found[f"{what} {name}"] for what in ("filled", "present", "separated")})
        use.example = found[f"example {name}"] or ""
        if error := problem(use, rules):
            problems.append(error)
    return found["rows"], problems


def _counted(texts: DataFrame, rules: TableRules) -> Row:
    """One pass: how many rows there are, and for how many of them what is true."""
    replaced = F.lit(False)  # noqa: FBT003 - a literal of Spark, not a flag
    for name in rules.columns if is_text(rules.path) else ():
        replaced |= column(name).contains(_REPLACEMENT)
    counts = [F.count_if(wrong(check, rules)).alias(f"wrong {index}") for index, check in enumerate(checks(rules))]
    for name in spoken_of(rules):
        text = value(name, rules)
        separator = rules.separators.get(name)
        counts += [
            F.count_if(column(name) != "").alias(f"filled {name}"),
            F.count_if(text != "").alias(f"present {name}"),
            F.count_if(text.contains(separator) if separator else F.lit(False)).alias(f"separated {name}"),  # noqa: FBT003
            F.min(F.when(text != "", text)).alias(f"example {name}"),
        ]
    counts += [F.count(column(_CORRUPT)).alias("corrupt"), F.count_if(replaced).alias("replaced")]
    try:
        return texts.agg(F.count("*").alias("rows"), *counts).collect()[0]
    except Py4JJavaError as error:
        raise _unreadable(rules) from error


def number(text: Column) -> Column:
    """A text as double, null where it is no number."""
    decimal = F.when(text.rlike(exactly(NUMBER)), text).cast("double")
    return F.when(F.abs(decimal) < float("inf"), decimal)


def exactly(pattern: str) -> str:
    """The pattern that a whole text must match: to Java, a `$` stands before a last line break too."""
    return rf"\A(?:{pattern})\z"


def _refused(texts: DataFrame, rules: TableRules) -> str:
    """What to say of rows in which only Spark sees a fault."""
    refused = column(_CORRUPT).isNotNull()
    for check in checks(rules):
        refused |= wrong(check, rules)
    example = texts.filter(refused).first()
    shown = ", ".join(f"{name} {text!r}" for name, text in example.asDict().items() if text) if example else ""
    return f"{rules.path}: Spark refuses rows such as {shown}"


def _unreadable(rules: TableRules) -> DatasetError:
    try:
        rows, faults = all_faults(rules)
    except DatasetError as error:
        return error
    if faults:
        return malformed([fault.sentence(f"{rows:,}") for fault in faults])
    return DatasetError(f"Spark cannot read {rules.path}. Write the file again.")
