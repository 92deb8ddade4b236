"""The inputs that every step on Azure has."""

from abc import ABC
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Generic, TypeVar

from azure_clients import credentials
from azure_clients.retries import USUAL, Patience
from steps.shared.inputs import LocalInputs, LocalStep
from tools.paths import state_folder

if TYPE_CHECKING:
    from azure.ai.ml import MLClient


class AzureInputs(LocalInputs):
    """The stack's name, and the directory in which to sign in."""

    tenant: str


class MachineLearningInputs(AzureInputs):
    """An Azure ML workspace."""

    subscription: str
    resource_group: str
    workspace: str


def workspace_client(inputs: MachineLearningInputs) -> "MLClient":
    """A client of the workspace."""
    return credentials.machine_learning(inputs.tenant, inputs.subscription, inputs.resource_group, inputs.workspace)


AzureInputsT = TypeVar("AzureInputsT", bound=AzureInputs)


class AzureStep(LocalStep[AzureInputsT], ABC, Generic[AzureInputsT]):
    """A step that calls Azure, and keeps what it downloads in the stack's folder."""

    def __init__(self, folder_of: Callable[[str], Path] = state_folder, patience: Patience = USUAL) -> None:
        """`patience` is how long it waits for roles to count."""
        super().__init__(folder_of)
        self._patience = patience
