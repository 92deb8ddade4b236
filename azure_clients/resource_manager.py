"""Resource Manager's REST API, for what Pulumi does not do: checks before the first `up` and after `destroy`.

Azure's SDKs have a package for each service, 300 MB in all; these few calls are made directly.
"""

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

from azure_clients.errors import ManagerRefusedError

if TYPE_CHECKING:
    from azure.core.pipeline.transport import HttpTransport

    from azure_clients.manager_calls import Credential

NOT_FOUND = 404
POLL_SECONDS = 5.0
"""Polling interval of a long operation, if Azure does not specify one."""
Body = Mapping[str, Any]


class ResourceManager:
    """Calls with JSON bodies. A `path` begins with `/subscriptions/`; `version` is the service's api-version."""

    def __init__(
        self,
        credential: "Credential",
        address: str,
        scope: str,
        *,
        transport: "HttpTransport[Any, Any] | None" = None,
        poll_seconds: float = POLL_SECONDS,
    ) -> None:
        """`address` is the API's base URL, `scope` the scope of its tokens. Makes no request yet."""
        from azure_clients.manager_calls import ManagerCalls  # noqa: PLC0415 - azure-core is an extra, and half a second

        self._calls = ManagerCalls(credential, address, scope, transport, poll_seconds)

    def get(self, path: str, version: str, **query: str) -> dict[str, Any] | None:
        """The resource at `path`; None if it does not exist. Raises `ManagerRefusedError`."""
        try:
            return self._calls.get(path, version, query)
        except ManagerRefusedError as error:
            if error.status == NOT_FOUND:
                return None
            raise

    def list(self, path: str, version: str, **query: str) -> Iterator[dict[str, Any]]:
        """All entries of a list, page after page; none if the list does not exist. Raises `ManagerRefusedError`."""
        page = self.get(path, version, **query)
        while page is not None:
            yield from page.get("value") or ()
            following = page.get("nextLink")
            page = self._calls.get(str(following), "", {}) if following else None

    def put(self, path: str, version: str, body: Body) -> dict[str, Any]:
        """Create or change a resource and wait for the end; returns the response. Raises `ManagerRefusedError`."""
        return self._calls.finished("PUT", path, version, body)

    def post(self, path: str, version: str, body: Body | None = None) -> dict[str, Any]:
        """Call an action of a resource and wait for the end; returns the response. Raises `ManagerRefusedError`."""
        return self._calls.finished("POST", path, version, body)

    def delete(self, path: str, version: str, **query: str) -> None:
        """Delete a resource if it exists, and wait for the end. Raises `ManagerRefusedError`."""
        try:
            self._calls.finished("DELETE", path, version, None, query)
        except ManagerRefusedError as error:
            if error.status != NOT_FOUND:
                raise
