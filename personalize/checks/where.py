"""Where this machine is: its own address, and what it is told about a name."""

import socket

AZURE_NAMES = "168.63.129.16"
"""Azure's name server for virtual networks; nothing is sent to it here."""
NOWHERE = "127.0.0.1"


def own_address() -> str:
    """The address with which this machine would call Azure's name server; that of loopback without a way out."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as asked:
        try:
            asked.connect((AZURE_NAMES, 53))  # of a datagram: chooses the address, and sends nothing
            return str(asked.getsockname()[0])
        except OSError:
            return NOWHERE


def addresses_of(host: str) -> list[str]:
    """What the name server of this machine says; nothing where it knows no such name."""
    try:
        found = socket.getaddrinfo(host, 443, socket.AF_INET, socket.SOCK_STREAM)
    except socket.gaierror:
        return []
    return sorted({str(entry[4][0]) for entry in found})
