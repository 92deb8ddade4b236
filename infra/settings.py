"""The stack's settings: one frozen model, and the only reader of `pulumi.Config`.

Every error of a stack file is found in one go. Keys of other namespaces (`pulumi:`, `azure-native:`) are not ours to
judge and pass.
"""

import json
from collections.abc import Mapping
from enum import StrEnum
from pathlib import Path
from typing import Any, Literal, Self

import pulumi
from pydantic import Field, PositiveInt, ValidationError, ValidationInfo, field_validator, model_validator

from features.errors import PersonalizationError
from infra.cloud.settings import AzureSettings
from infra.paths import ROOT
from infra.settings_text import explain
from training.parameters import (
    CriteoDataset,
    Dataset,
    GateParameters,
    Parameters,
    SyntheticDataset,
    TablesDataset,
    TrainingParameters,
)

NAMESPACE = "personalization"

QPS_PER_CORE = 10_000.0
"""Half of what `make bench-serving` holds a core to, because a node's virtual core is half of a real one."""


class SettingsError(PersonalizationError):
    """Every value of the stack file that cannot be used, one line each."""


class Target(StrEnum):
    """Where the stack lives."""

    LOCAL = "local"
    AZURE = "azure"


class Engine(StrEnum):
    """What computes a probability inside the service."""

    LIGHTGBM = "lightgbm"
    SPARK_SERVING = "spark-serving"


class ScoringSettings(Parameters):
    """How the model is served."""

    engine: Engine = Engine.LIGHTGBM
    """What computes the probabilities: LightGBM itself, or SynapseML's Spark Serving, slower and with 1 GB a worker."""
    host: str = Field(default="127.0.0.1", min_length=1, examples=["127.0.0.1"])
    """The address that the service listens on; the loopback address keeps it on this machine."""
    port: int = Field(default=8123, ge=1024, le=65535)
    """The TCP port that the service listens on."""
    workers: int = Field(default=2, ge=1, le=64)
    """Server processes; with two or more, a new version is rolled out without a pause."""
    target_qps: float | None = Field(default=None, gt=0, le=10_000_000, examples=[2000])
    """On Azure: single-record requests a second to size the stack for. It stands for `azure.replicas_min`,
    `azure.replicas_max`, `azure.scoring_nodes_min` and `azure.scoring_nodes_max`, which then must not be given."""
    target_p99_ms: float = Field(default=20.0, gt=0, le=10_000)
    """Milliseconds that 99 of 100 requests may take inside the service at `target_qps`."""
    qps_per_core: float = Field(default=QPS_PER_CORE, gt=0, le=1_000_000)
    """Single-record requests a second that one core of the nodes scores; `personalize load-test` measures it."""
    max_records: int = Field(default=1000, ge=1, le=100_000)
    """Records that one request may hold."""
    key_rotation: int = Field(default=1, ge=1)
    """Raise it to issue a new key; the key before it stays valid until the next rotation."""
    tls_certificate: Path | None = Field(default=None, examples=["certificate.pem"])
    """A certificate chain in PEM; the service then answers HTTPS. Needs `tls_key`."""
    tls_key: Path | None = Field(default=None, examples=["key.pem"])
    """The private key of `tls_certificate`."""

    @model_validator(mode="after")
    def _both_or_neither(self) -> Self:
        if (self.tls_certificate is None) != (self.tls_key is None):
            raise ValueError("tls_certificate and tls_key belong together: give both or neither")
        return self


class Settings(Parameters):
    """What a stack file says, complete with defaults."""

    target: Target = Target.LOCAL
    """Where the stack lives: `local` is this machine, `azure` a subscription."""
    dataset: Dataset = SyntheticDataset()
    """What to train on: `synthetic`, `criteo` or `tables`."""
    training: TrainingParameters = TrainingParameters()
    """How the model is trained."""
    gate: GateParameters = GateParameters()
    """What a candidate must reach before it may serve."""
    scoring: ScoringSettings = ScoringSettings()
    """How the model is served."""
    model_version: Literal["latest"] | PositiveInt = Field(default="latest", examples=["latest", 3])
    """The version to serve: the newest accepted one, or a number."""
    azure: AzureSettings | None = Field(default=None, validate_default=True)
    """The stack on Azure: where it is, how large, who may change it. Needed for target `azure`."""

    @field_validator("azure", mode="after")
    @classmethod
    def _sized(cls, value: AzureSettings | None, info: ValidationInfo) -> AzureSettings | None:
        scoring = info.data.get("scoring")
        if scoring is None or scoring.target_qps is None:
            return value
        if value is None:
            raise ValueError("scoring.target_qps sizes a stack on Azure; a local one has scoring.workers")
        from infra.sizing import sized  # noqa: PLC0415 - reads the table of prices, which other stacks need not

        try:
            return sized(value, qps=scoring.target_qps, p99_ms=scoring.target_p99_ms, qps_per_core=scoring.qps_per_core)
        except PersonalizationError as error:
            raise ValueError(str(error)) from error

    @field_validator("azure", mode="before")
    @classmethod
    def _needed(cls, value: object, info: ValidationInfo) -> object:
        """An empty object is what the project file declares for other stacks: a declaration needs a default."""
        if value in (None, {}) and info.data.get("target") is Target.AZURE:
            raise ValueError("target azure needs it; Pulumi.dev.yaml shows what it holds")
        return None if value == {} else value


def load_settings(values: Mapping[str, Any] | None = None) -> Settings:
    """The settings of the running program's stack, or of `values` as the engine gives them (`namespace:key` to text).

    Raises `SettingsError` naming every unusable value with what is allowed.
    """
    raw = dict(_engine_values() if values is None else values)
    prefix = f"{NAMESPACE}:"
    own = {key.removeprefix(prefix): _decoded(value) for key, value in raw.items() if key.startswith(prefix)}
    try:
        return Settings.model_validate(own)
    except ValidationError as error:
        lines = "\n".join(f"  {line}" for line in explain(error, Settings, NAMESPACE))
        raise SettingsError(
            f"These settings of the stack cannot be used; correct them and run again:\n{lines}"
        ) from error


def azure_settings(settings: Settings) -> AzureSettings:
    """The settings of a stack on Azure; raises `SettingsError` for another one."""
    if settings.azure is None:
        raise SettingsError("personalization:azure is missing: Pulumi.dev.yaml shows what it holds.")
    return settings.azure


def located(dataset: Dataset) -> Dataset:
    """`dataset` with a relative path made absolute: paths in a stack file start at the repository."""
    match dataset:
        case CriteoDataset(path=path) if "://" not in path and path not in ("sample", "full"):
            return dataset.model_copy(update={"path": str(ROOT / path)})
        case TablesDataset(spec=spec):
            return dataset.model_copy(update={"spec": ROOT / spec})
        case _:
            return dataset


def _engine_values() -> dict[str, Any]:
    """All keys at once, which `pulumi.Config` cannot give: set by an inline program, or by the language host."""
    return pulumi.runtime.config.get_config_env() | pulumi.runtime.config.CONFIG.get()


def _decoded(value: Any) -> Any:  # noqa: ANN401 - whatever a stack file may hold
    """Objects arrive as JSON text; what is no JSON stays text and is refused by the model with its key."""
    if not isinstance(value, str) or not value.startswith(("{", "[")):
        return value
    try:
        return json.loads(value)
    except json.JSONDecodeError:
        return value
