"""The one identity behind every call to Azure that is ours, and the clients that make the calls in its name.

On a laptop it is who is signed in to the Azure CLI, in a workflow of GitHub the application that trusts the workflow.
`DefaultAzureCredential` would pick whichever of many identities it finds first, and the roles are given to one.
Azure's SDKs are imported by what needs them: they are an extra, and each takes up to a second.
"""

import os
import threading
import time
from typing import TYPE_CHECKING, Any

import httpx

from azure_clients.resource_manager import ResourceManager
from features.errors import PersonalizationError, reason

if TYPE_CHECKING:
    from azure.ai.ml import MLClient
    from azure.containerregistry import ContainerRegistryClient
    from azure.core.credentials import AccessToken, TokenCredential
    from azure.mgmt.containerregistrytasks import ContainerRegistryTasksMgmtClient
    from azure.storage.blob import ContainerClient
    from databricks.sdk import WorkspaceClient

MANAGER = "https://management.azure.com"
"""The Resource Manager's address."""
MANAGER_SCOPE = f"{MANAGER}/.default"
GRAPH = "https://graph.microsoft.com"
AUTHORITY = "https://login.microsoftonline.com/"
"""Where everybody signs in."""
PUBLIC_CLOUD = "public"
STORAGE = "https://storage.azure.com/.default"
DATABRICKS = "2ff814a6-3304-4ab8-85cb-cd0e6f879c1d/.default"
"""Azure Databricks' application in Entra ID."""
KUBERNETES = "6dae42f8-4368-4678-94ff-3960e28e3630/.default"
"""AKS' application in Entra ID."""
ASSERTION_AUDIENCE = "api://AzureADTokenExchange"
EARLY_SECONDS = 300
"""A token is renewed when it has less than this left, as Azure's own clients do."""
REQUEST_SECONDS = 30.0
CLI_SECONDS = 60
"""For one call of `az`, which takes longer than the SDK's 10 s on a busy machine or below Windows' file system."""
TOKEN_ATTEMPTS = 3
"""A token that is refused this often is refused for good."""


class IdentityError(PersonalizationError):
    """There is no identity to call Azure with."""


class CloudUnsupportedError(PersonalizationError):
    """Another of Azure's clouds than the public one was asked for."""


class RememberedTokens:
    """A credential that asks another one only for tokens that it does not have: `az` takes a second each time."""

    def __init__(self, credential: "TokenCredential") -> None:
        """`credential` is the one that is asked."""
        self._credential = credential
        self._tokens: dict[tuple[str, ...], AccessToken] = {}
        self._lock = threading.Lock()

    def get_token(self, *scopes: str, **options: Any) -> "AccessToken":  # noqa: ANN401 - azure-core's protocol
        """A token for `scopes` that is good for some minutes at least, if its issuer gives such."""
        with self._lock:
            known = self._tokens.get(scopes)
            # A service that wants more claims than a token has refuses the one that is known.
            if known is None or options.get("claims") or known.expires_on - time.time() < EARLY_SECONDS:
                known = self._tokens[scopes] = self._credential.get_token(*scopes, **options)
            return known

    def forget(self) -> None:
        """Ask anew from now on: a service has refused a token."""
        self._tokens.clear()


_credentials: dict[str, RememberedTokens] = {}
"""By tenant, so that all clients of a process share their tokens."""


def credential(tenant: str) -> RememberedTokens:
    """Who is signed in to the directory `tenant`; nothing is asked yet.

    Raises `IdentityError`, and `CloudUnsupportedError` for another cloud than the public one.
    """
    refuse_other_clouds()
    if tenant not in _credentials:
        _credentials[tenant] = RememberedTokens(_signed_in(tenant))
    return _credentials[tenant]


def refuse_other_clouds() -> None:
    """Raise `CloudUnsupportedError` when `ARM_ENVIRONMENT`, which Pulumi's providers read, names another cloud."""
    name = os.environ.get("ARM_ENVIRONMENT") or PUBLIC_CLOUD
    if name != PUBLIC_CLOUD:
        raise CloudUnsupportedError(
            f"ARM_ENVIRONMENT is `{name}`, but only Azure's public cloud is supported: nothing here was tried in "
            f"another one. Unset it, or set it to `{PUBLIC_CLOUD}`."
        )


def forget_tokens() -> None:
    """Ask for new tokens from now on, in clients that exist too: a service has refused one."""
    for known in _credentials.values():
        known.forget()


def workflow_client() -> str | None:
    """The application that a workflow of GitHub is, None on a machine of a person's. Raises `IdentityError`."""
    if not os.environ.get("ACTIONS_ID_TOKEN_REQUEST_URL"):
        return None
    client = os.environ.get("ARM_CLIENT_ID") or os.environ.get("AZURE_CLIENT_ID")
    if not client:
        raise IdentityError(
            "This workflow may ask for identity tokens, but ARM_CLIENT_ID does not say for which application. Set it "
            "to the client id that `.venv/bin/personalize bootstrap` printed."
        )
    return client


def _signed_in(tenant: str) -> "TokenCredential":
    from azure.identity import AzureCliCredential, ClientAssertionCredential  # noqa: PLC0415 - see the top

    client = workflow_client()
    if client is None:
        return AzureCliCredential(tenant_id=tenant, process_timeout=CLI_SECONDS)
    return ClientAssertionCredential(tenant, client, client_assertion)


def resource_manager(tenant: str) -> ResourceManager:
    """The Resource Manager."""
    return ResourceManager(credential(tenant), MANAGER, MANAGER_SCOPE)


def graph(tenant: str) -> ResourceManager:
    """The directory, Microsoft Graph, which speaks as the Resource Manager does but for the version in its paths."""
    return ResourceManager(credential(tenant), GRAPH, f"{GRAPH}/.default")


def container(tenant: str, endpoint: str, name: str) -> "ContainerClient":
    """The container `name` of the account whose Blob endpoint is `endpoint`."""
    from azure.storage.blob import ContainerClient  # noqa: PLC0415 - see the top

    return ContainerClient(endpoint, name, credential=credential(tenant))


def machine_learning(tenant: str, subscription: str, group: str, workspace: str) -> "MLClient":
    """An Azure ML workspace."""
    from azure.ai.ml import MLClient  # noqa: PLC0415 - see the top

    return MLClient(
        credential(tenant),
        subscription,
        group,
        workspace,
        enable_telemetry=False,
        show_progress=False,  # it would be written to what the engine reads
    )


def registry_tasks(tenant: str, subscription: str) -> "ContainerRegistryTasksMgmtClient":
    """The builds of a subscription's container registries."""
    from azure.mgmt.containerregistrytasks import ContainerRegistryTasksMgmtClient  # noqa: PLC0415 - see the top

    return ContainerRegistryTasksMgmtClient(credential(tenant), subscription)


def registry_images(tenant: str, server: str) -> "ContainerRegistryClient":
    """The images of the container registry at the host `server`."""
    from azure.containerregistry import ContainerRegistryClient  # noqa: PLC0415 - see the top

    return ContainerRegistryClient(f"https://{server}", credential(tenant), audience=MANAGER)


def databricks(tenant: str, url: str, workspace: str) -> "WorkspaceClient":
    """The Databricks workspace at `url` with the Resource Manager's id `workspace`.

    Every call carries what makes a member of somebody whom Azure's roles let manage the workspace.
    """
    from databricks.sdk import WorkspaceClient  # noqa: PLC0415 - see the top
    from databricks.sdk.credentials_provider import CredentialsStrategy  # noqa: PLC0415 - see the top

    known = credential(tenant)

    class Headers(CredentialsStrategy):
        """The three headers of Azure's own sign-in."""

        def auth_type(self) -> str:
            """For the client's user agent."""
            return "personalize"

        def __call__(self, cfg: object) -> Any:  # noqa: ANN401, ARG002 - the SDK's protocol
            """What makes the headers of each request."""
            return lambda: {
                "Authorization": f"Bearer {known.get_token(DATABRICKS).token}",
                "X-Databricks-Azure-SP-Management-Token": known.get_token(MANAGER_SCOPE).token,
                "X-Databricks-Azure-Workspace-Resource-Id": workspace,
            }

    return WorkspaceClient(host=url, credentials_strategy=Headers())


def client_assertion() -> str:
    """GitHub's statement about the running workflow. It lives for five minutes, so each token is asked with a new one.

    Raises `IdentityError` when GitHub does not give one.
    """
    try:
        answer = httpx.get(
            httpx.URL(os.environ["ACTIONS_ID_TOKEN_REQUEST_URL"]).copy_merge_params({"audience": ASSERTION_AUDIENCE}),
            headers={"Authorization": f"Bearer {os.environ.get('ACTIONS_ID_TOKEN_REQUEST_TOKEN', '')}"},
            timeout=REQUEST_SECONDS,
        ).raise_for_status()
        return str(answer.json()["value"])
    except (httpx.HTTPError, ValueError, KeyError) as error:
        raise IdentityError(
            f"GitHub gives this workflow no identity token: {reason(error)}. The job needs `permissions: id-token: "
            "write`."
        ) from error
