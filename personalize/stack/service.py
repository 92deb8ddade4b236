"""Requests to the running service with the stack's key, and its refusals as our errors."""

import json
import ssl
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

import httpx

from features.errors import BadInputError, PersonalizationError, reason
from features.files import write_private
from steps.folders import StackFolder

if TYPE_CHECKING:
    from personalize.stack.session import StackSession
    from personalize.stack.stack_files import StackFiles

TIMEOUT_SECONDS = 30.0
READY_SECONDS = 900.0
"""How long a service may take after its cluster has started."""
POLL_SECONDS = 5.0
NO_SERVICE = (
    "The stack has no service yet: `.venv/bin/personalize up` did not finish, or the gate rejected the model. Run it "
    "again to see which."
)
AUTHORITY = "authority.pem"
"""File in the stack's folder with the authority that signed the service's certificate on Azure."""


class ServiceUnreachableError(PersonalizationError):
    """The service does not answer."""


class ServiceRefusedError(PersonalizationError):
    """The service answered without a result."""


@dataclass(frozen=True)
class Service:
    """The service of a stack."""

    endpoint: str
    key: str = field(repr=False)
    certificate: Path | None
    """The service's certificate if it speaks HTTPS, trusted in addition to the machine's authorities."""

    @classmethod
    def of(cls, session: "StackSession", outputs: dict[str, Any] | None = None) -> Self:
        """The service of a stack. Raises `ServiceUnreachableError` if the stack has none."""
        found = session.outputs()[0] if outputs is None else outputs
        if "endpoint" not in found:
            raise ServiceUnreachableError(NO_SERVICE)
        return cls(str(found["endpoint"]).rstrip("/"), str(found["key"]), trusted_certificate(session.files, found))

    def post(self, path: str, body: object) -> Any:  # noqa: ANN401 - JSON
        """The service's answer to `body`. Raises `BadInputError` if the service refuses `body`."""
        content = json.dumps(body).encode()  # httpx refuses NaN, UTF-8 lone surrogates; the service names the field
        response = self._request("POST", path, content=content, headers={"Content-Type": "application/json"})
        if response.is_success:
            return response.json()
        message = _message(response)
        if response.status_code == httpx.codes.UNAUTHORIZED:
            raise ServiceRefusedError(
                "The service does not know the stack's key. `.venv/bin/personalize up --refresh` repairs that."
            )
        if response.status_code == httpx.codes.NOT_FOUND:
            raise BadInputError(
                f"The model does not answer {path}: it recommends only if its dataset has keys of users and items."
            )
        if response.is_client_error:
            raise BadInputError(f"The service refused it: {message}")
        raise ServiceRefusedError(f"The service can't answer now ({response.status_code}): {message}")

    def ready(self) -> bool:
        """Whether the service is ready to score."""
        try:
            return self._request("GET", "/readyz").is_success
        except ServiceUnreachableError:
            return False

    def await_ready(self, seconds: float) -> float | None:
        """Wait until the service is ready. Returns the seconds it took, None if it took longer than `seconds`."""
        started = time.monotonic()
        while not self.ready():
            if time.monotonic() - started > seconds:
                return None
            time.sleep(POLL_SECONDS)
        return time.monotonic() - started

    def example(self, path: str) -> dict[str, Any]:
        """The body of a request with the model's columns, from the service's OpenAPI description.

        Raises `BadInputError` if the model only recommends.
        """
        response = self._request("GET", "/openapi.json")
        if not response.is_success:
            raise ServiceRefusedError(f"The service can't answer now ({response.status_code}): {_message(response)}")
        paths = response.json()["paths"]
        if path not in paths:
            raise BadInputError(
                "The model does not give click probabilities, since it was trained only on positives. Use "
                "`.venv/bin/personalize recommend`."
            )
        examples = paths[path]["post"]["requestBody"]["content"]["application/json"]["examples"]
        return dict(next(iter(examples.values()))["value"])

    def _request(self, method: str, path: str, **arguments: Any) -> httpx.Response:  # noqa: ANN401 - passed on
        try:
            with httpx.Client(
                headers={"Authorization": f"Bearer {self.key}"},
                timeout=TIMEOUT_SECONDS,
                trust_env=False,
                verify=trusting(self.certificate),
            ) as client:
                return client.request(method, f"{self.endpoint}{path}", **arguments)
        except httpx.HTTPError as error:
            raise ServiceUnreachableError(
                f"The service at {self.endpoint} does not answer ({reason(error)}). "
                "`.venv/bin/personalize up --refresh` starts what is not running; `.venv/bin/personalize logs` "
                "shows why it stopped."
            ) from error


def trusted_certificate(files: "StackFiles", outputs: dict[str, Any]) -> Path | None:
    """The certificate to trust in addition to the machine's authorities.

    On Azure it is the service's own authority, written to a file for `curl`; elsewhere the one that is served, which
    may be another than in the settings until the next `up`.
    """
    if authority := outputs.get("authority"):
        files.create_folders()
        kept = files.folder / AUTHORITY
        write_private(kept, str(authority))
        return kept
    served = StackFolder(files.folder).certificate
    return served if served.is_file() else None


def _message(response: httpx.Response) -> str:
    try:
        problem = response.json()["error"]
        return str(problem["message"] if isinstance(problem, dict) else problem)
    except (ValueError, KeyError, TypeError):
        return response.text.strip()[:200] or response.reason_phrase


def trusting(authorities: Path | None) -> ssl.SSLContext:
    """A context that trusts the machine's authorities and those in a PEM file. Raises `OSError`."""
    context = ssl.create_default_context()
    if authorities:
        context.load_verify_locations(authorities)
    return context
