"""A client of the Kubernetes API, which signs in at each request."""

import base64
import ssl
from collections.abc import Generator, Mapping

import httpx

from azure_clients.credentials import KUBERNETES, credential, forget_tokens

REQUEST_SECONDS = 30.0


class SignedIn(httpx.Auth):
    """Adds a valid token; a rejected token is renewed once."""

    def __init__(self, tenant: str) -> None:
        """`tenant` is the Entra ID tenant."""
        self._tenant = tenant

    def auth_flow(self, request: httpx.Request) -> Generator[httpx.Request, httpx.Response, None]:
        """Add the token; raises `IdentityError` if nobody is signed in."""
        request.headers["Authorization"] = self._token()
        answer = yield request
        if answer.status_code == httpx.codes.UNAUTHORIZED:
            forget_tokens()
            request.headers["Authorization"] = self._token()
            yield request

    def _token(self) -> str:
        return f"Bearer {credential(self._tenant).get_token(KUBERNETES).token}"


def cluster_client(cluster: Mapping[str, str], tenant: str) -> httpx.Client:
    """A client of the `cluster` of a kubeconfig: its `server`, and its `certificate-authority-data` in base64."""
    authority = base64.b64decode(cluster["certificate-authority-data"]).decode()
    trust = ssl.create_default_context(cadata=authority)
    return httpx.Client(base_url=cluster["server"], verify=trust, timeout=REQUEST_SECONDS, auth=SignedIn(tenant))
