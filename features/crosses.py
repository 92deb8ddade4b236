"""Pairs of categorical columns as columns of their own: what one user did with items of one genre, say.

Nobody stores or sends them: training and the service make them from the two columns' values, by `hashing.pair_hash`.
"""

from collections.abc import Collection, Sequence

Cross = tuple[str, str]


def cross_name(cross: Cross) -> str:
    """What the column of a pair is called."""
    return " x ".join(cross)


def problem_of(
    crosses: Sequence[Cross], *, numeric: Collection[str], categorical: Collection[str], several: Collection[str]
) -> str | None:
    """What is wrong with the first of the `crosses` that cannot be made of these columns; `several` hold several
    values."""
    known: set[frozenset[str]] = set()
    for cross in crosses:
        first, second = cross
        for name in cross:
            if name in numeric:
                return f"{name} is a column of numbers, and only categories can be crossed: name it under `categorical`"
            if name not in categorical:
                return f"the cross of {first} and {second} needs {name}, which is not named under `categorical`"
        if first == second:
            return f"{first} is crossed with itself: name two columns"
        if frozenset(cross) in known:
            return f"{first} and {second} are crossed twice: name each pair once"
        if first in several and second in several:
            return f"{first} and {second} both hold several values: only one column of a cross may"
        known.add(frozenset(cross))
    return None
