"""Calls to Resource Manager. azure-core provides sign-in, retries and waiting for long operations."""

from collections.abc import Mapping
from typing import Any, Protocol

from azure.core.credentials import TokenCredential
from azure.core.exceptions import AzureError, HttpResponseError
from azure.core.pipeline.policies import RequestIdPolicy, RetryPolicy, UserAgentPolicy
from azure.core.pipeline.transport import HttpTransport
from azure.core.polling import LROPoller
from azure.core.rest import HttpRequest
from azure.mgmt.core import ARMPipelineClient
from azure.mgmt.core.policies import ARMChallengeAuthenticationPolicy
from azure.mgmt.core.polling.arm_polling import ARMPolling

from azure_clients.errors import TOKEN_ATTEMPTS, UNAUTHENTICATED, ManagerRefusedError

FIRST_ERROR = 400
Body = Mapping[str, Any]


class Credential(TokenCredential, Protocol):
    """A credential that caches tokens."""

    def forget(self) -> None:
        """Drop all tokens, because a service has rejected one."""


class ManagerCalls:
    """The requests of `ResourceManager`, with tokens of `credential` for `scope`."""

    def __init__(
        self,
        credential: Credential,
        address: str,
        scope: str,
        transport: HttpTransport[Any, Any] | None,
        poll_seconds: float,
    ) -> None:
        """Makes no request yet."""
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

    def get(self, path: str, version: str, query: Mapping[str, str]) -> dict[str, Any]:
        """The resource at `path`; raises `ManagerRefusedError`."""
        return _content(self._response("GET", path, version, None, query).http_response)

    def finished(
        self, method: str, path: str, version: str, body: Body | None, query: Mapping[str, str] | None = None
    ) -> dict[str, Any]:
        """The response once the operation has finished; raises `ManagerRefusedError`."""
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
        for _ in range(TOKEN_ATTEMPTS):
            try:
                response = self._client.send_request(request, _return_pipeline_response=True)
            except AzureError as error:
                raise _refusal(method, path, error) from error
            if response.http_response.status_code != UNAUTHENTICATED:
                break
            self._credential.forget()
        answer = response.http_response
        if answer.status_code >= FIRST_ERROR:
            raise _refusal(method, path, HttpResponseError(response=answer))
        return response


def _content(answer: Any) -> dict[str, Any]:  # noqa: ANN401 - azure-core's response
    """The response's JSON; empty if there is none."""
    text = answer.text() if callable(getattr(answer, "text", None)) else ""
    found = answer.json() if text.strip() else {}
    return found if isinstance(found, dict) else {"value": found}


def _refusal(method: str, path: str, error: AzureError) -> ManagerRefusedError:
    status = error.status_code if isinstance(error, HttpResponseError) else None
    code = str(getattr(getattr(error, "error", None), "code", None) or "")
    reason = str(getattr(error, "message", None) or error).strip().splitlines()[0]
    place = path.partition("?")[0]
    return ManagerRefusedError(f"Azure refused to {method} {place}: {reason}", status=status, code=code)
