"""Whether a private stack can be deployed from this machine, which must be in the peered network."""

import ipaddress

from infra.azure_settings import Network
from infra.private import divided
from personalize.bootstrap.resources import VAULT_VERSION
from personalize.checks.machine import Finding, bad, good
from personalize.checks.subject import Subject

NETWORK_VERSION = "2024-05-01"
PAGE = "docs/how-to/private-network.md"


def check_network(subject: Subject) -> list[Finding]:
    """Whether the peered network fits, and whether this machine is in it. No findings for a public stack."""
    if subject.settings.network is Network.PUBLIC:
        return []
    peered = str(subject.settings.peered_network)
    wanted = "a network of the subscription to deploy from"
    found = subject.manager.get(peered, NETWORK_VERSION)
    if found is None:
        fix = "create it first, with a machine in it, or correct `azure.peered_network`: " + PAGE
        return [bad("peered network", f"{peered} is not there", wanted, fix)]
    ranges = [ipaddress.ip_network(text) for text in found["properties"]["addressSpace"]["addressPrefixes"]]
    own = divided(subject.settings.network_range).network
    if overlapping := [str(one) for one in ranges if one.version == own.version and one.overlaps(own)]:
        said = f"it has {', '.join(overlapping)}, which overlaps {own}"
        return [bad("peered network", said, wanted, "set another `azure.network_range` before the first `up`")]
    shown = ", ".join(map(str, ranges))
    place = f"{peered.rpartition('/')[2]} with {shown}"
    vault = subject.serving("Microsoft.KeyVault/vaults", subject.names.vault)
    created = subject.manager.get(vault, VAULT_VERSION) is not None
    return [good("peered network", place, wanted), *([_place(subject)] if created else [])]


def _place(subject: Subject) -> Finding:
    """Whether this machine is inside, by a name of the stack: outside it has another address, or none."""
    wanted = "a machine in the peered network, where `up` must run"
    host = f"{subject.names.vault}.vault.azure.net"
    network = divided(subject.settings.network_range).network
    found = subject.addresses(host)
    outside = [address for address in found if ipaddress.ip_address(address) not in network]
    if found and not outside:
        return good("this machine", f"resolves {host} to a private address", wanted)
    said = f"resolves {host} to {', '.join(outside) or 'no address'}: it is outside the stack's network"
    return bad("this machine", said, wanted, f"run this in the peered network, with Azure's name server: {PAGE}")
