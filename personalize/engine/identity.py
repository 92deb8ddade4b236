"""The identity with which Pulumi's engine uses the state backend: the same as everywhere else.

The engine's Azure client would try many identities; a variable restricts it to one. In a workflow it reads GitHub's
OIDC token from a file. The token is valid for five minutes, so this process renews the file.
"""

import threading
from pathlib import Path

from azure_clients.credentials import AUTHORITY, IdentityError, client_assertion, workflow_client
from features.files import private_folder, write_private

FILE = "assertion"
RENEW_SECONDS = 120.0
_renewed: set[Path] = set()
_lock = threading.Lock()


def engine_identity(tenant: str, folder: Path) -> dict[str, str]:
    """Environment variables for the engine. `folder` is the stack's. Raises `IdentityError` without a token."""
    client = workflow_client()
    if client is None:
        return {"AZURE_TOKEN_CREDENTIALS": "AzureCLICredential"}
    file = folder / FILE
    _keep(file)
    return {
        "AZURE_TOKEN_CREDENTIALS": "WorkloadIdentityCredential",
        "AZURE_CLIENT_ID": client,
        "AZURE_TENANT_ID": tenant,
        "AZURE_FEDERATED_TOKEN_FILE": str(file),
        "AZURE_AUTHORITY_HOST": AUTHORITY,
    }


def _keep(file: Path) -> None:
    """Write the token, and keep renewing it."""
    with _lock:
        if file in _renewed and file.is_file():
            return
        private_folder(file.parent)
        write_private(file, client_assertion())
        if file not in _renewed:
            _renewed.add(file)
            threading.Thread(target=_renew, args=(file,), name="assertion", daemon=True).start()


def _renew(file: Path) -> None:
    pause = threading.Event()
    while not pause.wait(RENEW_SECONDS):
        try:
            if file.parent.is_dir():  # a destroy deletes the stack's folder
                write_private(file, client_assertion())
        except (IdentityError, OSError):
            continue  # the last one is valid for some minutes; the next attempt may succeed
