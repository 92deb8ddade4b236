"""Waits until the deployer is a member of the new Databricks workspace and Unity Catalog can be used in it.

A workspace responds with 403 for minutes after its creation, and Databricks' provider does not wait. Workspace admins
have the privileges that are needed on Unity Catalog's metastore by default only if Databricks enabled the workspace for
Unity Catalog automatically; otherwise a metastore or account admin must grant them (Microsoft's page "Admin privileges
in Unity Catalog").
"""

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING

from azure_clients import credentials
from azure_clients.resources import Directory
from azure_clients.retries import Context, Deadline, retried
from features.errors import PersonalizationError
from steps.step import AzureStep, Created, Kind, Stack, StepOutputs

if TYPE_CHECKING:
    from databricks.sdk import WorkspaceClient
    from databricks.sdk.service.iam import User


ALL = "ALL_PRIVILEGES"
NEEDED = ("CREATE_STORAGE_CREDENTIAL", "CREATE_EXTERNAL_LOCATION", "CREATE_CATALOG")
EVERYBODY = "account users"
ADMINS, ADMINS_GROUP = "admins", "_workspace_admins_"
"""The workspace's admin group, and the prefix of its name in Unity Catalog."""
METASTORE = "metastore"


class Inputs(Stack, Directory):
    """A workspace: its resource ID, and its host without a scheme."""

    workspace_id: str
    workspace_host: str


class Outputs(StepOutputs):
    """The workspace's URL, and the metastore that is assigned to it."""

    url: str
    metastore: str


class MetastoreMissingError(PersonalizationError):
    """The workspace has no Unity Catalog."""


class PrivilegesMissingError(PersonalizationError):
    """The deployer lacks privileges in Unity Catalog."""


class WorkspaceReady(AzureStep[Inputs, Outputs]):
    """Outputs the workspace's URL once it can be used."""

    kind = Kind.WORKSPACE_READY
    replaced_by = frozenset({"workspace_id", "workspace_host"})

    def create(self, inputs: Inputs, context: Context) -> Created[Outputs]:
        """Wait; raises `AzureRefusedError`, `MetastoreMissingError` or `PrivilegesMissingError`."""
        url = f"https://{inputs.workspace_host}"
        client = credentials.databricks(inputs.tenant, url, inputs.workspace_id)
        retried("join the Databricks workspace", client.current_user.me, context)
        deadline = Deadline(context)  # it may be assigned minutes after the workspace's creation
        while (metastore := retried("read the metastore", lambda: _metastore(client), context)) is None:
            if not deadline.wait("waiting for Unity Catalog's metastore"):
                break
        if metastore is None:
            raise MetastoreMissingError(
                f"The Databricks workspace {url} has no Unity Catalog metastore. Accounts from before November 2023 "
                "get none automatically: an account admin must create one for this region in the account console and "
                "turn on its automatic assignment. Then run `up` again."
            )
        self._wait_for_privileges(lambda: require_privileges(client, metastore), context)
        return Created(inputs.workspace_id, Outputs(url=url, metastore=metastore))

    def _wait_for_privileges(self, require: Callable[[], None], context: Context) -> None:
        """Wait until the workspace's admins have got their privileges, which also takes minutes."""
        deadline = Deadline(context)
        while True:
            try:
                return retried("read the privileges in Unity Catalog", require, context)
            except PrivilegesMissingError:
                if not deadline.wait("waiting for privileges in Unity Catalog"):
                    raise


def _metastore(client: "WorkspaceClient") -> str | None:
    from databricks.sdk.errors import NotFound  # noqa: PLC0415 - an extra
    from databricks.sdk.errors.base import DatabricksError  # noqa: PLC0415 - an extra

    try:
        return client.metastores.current().metastore_id
    except NotFound:
        return None
    except DatabricksError as error:
        # For an account without Unity Catalog, the error code is one that the SDK does not know.
        if error.error_code == "METASTORE_DOES_NOT_EXIST":
            return None
        raise


def require_privileges(client: "WorkspaceClient", metastore: str) -> None:
    """Raise `PrivilegesMissingError` with the grants that an admin must give, if any is missing.

    A deployer who can't read the metastore's grants may still have them by a group: then Unity Catalog itself decides.
    """
    from databricks.sdk.errors import PermissionDenied  # noqa: PLC0415 - an extra

    me = client.current_user.me()
    try:
        # Everybody may read the summary, but only a metastore admin the metastore itself.
        if client.metastores.summary().owner in set(_names(me)):
            return
        held = set(_held(client, metastore, me))
    except PermissionDenied:
        return
    missing = [privilege for privilege in NEEDED if not held & {privilege, ALL}]
    if missing:
        listed = ", ".join(privilege.replace("_", " ") for privilege in missing)
        raise PrivilegesMissingError(
            f"{me.user_name} lacks privileges on Unity Catalog's metastore {metastore}. A metastore admin or account "
            f"admin of Databricks must run, in a notebook or an SQL editor of the workspace: "
            f"GRANT {listed} ON METASTORE TO `{me.user_name}`; Then run `up` again."
        )


def _held(client: "WorkspaceClient", metastore: str, me: "User") -> Iterator[str]:
    """The current user's privileges on the metastore, including those of their groups."""
    own = {*_names(me), EVERYBODY}
    page = None
    while True:
        answer = client.grants.get_effective(METASTORE, metastore, max_results=0, page_token=page)
        for assignment in answer.privilege_assignments or ():
            principal = assignment.principal or ""
            if principal in own or (ADMINS in own and principal.startswith(ADMINS_GROUP)):
                yield from (one.privilege.value for one in assignment.privileges or () if one.privilege)
        page = answer.next_page_token
        if not page:
            return


def _names(me: "User") -> Iterator[str]:
    """The names of the current user and of their groups."""
    yield from (name for name in (me.user_name, *(group.display for group in me.groups or ())) if name)
