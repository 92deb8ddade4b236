"""Whether the port of a stack's service on this machine is free, or already the service's own."""

import errno
import socket
from contextlib import suppress

import psutil

from features.errors import PersonalizationError
from steps.descriptions.serving_settings import ScoringSettings
from steps.local.supervision import Supervisor


class PortInUseError(PersonalizationError):
    """Another program listens on the service's port."""


def require_port(settings: ScoringSettings, supervisor: Supervisor) -> None:
    """Raise `PortInUseError` unless the address is free or our own service has it."""
    if supervisor.runs() and supervisor.listens_on(settings.host, settings.port):
        return
    with socket.socket() as trial:
        trial.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            trial.bind((settings.host, settings.port))
            trial.listen()
        except OSError as error:
            if error.errno == errno.EADDRINUSE:
                reason = f"is in use{_owner(settings.port)}. End that program"
            else:
                reason = f"cannot be used: {error.strerror}. Correct `host`"
            raise PortInUseError(
                f"Port {settings.port} of {settings.host} {reason}, or choose another port in the stack file: "
                f"`personalization:scoring: {{port: {settings.port + 1}}}`."
            ) from error


def _owner(port: int) -> str:
    """Who listens on the port, as far as this user may know."""
    with suppress(psutil.Error):
        for connection in psutil.net_connections("tcp"):
            if connection.status == psutil.CONN_LISTEN and connection.pid and connection.laddr[1:] == (port,):
                return f" by process {connection.pid} ({psutil.Process(connection.pid).name()})"
    return " by another program"
