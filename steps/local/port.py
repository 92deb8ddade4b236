"""Checks whether the port of a stack's local service is free, or already held by the service itself."""

import errno
import socket
from contextlib import suppress

import psutil

from features.errors import PersonalizationError
from steps.descriptions.serving_settings import ScoringSettings
from steps.local.service_processes import ServiceProcesses


class PortInUseError(PersonalizationError):
    """Another program listens on the service's port."""


def require_port(settings: ScoringSettings, service: ServiceProcesses) -> None:
    """Raise `PortInUseError` if another program listens at the address, or if the address can't be used."""
    with socket.socket() as trial:
        trial.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            trial.bind((settings.host, settings.port))
            trial.listen()
        except OSError as error:
            if error.errno == errno.EADDRINUSE:
                if any(_listens(process, settings.port) for process in service.all()):
                    return
                reason = f"is in use{_owner(settings.port)}. End that program"
            else:
                reason = f"cannot be used: {error.strerror}. Correct `host`"
            raise PortInUseError(
                f"Port {settings.port} of {settings.host} {reason}, or choose another port in the stack file: "
                f"`personalization:scoring: {{port: {settings.port + 1}}}`."
            ) from error


def _listens(process: psutil.Process, port: int) -> bool:
    with suppress(psutil.Error):
        return any(
            connection.status == psutil.CONN_LISTEN and connection.laddr[1:] == (port,)
            for connection in process.net_connections("tcp")
        )
    return False


def _owner(port: int) -> str:
    """The program that listens on the port, as far as this user is allowed to see it; a phrase for an error message."""
    with suppress(psutil.Error):
        for connection in psutil.net_connections("tcp"):
            if connection.status == psutil.CONN_LISTEN and connection.pid and connection.laddr[1:] == (port,):
                return f" by process {connection.pid} ({psutil.Process(connection.pid).name()})"
    return " by another program"
