"""The one identity behind every call to Azure that is ours, and the clients that make the calls in its name.

On a laptop it is who is signed in to the Azure CLI, in a workflow of GitHub the application that trusts the workflow.
`DefaultAzureCredential` would pick whichever of many identities it finds first, and the roles are given to one.
`ARM_ENVIRONMENT` names the cloud (`public`, `usgovernment`, `china`), as it does for Pulumi's own providers.
"""

import os
import threading
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import httpx
from azure.core import AzureClouds
from azure.core.credentials import AccessToken, TokenCredential
from azure.identity import AzureAuthorityHosts, AzureCliCredential, ClientAssertionCredential
from azure.mgmt.core.tools import get_arm_endpoints

from features.errors import PersonalizationError

if TYPE_CHECKING:
    from azure.ai.ml import MLClient
    from azure.containerregistry import ContainerRegistryClient
    from azure.mgmt.containerregistrytasks import ContainerRegistryTasksMgmtClient
    from azure.storage.blob import ContainerClient
    from databricks.sdk import WorkspaceClient

    from azure_clients.resource_manager import ResourceManager

STORAGE = "https://storage.azure.com/.default"
DATABRICKS = "2ff814a6-3304-4ab8-85cb-cd0e6f879c1d/.default"
"""Azure Databricks' application in Entra ID, the same in every cloud."""
KUBERNETES = "6dae42f8-4368-4678-94ff-3960e28e3630/.default"
"""AKS' application in Entra ID, the same in every cloud."""
ASSERTION_AUDIENCE = "api://AzureADTokenExchange"
EARLY_SECONDS = 300
"""A token is renewed when it has less than this left, as Azure's own clients do."""
REQUEST_SECONDS = 30.0


class IdentityError(PersonalizationError):
    """There is no identity to call Azure with."""


@dataclass(frozen=True)
class Cloud:
    """One of Azure's clouds: where to sign in, its directory, and the cloud's name for azure-ai-ml."""

    setting: AzureClouds
    authority: str
    machine_learning: str
    graph: str
    """Microsoft Graph's address."""
    studio: str
    """Where a person looks at Azure ML."""
    storage_domain: str
    """Of every storage account's Blob endpoint."""
    vault_domain: str
    """Of every Key Vault."""

    @property
    def manager(self) -> str:
        """The Resource Manager's address."""
        return str(get_arm_endpoints(self.setting)["resource_manager"])

    @property
    def manager_scope(self) -> str:
        """What a token for the Resource Manager is asked for."""
        (scope,) = get_arm_endpoints(self.setting)["credential_scopes"]
        return str(scope)


CLOUDS = {
    "public": Cloud(
        AzureClouds.AZURE_PUBLIC_CLOUD,
        AzureAuthorityHosts.AZURE_PUBLIC_CLOUD,
        "AzureCloud",
        "https://graph.microsoft.com",
        "https://ml.azure.com",
        "blob.core.windows.net",
        "vault.azure.net",
    ),
    "usgovernment": Cloud(
        AzureClouds.AZURE_US_GOVERNMENT,
        AzureAuthorityHosts.AZURE_GOVERNMENT,
        "AzureUSGovernment",
        "https://graph.microsoft.us",
        "https://ml.azure.us",
        "blob.core.usgovcloudapi.net",
        "vault.usgovcloudapi.net",
    ),
    "china": Cloud(
        AzureClouds.AZURE_CHINA_CLOUD,
        AzureAuthorityHosts.AZURE_CHINA,
        "AzureChinaCloud",
        "https://microsoftgraph.chinacloudapi.cn",
        "https://studio.ml.azure.cn",
        "blob.core.chinacloudapi.cn",
        "vault.azure.cn",
    ),
}


class RememberedTokens:
    """A credential that asks another one only for tokens that it does not have: `az` takes a second each time."""

    def __init__(self, credential: TokenCredential) -> None:
        """`credential` is the one that is asked."""
        self._credential = credential
        self._tokens: dict[tuple[str, ...], AccessToken] = {}
        self._lock = threading.Lock()

    def get_token(self, *scopes: str, **options: Any) -> AccessToken:  # noqa: ANN401 - azure-core's protocol
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


def cloud() -> Cloud:
    """The cloud that `ARM_ENVIRONMENT` names; raises `IdentityError` for one that nobody knows."""
    name = os.environ.get("ARM_ENVIRONMENT") or "public"
    if name not in CLOUDS:
        raise IdentityError(f"ARM_ENVIRONMENT is `{name}`, which is none of Azure's clouds: {', '.join(CLOUDS)}.")
    return CLOUDS[name]


def credential(tenant: str) -> RememberedTokens:
    """Who is signed in to the directory `tenant`; nothing is asked yet. Raises `IdentityError`."""
    if tenant not in _credentials:
        _credentials[tenant] = RememberedTokens(_signed_in(tenant))
    return _credentials[tenant]


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
            "to the client id that `personalize bootstrap` printed."
        )
    return client


def _signed_in(tenant: str) -> TokenCredential:
    client = workflow_client()
    if client is None:
        return AzureCliCredential(tenant_id=tenant)
    return ClientAssertionCredential(tenant, client, client_assertion, authority=cloud().authority)


def resource_manager(tenant: str) -> "ResourceManager":
    """The Resource Manager."""
    from azure_clients.resource_manager import ResourceManager  # noqa: PLC0415 - steps do without

    return ResourceManager(credential(tenant), cloud().manager, cloud().manager_scope)


def graph(tenant: str) -> "ResourceManager":
    """The directory, Microsoft Graph, which speaks as the Resource Manager does but for the version in its paths."""
    from azure_clients.resource_manager import ResourceManager  # noqa: PLC0415 - see above

    return ResourceManager(credential(tenant), cloud().graph, f"{cloud().graph}/.default")


def container(tenant: str, endpoint: str, name: str) -> "ContainerClient":
    """The container `name` of the account whose Blob endpoint is `endpoint`."""
    from azure.storage.blob import ContainerClient  # noqa: PLC0415 - half a second that other steps need not wait

    return ContainerClient(endpoint, name, credential=credential(tenant))


def machine_learning(tenant: str, subscription: str, group: str, workspace: str) -> "MLClient":
    """An Azure ML workspace."""
    from azure.ai.ml import MLClient  # noqa: PLC0415 - a second that other steps need not wait

    return MLClient(
        credential(tenant),
        subscription,
        group,
        workspace,
        cloud=cloud().machine_learning,
        enable_telemetry=False,
        show_progress=False,  # it would be written to what the engine reads
    )


def registry_tasks(tenant: str, subscription: str) -> "ContainerRegistryTasksMgmtClient":
    """The builds of a subscription's container registries."""
    from azure.mgmt.containerregistrytasks import ContainerRegistryTasksMgmtClient  # noqa: PLC0415 - see above

    return ContainerRegistryTasksMgmtClient(credential(tenant), subscription, cloud_setting=cloud().setting)


def registry_images(tenant: str, server: str) -> "ContainerRegistryClient":
    """The images of the container registry at the host `server`."""
    from azure.containerregistry import ContainerRegistryClient  # noqa: PLC0415 - see above

    audience = cloud().manager_scope.removesuffix("/.default")
    return ContainerRegistryClient(f"https://{server}", credential(tenant), audience=audience)


def databricks(tenant: str, url: str, workspace: str) -> "WorkspaceClient":
    """The Databricks workspace at `url` with the Resource Manager's id `workspace`.

    Every call carries what makes a member of somebody whom Azure's roles let manage the workspace.
    """
    from databricks.sdk import WorkspaceClient  # noqa: PLC0415 - see above
    from databricks.sdk.credentials_provider import CredentialsStrategy  # noqa: PLC0415 - see above

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
                "X-Databricks-Azure-SP-Management-Token": known.get_token(cloud().manager_scope).token,
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
            f"GitHub gives this workflow no identity token: {error}. The job needs `permissions: id-token: write`."
        ) from error
