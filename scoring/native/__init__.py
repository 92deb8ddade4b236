"""The kernel in C, where this environment has one: `scoring.native.build` puts it there.

It computes what `scoring.model.encoding` and LightGBM compute, to the last bit, in a fraction of the time.
"""

from importlib.machinery import ExtensionFileLoader
from importlib.util import module_from_spec, spec_from_file_location
from typing import Any, Protocol, cast

import numpy.typing as npt

from scoring.native.build import target

Array = npt.NDArray[Any]


class Kernel(Protocol):
    """What `kernel.c` offers. Arrays are C-contiguous; wrong sizes raise `ValueError`."""

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
        """The tables of `scoring.model.encoding` for `encode`, what stands between a field's values, the two fields
        of each cross, int64[x, 2], those that have factors, and how many numbers a vector has, 0 without factors."""

    def given(self, rows: tuple[tuple[object, ...], ...], first: object, second: object, /) -> int:
        """How many values of `rows` are neither of the two objects."""
        ...

    def encode(self, tables: object, rows: list[Any], unset: object, inputs: Array, /) -> None:
        """Write the inputs of `rows` into `inputs`, float64[n, f]; `unset` is a missing category, as None is."""

    def prepare_forest(  # noqa: PLR0917 - the same
        self, features: int, sigmoid: float, nodes: Array, values: Array, starts: Array, depths: Array, /
    ) -> object:
        """The trees of `scoring.engines.forest`, for `predict`."""

    def predict(self, forest: object, inputs: Array, /) -> list[float]:
        """The probability of each row of `inputs`, float64[n, f]."""
        ...


def load() -> Kernel | None:
    """The kernel of this source; None where it was not built, or was and does not load."""
    file = target()
    if not file.exists():
        return None
    loader = ExtensionFileLoader("kernel", str(file))
    spec = spec_from_file_location("kernel", file, loader=loader)
    if spec is None:
        return None
    try:
        module = module_from_spec(spec)
        loader.exec_module(module)
    except ImportError:
        return None
    return cast("Kernel", module)


KERNEL = load()
