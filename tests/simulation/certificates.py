"""A temporary certificate authority for the control plane and the fakes that use TLS."""

import datetime as dt
import ipaddress
from collections.abc import Sequence
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

LIFETIME = dt.timedelta(days=2)
CLOCK_SKEW = dt.timedelta(minutes=5)
SERVER_NAMES = ("localhost", "kubernetes", "kubernetes.default", "kubernetes.default.svc")
LOOPBACK = ipaddress.ip_address("127.0.0.1")


class Authority:
    """Signs server and client certificates, each with a key of its own; files are written into `folder`."""

    def __init__(self, folder: Path) -> None:
        """Creates the authority's key and writes `ca.crt`."""
        folder.mkdir(parents=True, exist_ok=True)
        self._folder = folder
        self.certificate_path = folder / "ca.crt"
        self._key = ec.generate_private_key(ec.SECP256R1())
        self._certificate = (
            _builder("simulated-authority", (), self._key)
            .issuer_name(_name("simulated-authority", ()))
            .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
            .sign(self._key, hashes.SHA256())
        )
        self.certificate_path.write_bytes(self._certificate.public_bytes(serialization.Encoding.PEM))

    def issue(
        self, file_name: str, common_name: str, groups: Sequence[str] = (), *, host: str | None = None
    ) -> tuple[Path, Path]:
        """Certificate and key files for a server on loopback, that of `host`, or a client in `groups`."""
        certificate_path, key_path = self._folder / f"{file_name}.crt", self._folder / f"{file_name}.key"
        key = ec.generate_private_key(ec.SECP256R1())
        names = [x509.DNSName(name) for name in (*SERVER_NAMES, *([host] if host else []))]
        usages = [ExtendedKeyUsageOID.SERVER_AUTH, ExtendedKeyUsageOID.CLIENT_AUTH]
        certificate = (
            _builder(common_name, groups, key)
            .issuer_name(self._certificate.subject)
            .add_extension(x509.SubjectAlternativeName([*names, x509.IPAddress(LOOPBACK)]), critical=False)
            .add_extension(x509.ExtendedKeyUsage(usages), critical=False)
            .sign(self._key, hashes.SHA256())
        )
        certificate_path.write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
        _write_key(key_path, key)
        return certificate_path, key_path


def _builder(common_name: str, groups: Sequence[str], key: ec.EllipticCurvePrivateKey) -> x509.CertificateBuilder:
    now = dt.datetime.now(dt.UTC)
    return (
        x509.CertificateBuilder()
        .subject_name(_name(common_name, groups))
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - CLOCK_SKEW)
        .not_valid_after(now + LIFETIME)
    )


def _name(common_name: str, groups: Sequence[str]) -> x509.Name:
    parts = [x509.NameAttribute(NameOID.ORGANIZATION_NAME, group) for group in groups]
    return x509.Name([*parts, x509.NameAttribute(NameOID.COMMON_NAME, common_name)])


def _write_key(path: Path, key: ec.EllipticCurvePrivateKey) -> None:
    path.touch(mode=0o600)
    path.write_bytes(
        key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    )
