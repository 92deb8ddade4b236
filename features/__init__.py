"""What training and scoring must agree on: the dataset's schema, the encoder and the model bundle.

No Spark and no web server. `Bundle.load` checks and opens what training wrote; its `Schema` names the columns, and its
`Encoder` turns the `RawRows` of records into the model's inputs. A category is known by its hash alone:

>>> from features import Schema, hash_value
>>> schema = Schema(numeric=("age",), categorical=("country", "genre"), crosses=(("country", "genre"),))
>>> schema.encoded_features[:3]
('age', 'country_rate', 'country_log_count')
>>> hash_value("drama")
-878731261920493756

`training` has an example with all of them. Errors that a user can meet are subclasses of `PersonalizationError`.
"""

from collections.abc import Callable
from importlib import import_module
from typing import TYPE_CHECKING, Any


def offered(package: str, **homes: tuple[str, ...]) -> Callable[[str], Any]:
    """A package's `__getattr__`, which imports a name that it offers when it is first asked for.

    `homes` has the names in each of its modules.
    """
    modules = {name: f"{package}.{module}" for module, names in homes.items() for name in names}

    def named(name: str) -> Any:  # noqa: ANN401 - whatever it is
        if name not in modules:
            raise AttributeError(f"module {package!r} has no attribute {name!r}")
        return getattr(import_module(modules[name]), name)

    return named


if TYPE_CHECKING:
    from features.bundle import Bundle as Bundle
    from features.encoder import Encoder as Encoder
    from features.encoder import RawRows as RawRows
    from features.errors import PersonalizationError as PersonalizationError
    from features.hashing import hash_value as hash_value
    from features.schema import Schema as Schema
else:
    __getattr__ = offered(
        __name__,
        bundle=("Bundle",),
        encoder=("Encoder", "RawRows"),
        errors=("PersonalizationError",),
        hashing=("hash_value",),
        schema=("Schema",),
    )
