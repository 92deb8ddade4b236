"""Resource Manager's REST API, for what Pulumi does not do: checks before the first `up` and after `destroy`.

Azure's SDKs have a package for each service, 300 MB in all; these few calls are made directly. azure-core provides
sign-in, retries and waiting for long operations; it is an extra and takes half a second, so it is imported by a call.
"""

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any, Protocol

from azure_clients.errors import TOKEN_ATTEMPTS, UNAUTHENTICATED, ManagerRefusedError

if TYPE_CHECKING:
    from azure.core.credentials import TokenCredential
    from azure.core.exceptions import AzureError
    from azure.core.pipeline.transport import HttpTransport

    class Credential(TokenCredential, Protocol):
        """A credential that caches tokens."""

        def forget(self) -> None:
            """Drop all tokens, because a service has rejected one."""


NOT_FOUND = 404
FIRST_ERROR = 400
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
        from azure.core.pipeline.policies import (  # noqa: PLC0415 - see the top
            RequestIdPolicy,
            RetryPolicy,
            UserAgentPolicy,
        )
        from azure.mgmt.core import ARMPipelineClient  # noqa: PLC0415 - see the top
        from azure.mgmt.core.policies import ARMChallengeAuthenticationPolicy  # noqa: PLC0415 - see the top

        policies = [
            RequestIdPolicy(),
            UserAgentPolicy(base_user_agent="personalize"),
            RetryPolicy(),
            ARMChallengeAuthenticationPolicy(credential, scope),
        ]
        self._credential = credential
        options = {} if transport is None else {"transport": transport}
        self._client: ARMPipelineClient[Any, Any] = ARMPipelineClient(address, policies=policies, **options)
        self._poll_seconds = poll_seconds

    def get(self, path: str, version: str, **query: str) -> dict[str, Any] | None:
        """The resource at `path`; None if it does not exist. Raises `ManagerRefusedError`."""
        try:
            return self._page(path, version, query)
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
            page = self._page(str(following), "", {}) if following else None

    def put(self, path: str, version: str, body: Body) -> dict[str, Any]:
        """Create or change a resource and wait for the end; returns the response. Raises `ManagerRefusedError`."""
        return self._finished("PUT", path, version, body)

    def post(self, path: str, version: str, body: Body | None = None) -> dict[str, Any]:
        """Call an action of a resource and wait for the end; returns the response. Raises `ManagerRefusedError`."""
        return self._finished("POST", path, version, body)

    def _page(self, path: str, version: str, query: Mapping[str, str]) -> dict[str, Any]:
        return _content(self._response("GET", path, version, None, query))

    def _finished(self, method: str, path: str, version: str, body: Body | None) -> dict[str, Any]:
        """The response once the operation has finished."""
        from azure.core.exceptions import AzureError  # noqa: PLC0415 - see the top
        from azure.core.polling import LROPoller  # noqa: PLC0415 - see the top
        from azure.mgmt.core.polling.arm_polling import ARMPolling  # noqa: PLC0415 - see the top

        first = self._response(method, path, version, body, {})
        try:
            return LROPoller(self._client, first, _content, ARMPolling(self._poll_seconds)).result() or {}
        except AzureError as error:
            raise _refusal(method, path, error) from error

    def _response(self, method: str, path: str, version: str, body: Body | None, query: Mapping[str, str]) -> Any:  # noqa: ANN401 - azure-core's pipeline response
        from azure.core.exceptions import AzureError, HttpResponseError  # noqa: PLC0415 - see the top
        from azure.core.rest import HttpRequest  # noqa: PLC0415 - see the top

        parameters = {"api-version": version, **query} if version else dict(query)
        request = HttpRequest(method, path, params=parameters, json=body)
        if not path.startswith("https:"):
            request.url = self._client.format_url(request.url)
        for _ in range(TOKEN_ATTEMPTS):
            try:
                response = self._client.send_request(request, _return_pipeline_response=True)
            except AzureError as error:
                raise _refusal(method, path, error) from error
            if response.http_response.status_code != UNAUTHENTICATED:
                break
            self._credential.forget()
        if response.http_response.status_code >= FIRST_ERROR:
            raise _refusal(method, path, HttpResponseError(response=response.http_response))
        return response


def _content(response: Any) -> dict[str, Any]:  # noqa: ANN401 - azure-core's pipeline response
    """The response's JSON; empty if there is none."""
    answer = response.http_response
    text = answer.text() if callable(getattr(answer, "text", None)) else ""
    found = answer.json() if text.strip() else {}
    return found if isinstance(found, dict) else {"value": found}


def _refusal(method: str, path: str, error: "AzureError") -> ManagerRefusedError:
    code = str(getattr(getattr(error, "error", None), "code", None) or "")
    reason = str(getattr(error, "message", None) or error).strip().splitlines()[0]
    place = path.partition("?")[0]
    status = getattr(error, "status_code", None)
    return ManagerRefusedError(f"Azure refused to {method} {place}: {reason}", status=status, code=code)
