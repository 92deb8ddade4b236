"""The stack's settings: one frozen model, made from what the engine or a stack file says, without Pulumi's packages.

All errors of a stack file are reported at once. Keys of other namespaces (`pulumi:`, `azure-native:`) are not ours to
check.
"""

import json
from collections.abc import Mapping
from enum import StrEnum
from typing import Any, Literal

from pydantic import Field, PositiveInt, ValidationError, ValidationInfo, field_validator

from features.errors import BadInputError, PersonalizationError
from infra.azure_settings import AzureSettings
from infra.settings_text import explain
from steps.descriptions.serving_settings import ScoringSettings
from training.parameters import Dataset, GateParameters, Parameters, SyntheticDataset, TrainingParameters

NAMESPACE = "personalization"


class SettingsError(BadInputError):
    """Every value of the stack file that cannot be used, one line each."""


class Target(StrEnum):
    """Where the stack lives."""

    LOCAL = "local"
    AZURE = "azure"


class Settings(Parameters):
    """What a stack file says, complete with defaults."""

    target: Target = Target.LOCAL
    """Where the stack lives: `local` is this machine, `azure` a subscription."""
    dataset: Dataset = Field(default=SyntheticDataset())
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

    @field_validator("scoring", mode="after")
    @classmethod
    def _certificate_is_used(cls, value: ScoringSettings, info: ValidationInfo) -> ScoringSettings:
        if info.data.get("target") is Target.AZURE and value.tls_certificate is not None:
            raise ValueError(
                "tls_certificate is for a service on this machine: on Azure the stack makes a certificate of its own, "
                "whose authority is the output `authority`"
            )
        return value

    @field_validator("azure", mode="after")
    @classmethod
    def _sized(cls, value: AzureSettings | None, info: ValidationInfo) -> AzureSettings | None:
        scoring = info.data.get("scoring")
        if scoring is None or scoring.target_qps is None:
            return value
        if value is None:
            raise ValueError("scoring.target_qps sizes a stack on Azure; a local one has scoring.workers")
        from infra.cost.capacity import sized  # noqa: PLC0415 - reads the table of prices, which other stacks need not

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


def load_settings(values: Mapping[str, Any]) -> Settings:
    """The settings of the stack with `values`, as a stack file or the engine has them: by `namespace:key`.

    Raises `SettingsError` naming every unusable value with what is allowed.
    """
    prefix = f"{NAMESPACE}:"
    own = {key.removeprefix(prefix): _decoded(value) for key, value in values.items() if key.startswith(prefix)}
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


def _decoded(value: Any) -> Any:  # noqa: ANN401 - whatever a stack file may hold
    """Objects arrive as JSON text; what is no JSON stays text and is refused by the model with its key."""
    if not isinstance(value, str) or not value.startswith(("{", "[")):
        return value
    try:
        return json.loads(value)
    except json.JSONDecodeError:
        return value
