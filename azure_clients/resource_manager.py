"""The Resource Manager's own interface, for what Pulumi does not do: look before the first `up`, and after the last.

Azure's SDKs have a package for each service and 300 MB in all; these calls are few, so they are made directly.
"""

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

from azure_clients.errors import ManagerRefusedError

if TYPE_CHECKING:
    from azure.core.credentials import TokenCredential
    from azure.core.pipeline.transport import HttpTransport

NOT_FOUND = 404
POLL_SECONDS = 5.0
"""How often a long operation is asked for where Azure does not say."""
Body = Mapping[str, Any]


class ResourceManager:
    """Calls as JSON in, JSON out. A `path` begins with `/subscriptions/`; `version` is the service's api-version."""

    def __init__(
        self,
        credential: "TokenCredential",
        address: str,
        scope: str,
        *,
        transport: "HttpTransport[Any, Any] | None" = None,
        poll_seconds: float = POLL_SECONDS,
    ) -> None:
        """`address` is where it answers, `scope` what its token is for. Nothing is asked yet."""
        from azure_clients.manager_calls import ManagerCalls  # noqa: PLC0415 - azure-core is an extra, and half a second

        self._calls = ManagerCalls(credential, address, scope, transport, poll_seconds)

    def get(self, path: str, version: str, **query: str) -> dict[str, Any] | None:
        """What is at `path`, None where there is nothing; raises `ManagerRefusedError`."""
        try:
            return self._calls.get(path, version, query)
        except ManagerRefusedError as error:
            if error.status == NOT_FOUND:
                return None
            raise

    def list(self, path: str, version: str, **query: str) -> Iterator[dict[str, Any]]:
        """All entries of a list, page after page; none where there is no such list. Raises `ManagerRefusedError`."""
        page = self.get(path, version, **query)
        while page is not None:
            yield from page.get("value") or ()
            following = page.get("nextLink")
            page = self._calls.get(str(following), "", {}) if following else None

    def put(self, path: str, version: str, body: Body) -> dict[str, Any]:
        """Make or change a resource and wait until it is done; its answer. Raises `ManagerRefusedError`."""
        return self._calls.finished("PUT", path, version, body)

    def post(self, path: str, version: str, body: Body | None = None) -> dict[str, Any]:
        """Do something with a resource and wait until it is done; its answer. Raises `ManagerRefusedError`."""
        return self._calls.finished("POST", path, version, body)

    def delete(self, path: str, version: str, **query: str) -> None:
        """Delete a resource, unless there is none, and wait until it is gone. Raises `ManagerRefusedError`."""
        try:
            self._calls.finished("DELETE", path, version, None, query)
        except ManagerRefusedError as error:
            if error.status != NOT_FOUND:
                raise
