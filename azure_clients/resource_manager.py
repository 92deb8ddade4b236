"""The Resource Manager's own interface, for what Pulumi does not do: look before the first `up`, and after the last.

Azure's SDKs have a package for each service and 300 MB in all; these calls are few, and azure-core brings what is hard
about them: sign-in, repeats after 429 and 5xx, and waiting for what takes long.
"""

from collections.abc import Iterator, Mapping
from typing import Any

from azure.core.credentials import TokenCredential
from azure.core.exceptions import AzureError, HttpResponseError
from azure.core.pipeline.policies import RequestIdPolicy, RetryPolicy, UserAgentPolicy
from azure.core.pipeline.transport import HttpTransport
from azure.core.polling import LROPoller
from azure.core.rest import HttpRequest
from azure.mgmt.core import ARMPipelineClient
from azure.mgmt.core.policies import ARMChallengeAuthenticationPolicy
from azure.mgmt.core.polling.arm_polling import ARMPolling

from features.errors import PersonalizationError

NOT_FOUND = 404
FIRST_ERROR = 400
POLL_SECONDS = 5.0
"""How often a long operation is asked for where Azure does not say."""
Body = Mapping[str, Any]


class ManagerRefusedError(PersonalizationError):
    """A call that Azure answered with an error. `status` is the HTTP status, None where nothing answered."""

    def __init__(self, sentence: str, *, status: int | None = None, code: str = "") -> None:
        """`code` is Azure's own word for the cause, empty where it gave none."""
        super().__init__(sentence)
        self.status = status
        self.code = code


class ResourceManager:
    """Calls as JSON in, JSON out. A `path` begins with `/subscriptions/`; `version` is the service's api-version."""

    def __init__(
        self,
        credential: TokenCredential,
        address: str,
        scope: str,
        *,
        transport: HttpTransport[Any, Any] | None = None,
        poll_seconds: float = POLL_SECONDS,
    ) -> None:
        """`address` is where it answers, `scope` what its token is for. Nothing is asked yet."""
        policies = [
            RequestIdPolicy(),
            UserAgentPolicy(base_user_agent="personalize"),
            RetryPolicy(),
            ARMChallengeAuthenticationPolicy(credential, scope),
        ]
        options = {} if transport is None else {"transport": transport}
        self._client: ARMPipelineClient[Any, Any] = ARMPipelineClient(address, policies=policies, **options)
        self._poll_seconds = poll_seconds

    def get(self, path: str, version: str, **query: str) -> dict[str, Any] | None:
        """What is at `path`, None where there is nothing; raises `ManagerRefusedError`."""
        try:
            return self._send("GET", path, version, query=query)
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
            page = self._send("GET", str(following), "") if following else None

    def put(self, path: str, version: str, body: Body) -> dict[str, Any]:
        """Make or change a resource and wait until it is done; its answer. Raises `ManagerRefusedError`."""
        return self._finished("PUT", path, version, body)

    def post(self, path: str, version: str, body: Body | None = None) -> dict[str, Any]:
        """Do something with a resource and wait until it is done; its answer. Raises `ManagerRefusedError`."""
        return self._finished("POST", path, version, body)

    def delete(self, path: str, version: str, **query: str) -> None:
        """Delete a resource, unless there is none, and wait until it is gone. Raises `ManagerRefusedError`."""
        try:
            self._finished("DELETE", path, version, None, query=query)
        except ManagerRefusedError as error:
            if error.status != NOT_FOUND:
                raise

    def _send(self, method: str, path: str, version: str, *, query: Mapping[str, str] | None = None) -> dict[str, Any]:
        return _content(self._response(method, path, version, None, query or {}).http_response)

    def _finished(
        self, method: str, path: str, version: str, body: Body | None, query: Mapping[str, str] | None = None
    ) -> dict[str, Any]:
        first = self._response(method, path, version, body, query or {})

        def decode(answer: Any) -> dict[str, Any]:  # noqa: ANN401 - azure-core's pipeline response
            return _content(answer.http_response)

        try:
            return LROPoller(self._client, first, decode, ARMPolling(self._poll_seconds)).result() or {}
        except AzureError as error:
            raise _refusal(method, path, error) from error

    def _response(self, method: str, path: str, version: str, body: Body | None, query: Mapping[str, str]) -> Any:  # noqa: ANN401 - azure-core's pipeline response
        parameters = {"api-version": version, **query} if version else dict(query)
        request = HttpRequest(method, path, params=parameters, json=body)
        if not path.startswith("https:"):
            request.url = self._client.format_url(request.url)
        try:
            response = self._client.send_request(request, _return_pipeline_response=True)
        except AzureError as error:
            raise _refusal(method, path, error) from error
        answer = response.http_response
        if answer.status_code >= FIRST_ERROR:
            raise _refusal(method, path, HttpResponseError(response=answer))
        return response


def _content(answer: Any) -> dict[str, Any]:  # noqa: ANN401 - azure-core's response
    """The answer's JSON; empty where it has none."""
    text = answer.text() if callable(getattr(answer, "text", None)) else ""
    found = answer.json() if text.strip() else {}
    return found if isinstance(found, dict) else {"value": found}


def _refusal(method: str, path: str, error: AzureError) -> ManagerRefusedError:
    status = error.status_code if isinstance(error, HttpResponseError) else None
    code = str(getattr(getattr(error, "error", None), "code", None) or "")
    reason = str(getattr(error, "message", None) or error).strip().splitlines()[0]
    place = path.partition("?")[0]
    return ManagerRefusedError(f"Azure refused to {method} {place}: {reason}", status=status, code=code)
