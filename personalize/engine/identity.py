"""Who Pulumi's engine is for the store of its state: the identity that everything else is, and no other.

The engine's own Azure client tries many identities; one variable leaves it one. In a workflow it reads a statement of
GitHub's from a file, and as that lives for five minutes, the file is written anew while this process runs.
"""

import threading
from pathlib import Path

from azure_clients.credentials import AUTHORITY, IdentityError, client_assertion, workflow_client
from features.files import write_private

FILE = "assertion"
RENEW_SECONDS = 120.0
_renewed: set[Path] = set()
_lock = threading.Lock()


def engine_identity(tenant: str, folder: Path) -> dict[str, str]:
    """Variables for the engine. `folder` is the stack's; raises `IdentityError` where GitHub gives no statement."""
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
    """Write the statement, and from now on again and again."""
    with _lock:
        if file in _renewed and file.is_file():
            return
        file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        write_private(file, client_assertion())
        if file not in _renewed:
            _renewed.add(file)
            threading.Thread(target=_renew, args=(file,), name="assertion", daemon=True).start()


def _renew(file: Path) -> None:
    pause = threading.Event()
    while not pause.wait(RENEW_SECONDS):
        try:
            if file.parent.is_dir():  # a destroy takes the stack's folder away
                write_private(file, client_assertion())
        except (IdentityError, OSError):
            continue  # the one before is good for some minutes; the next try may succeed
