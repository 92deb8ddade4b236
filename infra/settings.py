"""The stack's settings: one frozen model of the values in a stack file. Imports no Pulumi package.

All errors of a stack file are reported at once. Keys of other namespaces (`pulumi:`, `azure-native:`) are ignored.
"""

import json
from collections.abc import Mapping
from enum import StrEnum
from typing import Any, Literal

from pydantic import Field, PositiveInt, ValidationError, ValidationInfo, field_validator

from features.errors import BadInputError, PersonalizationError
from infra.azure_settings import AzureSettings
from infra.settings_text import explain
from steps.serving_settings import ScoringSettings
from training.parameters import (
    Dataset,
    FilmsDataset,
    GateParameters,
    Parameters,
    TrainingParameters,
)

NAMESPACE = "personalization"


class SettingsError(BadInputError):
    """Settings that are invalid, one line each."""


class Target(StrEnum):
    """Where the stack runs."""

    LOCAL = "local"
    AZURE = "azure"


class Settings(Parameters):
    """The settings of a stack file, with defaults."""

    target: Target = Target.LOCAL
    """Where the stack runs: `local` is this machine, `azure` a subscription."""
    dataset: Dataset = Field(default=FilmsDataset())
    """What to train on: `films`, `criteo` or `tables`."""
    training: TrainingParameters = TrainingParameters()
    """How the model is trained."""
    gate: GateParameters = GateParameters()
    """The conditions that a candidate model must meet before it may serve."""
    scoring: ScoringSettings = ScoringSettings()
    """How the model is served."""
    model_version: Literal["latest"] | PositiveInt = Field(default="latest", examples=["latest", 3])
    """The model version to serve: a number, or `latest` for the newest accepted one."""
    azure: AzureSettings | None = Field(default=None, validate_default=True)
    """The stack on Azure: where it is, how large, who may change it. Required for target `azure`."""

    @field_validator("scoring", mode="after")
    @classmethod
    def _certificate_is_used(cls, value: ScoringSettings, info: ValidationInfo) -> ScoringSettings:
        if info.data.get("target") is Target.AZURE and value.tls_certificate is not None:
            raise ValueError(
                "tls_certificate is for target local: on Azure the stack creates its own certificate, whose authority "
                "is the output `authority`"
            )
        return value

    @field_validator("azure", mode="after")
    @classmethod
    def _has_room(cls, value: AzureSettings | None) -> AzureSettings | None:
        if value is None:
            return None
        from infra.cost.capacity import require_room  # noqa: PLC0415 - a local stack needs no table of prices

        try:
            require_room(value)
        except PersonalizationError as error:
            raise ValueError(str(error)) from error
        return value

    @field_validator("azure", mode="before")
    @classmethod
    def _needed(cls, value: object, info: ValidationInfo) -> object:
        """An empty object is the default that `Pulumi.yaml` must declare, and means that there is none."""
        if value in (None, {}) and info.data.get("target") is Target.AZURE:
            raise ValueError("target azure needs it; see the example in Pulumi.dev.yaml")
        return None if value == {} else value


def load_settings(values: Mapping[str, Any]) -> Settings:
    """The settings from `values`, which are keyed by `namespace:key` as in a stack file.

    Raises `SettingsError` with every invalid value and what is allowed.
    """
    prefix = f"{NAMESPACE}:"
    own = {key.removeprefix(prefix): _decoded(value) for key, value in values.items() if key.startswith(prefix)}
    try:
        return Settings.model_validate(own)
    except ValidationError as error:
        lines = "\n".join(f"  {line}" for line in explain(error, Settings, NAMESPACE))
        raise SettingsError(f"These settings of the stack are invalid; correct them and run again:\n{lines}") from error


def azure_settings(settings: Settings) -> AzureSettings:
    """The settings of a stack on Azure; raises `SettingsError` for another one."""
    if settings.azure is None:
        raise SettingsError("personalization:azure is missing; see the example in Pulumi.dev.yaml.")
    return settings.azure


def _decoded(value: Any) -> Any:  # noqa: ANN401 - whatever a stack file may hold
    """Objects arrive as JSON text; text that is no JSON is left to the model, which refuses it with its key."""
    if not isinstance(value, str) or not value.startswith(("{", "[")):
        return value
    try:
        return json.loads(value)
    except json.JSONDecodeError:
        return value
