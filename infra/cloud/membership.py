"""Lets whoever runs an update into the stack's Databricks workspace: roles in Azure alone do not make a member.

Databricks takes in who calls with the headers of Azure's own sign-in, which its provider for Pulumi does not send from
a workflow.
"""

from collections.abc import Iterable, Mapping
from typing import Any

from features.errors import PersonalizationError
from infra.steps import Kind, Place, token

READY = token(Place.AZURE, Kind.WORKSPACE_READY)


class NoMemberError(PersonalizationError):
    """The Databricks workspace does not take in who is signed in."""


def join(resources: Iterable[Mapping[str, Any]], tenant: str) -> None:
    """Become a member of the workspace in the state `resources`, if there is one. Raises `NoMemberError`."""
    found = next((resource for resource in resources if resource["type"] == READY), None)
    if found is None:
        return
    from databricks.sdk.errors.base import DatabricksError  # noqa: PLC0415 - an extra, and a second

    from infra.cloud import credentials  # noqa: PLC0415 - see above

    address = found["outputs"]["url"]
    try:
        credentials.databricks(tenant, address, found["inputs"]["workspace_id"]).current_user.me()
    except DatabricksError as error:
        raise NoMemberError(
            f"The Databricks workspace {address} does not take in who is signed in: {error}. Give them the role "
            "Contributor on it, or let a member add them; then run this again."
        ) from error
