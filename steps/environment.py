"""Records the image in Azure ML as an environment, as part of the model's lineage."""

from azure_clients import credentials
from azure_clients.resources import MachineLearning
from azure_clients.retries import Context, exists, retried
from steps.step import AzureStep, Created, Kind, Stack, State, StepOutputs

NAME = "scoring"
VERSION_DIGITS = 32


class Inputs(Stack, MachineLearning):
    """An image by its digest, `HOST/NAME@sha256:...`, and the model version in it."""

    image: str
    version: int


class Outputs(StepOutputs):
    """Its name and version in Azure ML, `NAME:VERSION`."""

    environment: str


class Environment(AzureStep[Inputs, Outputs]):
    """One version of the environment `scoring` for each image, named by the first digits of the image's digest."""

    kind = Kind.ENVIRONMENT
    replaced_by = frozenset({"stack", "workspace", "image"})

    def create(self, inputs: Inputs, context: Context) -> Created[Outputs]:
        """Record it; an existing version is the same image. Raises `AzureRefusedError`."""
        from azure.ai.ml.entities import Environment as Asset  # noqa: PLC0415 - takes a second

        context.report("recording the image in Azure ML")
        version = inputs.image.rpartition(":")[2][:VERSION_DIGITS]
        client = credentials.machine_learning(inputs)
        tags = {"model_version": str(inputs.version)}
        asset = Asset(name=NAME, version=version, image=inputs.image, tags=tags)
        retried("record the image", lambda: client.environments.create_or_update(asset), context)
        return Created(version, Outputs(environment=f"{NAME}:{version}"))

    def exists(self, identity: str, state: State, context: Context) -> bool:
        """Whether Azure ML has it."""
        client = credentials.machine_learning(self.parse(state))
        return exists("look at the environment", lambda: client.environments.get(NAME, identity), context)
