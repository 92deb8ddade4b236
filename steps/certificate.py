"""The service's certificate, signed by its own certificate authority, which clients trust; the authority's key is
discarded.

The load balancer's host name belongs to Azure, so a public authority would need a custom domain.
"""

from datetime import UTC, datetime, timedelta

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from azure_clients.retries import Context
from steps.step import AzureStep, Created, Kind, Secret, Stack, State, StepOutputs

VALID = timedelta(days=825)
"""The longest validity that all common clients accept from a private authority."""
RENEW_BEFORE = timedelta(days=60)
SKEW = timedelta(hours=1)
"""Clients' clocks may be slow by this much."""
NAME = "personalization"


class Inputs(Stack):
    """The certificate's host name."""

    host: str


class Outputs(StepOutputs):
    """All PEM."""

    authority: str
    certificate: str
    private_key: Secret[str]


class Certificate(AzureStep[Inputs, Outputs]):
    """Creates a certificate that is stored only in the stack's state."""

    kind = Kind.CERTIFICATE
    replaced_by = frozenset({"stack", "host"})

    def create(self, inputs: Inputs, context: Context) -> Created[Outputs]:
        """Create both; the authority's key is not kept, so that it can sign nothing else."""
        authority_key, key = (ec.generate_private_key(ec.SECP256R1()) for _ in range(2))
        issuer = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, f"{NAME} {inputs.stack}"[:64])])
        authority = (
            _begun(issuer, issuer, authority_key.public_key())
            .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
            .add_extension(_usage(signs_certificates=True), critical=True)
            .sign(authority_key, hashes.SHA256())
        )
        certificate = (
            _begun(x509.Name([]), issuer, key.public_key())
            .add_extension(x509.SubjectAlternativeName([x509.DNSName(inputs.host)]), critical=True)
            .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
            .add_extension(_usage(signs_certificates=False), critical=True)
            .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), critical=False)
            .sign(authority_key, hashes.SHA256())
        )
        outputs = Outputs(
            authority=_pem(authority),
            certificate=_pem(certificate),
            private_key=key.private_bytes(
                serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
            ).decode(),
        )
        return Created(inputs.host, outputs)

    def exists(self, identity: str, state: State, context: Context) -> bool:
        """Not from two months before it expires, so that `up --refresh` renews it."""
        certificate = x509.load_pem_x509_certificate(state["certificate"].encode())
        return certificate.not_valid_after_utc - datetime.now(UTC) >= RENEW_BEFORE


def _begun(subject: x509.Name, issuer: x509.Name, key: ec.EllipticCurvePublicKey) -> x509.CertificateBuilder:
    now = datetime.now(UTC)
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key)
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - SKEW)
        .not_valid_after(now + VALID - SKEW)
    )


def _usage(*, signs_certificates: bool) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=not signs_certificates,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        key_cert_sign=signs_certificates,
        crl_sign=signs_certificates,
        encipher_only=False,
        decipher_only=False,
    )


def _pem(certificate: x509.Certificate) -> str:
    return certificate.public_bytes(serialization.Encoding.PEM).decode()
