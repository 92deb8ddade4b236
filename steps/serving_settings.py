"""How a model is served: settings that are inputs of steps."""

from dataclasses import fields
from enum import StrEnum
from pathlib import Path
from typing import Any, Self, TypeVar

from pydantic import BaseModel, Field, SerializerFunctionWrapHandler, create_model, model_serializer, model_validator

from scoring.limits import Limits, bounds_of, option
from training.parameters import Parameters

ModelT = TypeVar("ModelT", bound=BaseModel)

WORKERS_HERE = 2
"""On this machine."""
WORKERS_OF_A_POD = 1
ALWAYS_STATED = frozenset({"max_records"})
"""Limits that a stack passes to the service even if they are the default. The others it passes only if they are set, so
that an image starts which does not know them yet."""
DRAIN_SECONDS_HERE = 10
"""On this machine, where `up` and `destroy` wait for it."""


class ScoringEngine(StrEnum):
    """What computes a probability inside the service."""

    LIGHTGBM = "lightgbm"
    SPARK_SERVING = "spark-serving"


def _with_limits(settings: type[ModelT]) -> type[ModelT]:
    """`settings` with a field for each limit of the service."""
    added: dict[str, Any] = {}
    for limit in fields(Limits):
        least, most, text, kind = bounds_of(limit)
        stated = limit.name in ALWAYS_STATED
        here = f", on this machine {DRAIN_SECONDS_HERE}" if limit.name == "drain_seconds" else ""
        unless_set = "" if stated or limit.default is None else f" Unless stated it is {limit.default}{here}."
        value = Field(
            default=limit.default if stated else None,
            ge=least,
            le=most,
            description=text + unless_set,
            examples=None if limit.default is None else [limit.default],
        )
        added[limit.name] = (kind if stated else kind | None, value)
    return create_model(
        settings.__name__, __base__=settings, __module__=settings.__module__, __doc__=settings.__doc__, **added
    )


@_with_limits
class ScoringSettings(Parameters):
    """How the model is served."""

    engine: ScoringEngine = ScoringEngine.LIGHTGBM
    """What computes the probabilities: LightGBM itself, or SynapseML's Spark Serving, slower and at 1 GB per worker."""
    host: str = Field(default="127.0.0.1", min_length=1, examples=["127.0.0.1"])
    """The address that the service listens on; the loopback address keeps it on this machine."""
    port: int = Field(default=8123, ge=1024, le=65535)
    """The TCP port that the service listens on."""
    workers: int | None = Field(default=None, ge=1, le=64, examples=[2])
    """Number of server processes. Unless stated it is 2 on this machine, so that one answers if the other ends, and 1
    in a pod on Azure, where there are several pods."""
    title: str | None = Field(default=None, pattern=r"^[^\s-][^\n]{0,59}$", examples=["Tea shop"])
    """What the service's page is called, up to 60 characters. Unless stated it is Personalization."""
    key_rotation: int = Field(default=1, ge=1, exclude=True)  # an input of the keys, not of the service
    """Raise it by one to issue a new key; the previous key stays valid until the next rotation. Raise it by two, and
    no earlier key is valid."""
    tls_certificate: Path | None = Field(default=None, examples=["certificate.pem"])
    """A certificate chain in PEM; the service then answers HTTPS. Needs `tls_key`. After its files were replaced, `up`
    serves the new ones."""
    tls_key: Path | None = Field(default=None, examples=["key.pem"])
    """The private key of `tls_certificate`."""

    @model_validator(mode="after")
    def _both_or_neither(self) -> Self:
        if (self.tls_certificate is None) != (self.tls_key is None):
            raise ValueError("tls_certificate and tls_key belong together: give both or neither")
        return self

    @model_serializer(mode="wrap")
    def _without_unset_options(self, complete: SerializerFunctionWrapHandler) -> dict[str, Any]:
        """So that a state from before an option could be set stays as it is."""
        unset = {name for name in _OPTIONS if getattr(self, name) is None}
        return {name: value for name, value in complete(self).items() if name not in unset}


_OPTIONS = (*(limit.name for limit in fields(Limits)), "title")


def limit_options(settings: ScoringSettings) -> dict[str, str]:
    """The limits and the title that a stack passes to the service, as options of its command line."""
    values = {name: getattr(settings, name) for name in _OPTIONS}
    return {option(name): str(value) for name, value in values.items() if value is not None}
