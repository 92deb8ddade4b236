"""The three tables of a described dataset on Spark: checked, then joined."""

from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F  # noqa: N812 - the name that every Spark program uses

from training.datasets.described.columns import KEYS, table_rules
from training.datasets.described.fields import TableRules
from training.datasets.described.problems import KEY_EXAMPLES, Matches, no_match, raise_all, repeated_key
from training.datasets.described.spec import LABEL, TablesSpec
from training.datasets.errors import DatasetError, DuplicateKeyError, JoinError
from training.datasets.labels import require_both_classes
from training.datasets.progress import STAGE, Reporter
from training.engines.spark.identifiers import column
from training.engines.spark.reading import checked
from training.engines.spark.reading.found import Found
from training.engines.spark.reading.source import PROBLEM, Source


def open_joined(spark: SparkSession, spec: TablesSpec, report: Reporter) -> Source:
    """The interactions with their users' and items' columns: label int, numbers double with null for missing,
    categories string with "" for missing, and the timestamp if there is one.

    Interactions whose user or item is unknown are left out, and `report` says how many are not. The tables are checked
    now, by reading them, and what is left of the interactions when the rows are. Raises the `DatasetError` that fits.
    """
    rules = table_rules(spec)
    texts = {table: checked.texts_of(spark, rule) for table, rule in rules.items()}
    tables = {table: _typed(texts[table], rule) for table, rule in rules.items()}
    total = _require_right(texts, tables, rules)
    schema = spec.joined_schema
    names = [LABEL, *schema.features, *([spec.timestamp] if spec.timestamp else [])]
    joined = tables["interactions"].join(tables["users"], KEYS["users"]).join(tables["items"], KEYS["items"])

    def check(found: Found) -> None:
        if found.rows == 0:
            raise _nothing_matches(tables, rules, total)
        left = f"{rules['interactions'].path} that survive the join"
        require_both_classes(left, rows=found.rows, clicks=found.clicks)
        report(STAGE, f"{found.rows:,} of {total:,} interactions have a known user and item")

    right = F.lit(False).alias(PROBLEM)  # noqa: FBT003 - a literal of Spark, not a flag
    frame = joined.select(*map(column, names), right)
    return Source(frame=frame, schema=schema, explain=lambda: None, check=check)


def _require_right(texts: dict[str, DataFrame], tables: dict[str, DataFrame], rules: dict[str, TableRules]) -> int:
    """The number of interactions; raises one error for all that is wrong with the three tables."""
    rows: dict[str, int] = {}
    problems: list[DatasetError] = []
    for table, rule in rules.items():
        try:
            rows[table], found = checked.find_problems(texts[table], rule)
        except DatasetError as error:
            found = [error]
        problems += found
    if not problems:
        repeated = (_repeated(tables[table], key, rules[table]) for table, key in KEYS.items())
        problems += [error for error in repeated if error]
    raise_all(problems)
    return rows["interactions"]


def _typed(texts: DataFrame, rules: TableRules) -> DataFrame:
    """The columns that are used, each of its type; keys by their joined name, the label as `LABEL`."""
    columns = [checked.key(name, rules).alias(key) for key, name in rules.keys.items()]
    columns += [checked.number(checked.value(name, rules)).alias(name) for name in rules.numeric]
    columns += [checked.value(name, rules).alias(name) for name in rules.categorical]
    if rules.label:
        columns.append(checked.label(rules.label, rules).alias(LABEL))
    if rules.timestamp:
        columns.append(checked.time(rules.timestamp, rules).alias(rules.timestamp))
    return texts.select(*columns)


def _repeated(table: DataFrame, key: str, rules: TableRules) -> DuplicateKeyError | None:
    repeated = table.groupBy(key).count().filter("count > 1").orderBy(key)
    example = repeated.first()
    if example is None:
        return None
    return repeated_key(rules, rules.keys[key], example[key], f"{example['count']:,} rows", repeated.count() - 1)


def _nothing_matches(tables: dict[str, DataFrame], rules: dict[str, TableRules], total: int) -> JoinError:
    def some(table: str, key: str) -> list[str]:
        return [row[0] for row in tables[table].select(key).limit(KEY_EXAMPLES).collect()]

    matches = {
        table: Matches(
            key=key,
            rows=tables["interactions"].join(tables[table], key, "left_semi").count(),
            ours=some("interactions", key),
            theirs=some(table, key),
        )
        for table, key in KEYS.items()
    }
    return no_match(f"{total:,}", rules, matches)
