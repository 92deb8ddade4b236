"""The service's connections and its supervisor are subclasses of uvicorn's private classes: nobody promises these."""

import hashlib
import inspect
from importlib import import_module
from importlib.metadata import version

import pytest

RELIED_ON = {
    "uvicorn._subprocess": "7d0e094da8ee5dacba99573c2903467d7bba247a1a6f8e9a4ba93220c58930f9",
    "uvicorn.protocols.http.httptools_impl": "1d4e1c579df4168433a61a01f10c628b31c1790e72dd9769d2b8633b22214033",
    "uvicorn.server": "c1be9d133467a42ab88d7168e408ef5a90257661a901899426214a3d1fc2d026",
    "uvicorn.supervisors.multiprocess": "53541976227fec0b9ace2c7a5ce8f592ed0d8ff37f3c93c2a18baae9236365c2",
}
"""Of each module that is subclassed or reached into, the SHA-256 of the source that the subclasses were written for."""


@pytest.mark.parametrize("name", RELIED_ON)
def test_uvicorn_is_still_what_its_subclasses_were_written_for(name: str) -> None:
    source = inspect.getsource(import_module(name))
    found = hashlib.sha256(source.encode()).hexdigest()
    assert found == RELIED_ON[name], (
        f"uvicorn {version('uvicorn')} has another {name} than the one that scoring/ was written "
        f"for. Compare the two, adapt the subclasses, run tests/scoring, and put {found} here."
    )
