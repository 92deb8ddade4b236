"""What the first half of a run passes to the second: a model, and what it was made from."""

from dataclasses import dataclass

from features.schema import Schema
from training.kernels.encode import FoldEncoder
from training.model.fitted import Fitted
from training.protocols import CountTable, EncodedRows
from training.stages.prepared import Prepared


@dataclass(frozen=True, kw_only=True)
class Encoded:
    """The encoded training rows, and the encoder for all other rows."""

    encoder: FoldEncoder
    counted: CountTable
    train: EncodedRows


@dataclass(frozen=True, kw_only=True)
class Half:
    """A run up to the fit."""

    schema: Schema
    prepared: Prepared
    encoded: Encoded


@dataclass(frozen=True, kw_only=True)
class Trained(Half):
    """A model and what it was made from."""

    fitted: Fitted
