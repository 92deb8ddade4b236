"""Which of a stack's resources a client is for: the inputs of the steps that use it have these fields too."""

from training.parameters import Parameters


class Directory(Parameters):
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
