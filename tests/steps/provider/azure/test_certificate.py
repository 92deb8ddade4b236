"""The certificate: a client that trusts its authority accepts it for its host and for no other."""

import datetime as dt
import socket
import ssl
import threading
from pathlib import Path

import pytest
from cryptography import x509

from azure_clients.retries import Context
from steps import certificate
from steps.certificate import Certificate, Inputs
from steps.step import State

HOST = "score-test.westeurope.cloudapp.azure.com"
CONTEXT = Context(report=lambda _: None)


@pytest.fixture(scope="module")
def made() -> State:
    return Certificate().create(Inputs(stack="dev", host=HOST), CONTEXT).outputs.model_dump()


def handshake(made: State, host: str, folder: Path) -> None:
    """Do a TLS handshake as a client that trusts the authority and expects `host`."""
    chain = folder / "chain.pem"
    chain.write_text(made["certificate"] + made["private_key"])
    server_side = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    server_side.load_cert_chain(chain)
    client_side = ssl.create_default_context(cadata=made["authority"])
    server, client = socket.socketpair()

    def serve() -> None:
        try:
            server_side.wrap_socket(server, server_side=True).close()
        except OSError:
            server.close()

    thread = threading.Thread(target=serve)
    thread.start()
    try:
        client_side.wrap_socket(client, server_hostname=host).close()
    finally:
        client.close()
        thread.join()


def test_a_client_trusts_it_for_its_host(made: State, tmp_path: Path) -> None:
    handshake(made, HOST, tmp_path)


def test_a_client_does_not_trust_it_for_another_host(made: State, tmp_path: Path) -> None:
    with pytest.raises(ssl.SSLCertVerificationError, match="Hostname mismatch"):
        handshake(made, "other.example.com", tmp_path)


def test_a_fresh_one_stays(made: State) -> None:
    state = {"stack": "dev", "host": HOST, **made}
    found = Certificate().read(HOST, state, CONTEXT)
    assert found is not None
    assert found.model_dump() == made


def test_one_that_ends_soon_counts_as_gone(made: State, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(certificate, "RENEW_BEFORE", certificate.VALID)
    assert Certificate().read(HOST, {"stack": "dev", "host": HOST, **made}, CONTEXT) is None


def test_it_lasts_no_longer_than_clients_accept(made: State) -> None:
    leaf = x509.load_pem_x509_certificate(made["certificate"].encode())
    assert leaf.not_valid_after_utc - leaf.not_valid_before_utc <= dt.timedelta(days=825)
