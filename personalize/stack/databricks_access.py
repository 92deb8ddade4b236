"""Requests to the stack's Databricks workspace before an update: to become a member, and to find interrupted creations.

A role in Azure alone makes nobody a member. Databricks admits callers that send the headers of Azure's sign-in, which
its Pulumi provider does not send from a workflow.
"""

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

import tenacity

from azure_clients import credentials
from azure_clients.errors import TOKEN_ATTEMPTS
from features.errors import PersonalizationError
from steps.workspace_ready import WorkspaceReady

if TYPE_CHECKING:
    from databricks.sdk import WorkspaceClient

READY = WorkspaceReady.token()
JOB = "databricks:index/job:Job"
Resources = Iterable[Mapping[str, Any]]


def join(resources: Resources, tenant: str) -> None:
    """Become a member of the workspace in the state `resources`, if it has one. Raises `PersonalizationError`."""
    client = _client(resources, tenant)
    if client is None:
        return
    from databricks.sdk.errors import Unauthenticated  # noqa: PLC0415 - an extra, and a second
    from databricks.sdk.errors.base import DatabricksError  # noqa: PLC0415 - see above

    # The SDK retries busy requests, but not those refused for an expired token.
    asking = tenacity.Retrying(
        retry=tenacity.retry_if_exception_type(Unauthenticated),
        stop=tenacity.stop_after_attempt(TOKEN_ATTEMPTS),
        before_sleep=lambda _: credentials.forget_tokens(),
        reraise=True,
    )
    try:
        asking(client.current_user.me)
    except DatabricksError as error:
        raise PersonalizationError(
            f"The Databricks workspace {client.config.host} does not admit the identity that is signed in: "
            f"{error}. Give it the role Contributor on the workspace, or let a member add it; then run this again."
        ) from error


def numbered_identity(kind: str, inputs: Mapping[str, Any], resources: Resources, tenant: str) -> str | None:
    """The ID that Databricks gave to the stack's job; None if there is none, or for something else."""
    client = _client(resources, tenant) if kind == JOB else None
    if client is None:
        return None
    return next((str(found.job_id) for found in client.jobs.list(name=inputs.get("name"))), None)


def _client(resources: Resources, tenant: str) -> "WorkspaceClient | None":
    """A client of the workspace that is ready according to the state."""
    found = next((resource for resource in resources if resource["type"] == READY and resource.get("outputs")), None)
    if found is None:
        return None
    return credentials.databricks(tenant, found["outputs"]["url"], found["inputs"]["workspace_id"])
