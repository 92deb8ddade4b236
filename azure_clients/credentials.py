"""The identity for all calls to Azure, and the clients that use it.

On a person's machine it is the user of the Azure CLI, in a GitHub workflow the workflow's OIDC identity.
`DefaultAzureCredential` would use the first of many identities that it finds, which may not be the one with the roles.
Azure's SDKs are imported where they are needed: they are an extra, and each takes up to a second.
"""

import os
import threading
import time
from typing import TYPE_CHECKING, Any

from azure_clients.resource_manager import ResourceManager
from features.errors import PersonalizationError, reason

if TYPE_CHECKING:
    from azure.ai.ml import MLClient
    from azure.containerregistry import ContainerRegistryClient
    from azure.core.credentials import AccessToken, TokenCredential
    from azure.mgmt.containerregistrytasks import ContainerRegistryTasksMgmtClient
    from azure.storage.blob import ContainerClient
    from databricks.sdk import WorkspaceClient

    from azure_clients.resources import MachineLearning

MANAGER = "https://management.azure.com"
"""The Resource Manager's address."""
MANAGER_SCOPE = f"{MANAGER}/.default"
GRAPH = "https://graph.microsoft.com"
AUTHORITY = "https://login.microsoftonline.com/"
"""The sign-in endpoint."""
PUBLIC_CLOUD = "public"
STORAGE = "https://storage.azure.com/.default"
DATABRICKS = "2ff814a6-3304-4ab8-85cb-cd0e6f879c1d/.default"
"""Azure Databricks' application in Entra ID."""
KUBERNETES = "6dae42f8-4368-4678-94ff-3960e28e3630/.default"
"""AKS' application in Entra ID."""
SIGN_IN = "personalize"
"""The name of our way to sign in to Databricks."""
ASSERTION_AUDIENCE = "api://AzureADTokenExchange"
EARLY_SECONDS = 300
"""A token is renewed when it has less than this left, as Azure's own clients do."""
REQUEST_SECONDS = 30.0
CLI_SECONDS = 60
"""Timeout of one call of `az`, which can take longer than the SDK's default of 10 s, for example in WSL."""
UNKNOWN_SERVICE = ("AADSTS500011", "AADSTS650052")
"""Of Entra ID's errors ("Microsoft Entra authentication and authorization error codes"): the resource is not in the
tenant; the organization has no subscription to the service. A new tenant learns of a service when it is first used."""


class IdentityError(PersonalizationError):
    """There is no identity for calls to Azure."""


class CloudUnsupportedError(PersonalizationError):
    """Another Azure cloud than the public one was requested."""


class RememberedTokens:
    """A credential that caches another one's tokens, because `az` takes a second each time."""

    def __init__(self, credential: "TokenCredential") -> None:
        """`credential` is the other one."""
        self._credential = credential
        self._tokens: dict[tuple[str, ...], AccessToken] = {}
        self._lock = threading.Lock()

    def get_token(self, *scopes: str, **options: Any) -> "AccessToken":  # noqa: ANN401 - azure-core's protocol
        """A token for `scopes` that is valid for some more minutes, if the issuer provides one."""
        with self._lock:
            known = self._tokens.get(scopes)
            # If a service requires more claims, the cached token is not enough.
            if known is None or options.get("claims") or known.expires_on - time.time() < EARLY_SECONDS:
                known = self._tokens[scopes] = self._credential.get_token(*scopes, **options)
            return known

    def forget(self) -> None:
        """Drop all tokens, because a service has rejected one."""
        self._tokens.clear()


_credentials: dict[str, RememberedTokens] = {}
"""By tenant, so that all clients of a process share tokens."""


def credential(tenant: str) -> RememberedTokens:
    """The identity in `tenant`; makes no request yet.

    Raises `IdentityError`, and `CloudUnsupportedError` if `ARM_ENVIRONMENT`, which Pulumi's providers read, is another
    cloud than the public one.
    """
    cloud = os.environ.get("ARM_ENVIRONMENT") or PUBLIC_CLOUD
    if cloud != PUBLIC_CLOUD:
        raise CloudUnsupportedError(
            f"ARM_ENVIRONMENT is `{cloud}`, but only Azure's public cloud is supported. Unset it, or set it to "
            f"`{PUBLIC_CLOUD}`."
        )
    if tenant not in _credentials:
        _credentials[tenant] = RememberedTokens(_signed_in(tenant))
    return _credentials[tenant]


def forget_tokens() -> None:
    """Drop all cached tokens, also those of existing clients, because a service has rejected one."""
    for known in _credentials.values():
        known.forget()


def unknown_service(error: BaseException | None) -> bool:
    """Whether the directory gave no token because it does not know the service yet."""
    while error is not None:
        if any(code in str(error) for code in UNKNOWN_SERVICE):
            return True
        error = error.__cause__
    return False


def databricks_sign_in() -> dict[str, str]:
    """Environment variables with which Databricks' provider signs in as everything else does.

    With a type, its SDK tries no other one, even if variables for others are set, and the last two keep it from the
    user's own `~/.databrickscfg` (databricks-sdk-go, `config/config.go` and `config_file.go`). Raises `IdentityError`.
    """
    kind = "azure-cli" if workflow_client() is None else "github-oidc-azure"
    return {"DATABRICKS_AUTH_TYPE": kind, "DATABRICKS_CONFIG_FILE": os.devnull, "DATABRICKS_CONFIG_PROFILE": ""}


def workflow_client() -> str | None:
    """The client ID of the GitHub workflow's application; None outside of workflows. Raises `IdentityError`."""
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
    """Azure Resource Manager."""
    return ResourceManager(credential(tenant), MANAGER, MANAGER_SCOPE)


def graph(tenant: str) -> ResourceManager:
    """Microsoft Graph, whose API is like Resource Manager's, but with the version in its paths."""
    return ResourceManager(credential(tenant), GRAPH, f"{GRAPH}/.default")


def container(tenant: str, endpoint: str, name: str, **options: Any) -> "ContainerClient":  # noqa: ANN401 - the SDK's
    """The container `name` of the account whose Blob endpoint is `endpoint`; `options` are the client's own."""
    from azure.storage.blob import ContainerClient  # noqa: PLC0415 - see the top

    return ContainerClient(endpoint, name, credential=credential(tenant), **options)


def machine_learning(place: "MachineLearning") -> "MLClient":
    """An Azure ML workspace."""
    from azure.ai.ml import MLClient  # noqa: PLC0415 - see the top

    return MLClient(
        credential(place.tenant),
        place.subscription,
        place.resource_group,
        place.workspace,
        enable_telemetry=False,
        show_progress=False,  # it would be written to a stream that the engine reads
    )


def registry_tasks(tenant: str, subscription: str) -> "ContainerRegistryTasksMgmtClient":
    """ACR Tasks of a subscription."""
    from azure.mgmt.containerregistrytasks import ContainerRegistryTasksMgmtClient  # noqa: PLC0415 - see the top

    return ContainerRegistryTasksMgmtClient(credential(tenant), subscription)


def registry_images(tenant: str, server: str) -> "ContainerRegistryClient":
    """The images of the container registry at the host `server`."""
    from azure.containerregistry import ContainerRegistryClient  # noqa: PLC0415 - see the top

    return ContainerRegistryClient(f"https://{server}", credential(tenant), audience=MANAGER)


def databricks(tenant: str, url: str, workspace: str) -> "WorkspaceClient":
    """The Databricks workspace at `url` with the resource ID `workspace`.

    Every call contains the headers that make a user with an Azure role on the workspace a member of it.
    """
    from databricks.sdk import WorkspaceClient  # noqa: PLC0415 - see the top
    from databricks.sdk.credentials_provider import CredentialsStrategy  # noqa: PLC0415 - see the top

    known = credential(tenant)

    class Headers(CredentialsStrategy):
        """The three headers of Azure's sign-in."""

        def auth_type(self) -> str:
            """For the client's user agent."""
            return SIGN_IN

        def __call__(self, cfg: object) -> Any:  # noqa: ANN401, ARG002 - the SDK's protocol
            """Returns a function for the headers of each request."""
            return lambda: {
                "Authorization": f"Bearer {known.get_token(DATABRICKS).token}",
                "X-Databricks-Azure-SP-Management-Token": known.get_token(MANAGER_SCOPE).token,
                "X-Databricks-Azure-Workspace-Resource-Id": workspace,
            }

    # The type and the empty profile keep other sign-ins out: those of variables, and of the user's `~/.databrickscfg`.
    return WorkspaceClient(host=url, credentials_strategy=Headers(), auth_type=SIGN_IN, profile="")


def client_assertion() -> str:
    """GitHub's OIDC token for the running workflow. It is valid for five minutes, so each Azure token needs a new one.

    Raises `IdentityError` if GitHub returns none.
    """
    import httpx  # noqa: PLC0415 - with its own command line it takes a third of a second, in every `up`

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
