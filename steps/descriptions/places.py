"""What a target adds to the inputs of its steps: the stack, and its location on Azure."""

from steps.descriptions.description import StepInputs


class Stack(StepInputs):
    """The stack's name, which is also the name of its folder."""

    stack: str


class Directory(Stack):
    """The Entra ID tenant for sign-in."""

    tenant: str


class Lake(Directory):
    """The lake's Blob endpoint, `https://ACCOUNT.blob.core.windows.net/`."""

    blob_endpoint: str


class MachineLearning(Directory):
    """An Azure ML workspace."""

    subscription: str
    resource_group: str
    workspace: str


class ContainerRegistry(Directory):
    """A container registry."""

    subscription: str
    resource_group: str
    registry_name: str
    login_server: str
