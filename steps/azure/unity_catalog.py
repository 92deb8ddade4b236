"""The deployer's privileges on Unity Catalog's metastore.

Workspace admins have them by default only if Databricks enabled the workspace for Unity Catalog automatically;
otherwise a metastore or account admin must grant them (Microsoft's page "Admin privileges in Unity Catalog").
"""

from collections.abc import Iterator
from typing import TYPE_CHECKING

from databricks.sdk.errors import PermissionDenied

from features.errors import PersonalizationError

if TYPE_CHECKING:
    from databricks.sdk import WorkspaceClient
    from databricks.sdk.service.iam import User

ALL = "ALL_PRIVILEGES"
NEEDED = ("CREATE_STORAGE_CREDENTIAL", "CREATE_EXTERNAL_LOCATION", "CREATE_CATALOG")
EVERYBODY = "account users"
ADMINS, ADMINS_GROUP = "admins", "_workspace_admins_"
"""The workspace's admin group, and the prefix of its name in Unity Catalog."""
METASTORE = "metastore"


class PrivilegesMissingError(PersonalizationError):
    """The deployer lacks privileges in Unity Catalog."""


def require_privileges(client: "WorkspaceClient", metastore: str) -> None:
    """Raise `PrivilegesMissingError` with the grants that an admin must give, if any is missing.

    A deployer who can't read the metastore's grants may still have them by a group: then Unity Catalog itself decides.
    """
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
