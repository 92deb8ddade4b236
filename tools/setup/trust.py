"""Makes everything that is fetched trust this machine's certificate store.

A proxy that inspects TLS signs with its company's certificate authority, which only this machine's store has. Go uses
the store by default; uv and Node use their own lists unless told otherwise. The set-up reads this module with the
machine's own Python before any package is there, so it keeps to the standard library.
"""

import os
import ssl
from pathlib import Path

BUNDLES = (
    "/etc/ssl/certs/ca-certificates.crt",  # Debian, Ubuntu, Arch, Alpine
    "/etc/pki/tls/certs/ca-bundle.crt",  # Fedora, Red Hat
    "/etc/ssl/ca-bundle.pem",  # openSUSE
    "/etc/ssl/cert.pem",  # macOS
)


def bundle() -> str | None:
    """The file with the certificate authorities that this machine trusts: `SSL_CERT_FILE`, else the system's."""
    named = os.environ.get("SSL_CERT_FILE")
    return next((path for path in ([named] if named else []) + list(BUNDLES) if Path(path).is_file()), None)


def trusting() -> dict[str, str]:
    """This process's environment and the variables that make uv and Node trust the system's store.

    Variables that are set already stay. If the machine has no store, like a bare container, none is added, and the
    programs use their own lists.
    """
    given = dict(os.environ)
    found = bundle()
    if found is None:
        return given
    wanted = {
        "UV_SYSTEM_CERTS": "true",
        "NODE_EXTRA_CA_CERTS": found,
        "NODE_USE_SYSTEM_CA": "1",  # on macOS, the keychain
    }
    return wanted | given


def tls() -> ssl.SSLContext:
    """The TLS context for this process's own requests."""
    context = ssl.create_default_context()
    found = bundle()
    if found is not None:
        context.load_verify_locations(found)
    return context
