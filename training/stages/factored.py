"""The encoder of a schema with factors: they are fitted from counted pairs, here in this process."""

from dataclasses import replace

from features.errors import PersonalizationError
from training.kernels import factors
from training.kernels.encode import FoldEncoder, FrequentValues
from training.parameters import TrainingParameters
from training.protocols import Scannable

MAX_ROWS = 5_000_000
"""Training rows that factors are fitted from at most: all their pairs come together in one process."""


class FactorsError(PersonalizationError):
    """Factors of more rows than they are fitted from."""


def with_factors(
    encoder: FoldEncoder, values: FrequentValues, rows: Scannable, parameters: TrainingParameters
) -> FoldEncoder:
    """The encoder with the factors that its schema names, from the divided training rows of which these are the values.

    Each fold's rows get those that the rows outside of it give. Raises `FactorsError` where there are too many rows.
    """
    pair = encoder.schema.factored
    if pair is None:
        return encoder
    columns, names = (pair.first.index, pair.second.index), f"{pair.first.name} and {pair.second.name}"
    counted = int(values.rows[values.column == columns[0]].sum())
    if counted > MAX_ROWS:
        raise FactorsError(
            f"The factors of {names} would be fitted from {counted:,} rows in one process, which takes no more than "
            f"{MAX_ROWS:,}. Leave `factors` out of the dataset config, or train on fewer rows."
        )
    plain = encoder.encoder
    table = rows.scan(factors.pairs_counted(plain, encoder.schema, columns, folds=parameters.folds))
    pairs = factors.PairCounts.of(table, sizes=(plain.places(columns[0]), plain.places(columns[1])))
    return replace(
        encoder,
        encoder=replace(plain, factors=factors.fit(pairs, columns, seed=parameters.seed)),
        factors=tuple(
            factors.fit(pairs.without(fold), columns, seed=parameters.seed) for fold in range(parameters.folds)
        ),
    )
