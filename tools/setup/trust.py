"""Whose certificates are trusted when something is fetched: those of this machine's own store.

A proxy that inspects TLS signs with an authority of its company, which is in that store and in no other. Go reads the
store by itself; uv, pip and Node bring lists of their own unless they are told. The set-up reads this module with the
machine's own Python before any package is there, so it keeps to the standard library and to the grammar of Python 3.8.
"""

import os
import ssl
from pathlib import Path
from typing import Dict, Optional

BUNDLES = (
    "/etc/ssl/certs/ca-certificates.crt",  # Debian, Ubuntu, Arch, Alpine
    "/etc/pki/tls/certs/ca-bundle.crt",  # Fedora, Red Hat
    "/etc/ssl/ca-bundle.pem",  # openSUSE
    "/etc/ssl/cert.pem",  # macOS
)


def bundle() -> "Optional[str]":
    """The file with the authorities that this machine trusts: `SSL_CERT_FILE`, else the system's; None without one."""
    named = os.environ.get("SSL_CERT_FILE")
    return next((path for path in ([named] if named else []) + list(BUNDLES) if Path(path).is_file()), None)


def trusting(environment: "Optional[Dict[str, str]]" = None) -> "Dict[str, str]":
    """`environment`, by default that of this process, with what uv, pip and Node need; what it says already stays.

    A machine without a store, such as a bare container, is left to the lists that the programs bring.
    """
    given = dict(os.environ if environment is None else environment)
    found = bundle()
    if found is None:
        return given
    wanted = {
        "UV_SYSTEM_CERTS": "true",
        "REQUESTS_CA_BUNDLE": found,  # pip
        "NODE_EXTRA_CA_CERTS": found,
        "NODE_USE_SYSTEM_CA": "1",  # macOS: its keychain
    }
    return dict(wanted, **given)


def tls() -> ssl.SSLContext:
    """What this process checks a server's certificate with."""
    context = ssl.create_default_context()
    found = bundle()
    if found is not None:
        context.load_verify_locations(found)
    return context
