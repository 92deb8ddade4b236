"""Looks for a stack's state in the subscription, without Pulumi's CLI.

The CLI writes `.pulumi/meta.yaml` into an empty container, whatever it is asked (`ensurePulumiMeta` in its
`backend/diy/meta.go`), and the identity of pull requests' previews may only read.
"""

from azure_clients.lake_files import AzureLake
from personalize.bootstrap.names import StateNames
from personalize.errors import EngineFailedError, EngineForbiddenError
from training.datasets.placed.address import Address
from training.datasets.placed.listing import ForbiddenLakeError, UnreadableLakeError


def is_there(file: str, names: StateNames, tenant: str) -> bool:
    """Whether the stack's container has the file. Raises `EngineForbiddenError` or `EngineFailedError`."""
    try:
        return bool(AzureLake(tenant).files(Address(names.account, names.container, file)))
    except ForbiddenLakeError as error:
        raise EngineForbiddenError(str(error)) from error
    except UnreadableLakeError as error:
        raise EngineFailedError(str(error)) from error
