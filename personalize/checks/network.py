"""Whether a private stack can be deployed from this machine, which must be in the peered network."""

import ipaddress
from collections.abc import Iterator

from infra.azure_settings import Network
from infra.private import divided
from personalize.bootstrap.resources import VAULT_VERSION
from personalize.checks.machine import Finding
from personalize.checks.names import NETWORK_VERSION
from personalize.checks.subject import Subject, bad, good, remark

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
    return [good("peered network", f"{peered.rpartition('/')[2]} with {shown}", wanted), _place(subject, ranges)]


def _place(subject: Subject, ranges: list[ipaddress.IPv4Network | ipaddress.IPv6Network]) -> Finding:
    """Whether this machine is inside: by a name of the stack or, before there is one, by its own address."""
    wanted = "a machine in the peered network, where `up` must run"
    vault = subject.serving("Microsoft.KeyVault/vaults", subject.names.vault)
    if subject.manager.get(vault, VAULT_VERSION) is None:
        own = subject.own_address()
        if any(ipaddress.ip_address(own) in one for one in ranges):
            return good("this machine", f"has {own}, in the peered network", wanted)
        found = f"has {own}, which is not in the peered network; after the first `up`, the stack's names show it"
        return remark(
            "this machine", found, wanted, f"nothing if a VPN leads there; otherwise run this in that network: {PAGE}"
        )
    host = f"{subject.names.vault}.vault.azure.net"
    outside = list(_outside(subject.addresses(host), divided(subject.settings.network_range).network))
    if not outside:
        return good("this machine", f"resolves {host} to a private address", wanted)
    found = f"resolves {host} to {', '.join(outside)}: it is outside the stack's network"
    return bad("this machine", found, wanted, f"run this in the peered network, with Azure's name server: {PAGE}")


def _outside(addresses: list[str], network: ipaddress.IPv4Network) -> Iterator[str]:
    """The addresses outside the stack's network; none at all counts as one."""
    if not addresses:
        yield "no address"
    for address in addresses:
        if ipaddress.ip_address(address) not in network:
            yield address
