"""What a model must beat to be worth serving: the click rate alone, and logistic regression on the same features."""

from collections.abc import Mapping, Sequence

from pyspark.ml.classification import LogisticRegression
from pyspark.ml.functions import array_to_vector, vector_to_array
from pyspark.sql import Column, DataFrame, functions

from training.curves import ScoreBins
from training.evaluate import Evaluation, evaluate, evaluate_bins
from training.quoting import column

BASE_RATE = "base_rate"
LOGISTIC_REGRESSION = "logistic_regression"
NAMES = {BASE_RATE: "click rate alone", LOGISTIC_REGRESSION: "logistic regression"}
"""How the baselines are called in sentences."""
SAMPLE_ROWS = 200_000
"""Rows that logistic regression is fitted on at most: its few dozen coefficients hardly change with more."""
DECIMALS = 6
"""Of the probabilities that logistic regression is judged by."""
ITERATIONS = 30
REGULARISATION = 1e-5
"""Just enough L2 to keep the coefficients finite where columns say the same."""
SAMPLE_STEPS = 1_000_000


def evaluate_baselines(
    train: DataFrame, held_out: DataFrame, *, features: Sequence[str], label: str = "label"
) -> Mapping[str, Evaluation]:
    """Every baseline by name, trained on `train` and evaluated on `held_out`.

    Both frames hold `label` (0 or 1) and the encoded `features` (double, missing as null or NaN). `train` is what the
    model itself was fitted on, which must hold both labels. Without a single value in `features` there is nothing for
    logistic regression to work on, and it is left out.
    """
    summary = train.agg(
        functions.count(functions.lit(1)).alias("rows"),
        functions.avg(column(label).cast("double")).alias("rate"),
        *(functions.avg(_present(name)).alias(f"mean_{name}") for name in features),
    ).collect()[0]
    means = {name: summary[f"mean_{name}"] for name in features if summary[f"mean_{name}"] is not None}
    measured = {BASE_RATE: _base_rate(held_out, label, summary["rate"])}
    if means:
        measured[LOGISTIC_REGRESSION] = _logistic_regression(_sample(train, summary["rows"]), held_out, means, label)
    return measured


def _base_rate(held_out: DataFrame, label: str, rate: float) -> Evaluation:
    counts = {row[label]: row["count"] for row in held_out.groupBy(column(label)).count().collect()}
    return evaluate_bins(ScoreBins.of_constant(clicks=counts.get(1, 0), others=counts.get(0, 0), probability=rate))


def _logistic_regression(train: DataFrame, held_out: DataFrame, means: Mapping[str, float], label: str) -> Evaluation:
    """Missing values take the column's mean, columns without any value are left out; Spark standardises the rest."""
    regression = LogisticRegression(
        featuresCol="features", labelCol=label, maxIter=ITERATIONS, regParam=REGULARISATION, standardization=True
    )
    model = regression.fit(_imputed(train, means, label))
    scored = model.transform(_imputed(held_out, means, label))
    # L-BFGS adds up in the order in which tasks end, which shows in the last bits; the report must not.
    probability = functions.round(vector_to_array(functions.col("probability"))[1], DECIMALS)
    return evaluate(scored.select(column(label).alias("label"), probability.alias("probability")))


def _imputed(frame: DataFrame, means: Mapping[str, float], label: str) -> DataFrame:
    values = (functions.coalesce(_present(name).cast("double"), functions.lit(means[name])) for name in means)
    return frame.select(column(label), array_to_vector(functions.array(*values)).alias("features"))


def _present(name: str) -> Column:
    """The column with null where it is NaN."""
    return functions.when(~functions.isnan(column(name)), column(name))


def _sample(frame: DataFrame, rows: int) -> DataFrame:
    """About `SAMPLE_ROWS` of the rows, chosen by their content and so the same ones in every run."""
    if rows <= SAMPLE_ROWS:
        return frame
    position = functions.pmod(functions.xxhash64(*map(column, frame.columns)), functions.lit(SAMPLE_STEPS))
    return frame.where(position < int(SAMPLE_STEPS * SAMPLE_ROWS / rows))
