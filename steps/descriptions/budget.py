"""The monthly budget for all resource groups of the stack, including those that AKS and Databricks create for VMs."""

from steps.descriptions.description import Description, StepInputs, StepOutputs
from steps.descriptions.places import Directory
from steps.kinds import Kind


class Inputs(StepInputs):
    """The monthly amount in the subscription's currency, the resource groups that it covers, and who is notified."""

    budget_name: str
    amount: int
    groups: tuple[str, ...]
    mail: str


class AzureInputs(Inputs, Directory):
    """Also the subscription, whose costs it filters."""

    subscription: str


class Outputs(StepOutputs):
    """Why Azure makes no budget yet and what to do, one sentence; empty once there is one."""

    budget_missing: str


AZURE = Description(
    kind=Kind.BUDGET,
    inputs=AzureInputs,
    outputs=Outputs,
    replaced_by=frozenset({"stack", "subscription", "budget_name"}),
)
