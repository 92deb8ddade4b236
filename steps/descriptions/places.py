"""What a target adds to the inputs of its steps, by field name: which stack, and where in Azure."""

from steps.descriptions.description import StepInputs


class Stack(StepInputs):
    """The stack's name, which is the name of its folder too."""

    stack: str


class Directory(Stack):
    """The directory in which to sign in."""

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
