"""A certificate for 127.0.0.1, made by openssl."""

import subprocess
from pathlib import Path


def make_certificate(folder: Path, *, days: int = 30) -> tuple[Path, Path]:
    """The files of a new self-signed certificate and of its key, in `folder`."""
    certificate, key = folder / "cert.pem", folder / "key.pem"
    request = ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes"]
    names = ["-subj", "/CN=localhost", "-addext", "subjectAltName=IP:127.0.0.1", "-days", str(days)]
    subprocess.run([*request, *names, "-keyout", key, "-out", certificate], check=True, capture_output=True)
    return certificate, key
