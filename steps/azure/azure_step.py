"""A step that calls Azure."""

from abc import ABC
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Generic

from azure_clients import credentials
from azure_clients.retries import USUAL, Timeout
from steps.descriptions.description import InputsT, OutputsT
from steps.descriptions.places import MachineLearning
from steps.shared.local_step import LocalStep
from tools.paths import state_folder

if TYPE_CHECKING:
    from azure.ai.ml import MLClient


def workspace_client(inputs: MachineLearning) -> "MLClient":
    """A client of the Azure ML workspace."""
    return credentials.machine_learning(inputs.tenant, inputs.subscription, inputs.resource_group, inputs.workspace)


def after_failure(remedy: str) -> str:
    """The end of the message of a failed step for which the serving cluster waits."""
    return (
        f"The steps after this one, such as the serving cluster, were not created or changed: {remedy}, then run `up` "
        "again."
    )


class AzureStep(LocalStep[InputsT, OutputsT], ABC, Generic[InputsT, OutputsT]):
    """A step that calls Azure, and keeps what it downloads in the stack's folder."""

    def __init__(self, folder_of: Callable[[str], Path] = state_folder, timeout: Timeout = USUAL) -> None:
        """`timeout` is how long to wait until roles are effective."""
        super().__init__(folder_of)
        self._timeout = timeout
