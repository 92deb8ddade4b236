"""The kernel in C, if `scoring.native.build` has put one into this environment.

It computes the same as `features.encoder`, `recommend` and LightGBM, to the last bit, in a fraction of their time.
"""

from importlib.machinery import ExtensionFileLoader, ModuleSpec
from importlib.util import module_from_spec
from pathlib import Path
from typing import Any, Protocol, cast

import numpy.typing as npt

from scoring.native.build import target

Array = npt.NDArray[Any]


class Kernel(Protocol):
    """The functions of `kernel.c`. Arrays must be C-contiguous; wrong sizes raise `ValueError`."""

    def prepare_tables(  # noqa: PLR0917 - the kernel knows no names of arguments
        self,
        fields: int,
        inputs: int,
        numbers: int,
        keys: Array,
        starts: Array,
        pairs: Array,
        salts: Array,
        shift: int,
        separators: tuple[str | None, ...],
        crosses: Array,
        vectors: Array,
        vector_of: Array,
        factored: tuple[int, int],
        factors: int,
        /,
    ) -> object:
        """Prepare `encode`: the numbers of fields and inputs of a record, the tables of `scoring.model.encoding`, the
        separators of categorical columns, the columns of each cross, int64[x, 2], the two with factors, and the length
        of their vectors, 0 without factors."""

    def encode(self, tables: object, rows: list[Any], unset: object, inputs: Array, /) -> None:
        """Write the inputs of `rows` to `inputs`, float64[n, f]; `unset`, like None, is a missing category."""

    def prepare_forest(  # noqa: PLR0917 - the same
        self,
        features: int,
        sigmoid: float,
        thresholds: Array,
        right: Array,
        differing: Array,
        columns: Array,
        values: Array,
        starts: Array,
        /,
    ) -> object:
        """Prepare `predict` with the trees of `scoring.engines.forest`."""

    def predict(self, forest: object, inputs: Array, /) -> list[float]:
        """The probability of each row of `inputs`, float64[n, f]."""
        ...

    def add_weights(  # noqa: PLR0917 - the same
        self, starts: Array, others: Array, weights: Array, history: Array, scores: Array, counts: Array, /
    ) -> None:
        """Add to `scores`, float64[m], what a history, which `counts` so much, float64[h], says of each of the m items;
        see `recommend.first_stage`.
        """

    def reasons(  # noqa: PLR0917 - the same
        self, starts: Array, others: Array, weights: Array, history: Array, found: Array, best: Array, least: Array, /
    ) -> None:
        """Write the reasons for the `best` items, int64[b], to `found`, int64[b, k], where there are any, and take the
        scores of these items from `least`, float64[b].
        """

    def best(self, scores: Array, places: Array, /) -> int:
        """Write the places of the best finite `scores`, float64[m], best first, to `places`, int64[b].

        Of equal ones the lower place comes first. Returns how many were written.
        """
        ...


def load(file: Path | None = None) -> Kernel | None:
    """The kernel in a file, by default that of this source; None if it was not built or cannot be loaded."""
    file = file or target()
    if not file.exists():
        return None
    loader = ExtensionFileLoader("kernel", str(file))
    try:
        module = module_from_spec(ModuleSpec("kernel", loader, origin=str(file)))
        loader.exec_module(module)
    except ImportError:
        return None
    return cast("Kernel", module)


KERNEL = load()
