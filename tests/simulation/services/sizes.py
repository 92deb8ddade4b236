"""Some VM sizes with what matters here. Zones and disks are those that Azure publishes for a large region."""

from dataclasses import dataclass

RESERVED_MILLICORES = {1: 60, 2: 100, 4: 140, 8: 180, 16: 260, 32: 420, 64: 740}
"""What AKS keeps of a node, by its cores (learn.microsoft.com/azure/aks/node-resource-reservations)."""
EVICTED_BELOW_MIB = 100
MIB_PER_POD, MIB_MORE = 20 * 10**6 / 2**20, 50 * 10**6 / 2**20
"""Kept for each of a node's `maxPods` and beside: 20 and 50 MB, at most a quarter of the memory (the same page)."""
ALL_ZONES = frozenset({"1", "2", "3"})


@dataclass(frozen=True)
class Size:
    """A VM size. `local_gib` is the largest ephemeral OS disk, or 0: for v5 sizes their temporary disk
    (learn.microsoft.com/azure/virtual-machines/sizes/general-purpose/ddsv5-series)."""

    family: str
    vcpus: int
    memory_gib: int
    local_gib: int
    zones: frozenset[str] = ALL_ZONES

    @property
    def allocatable_millicores(self) -> int:
        """What pods can request."""
        return 1000 * self.vcpus - RESERVED_MILLICORES[self.vcpus]

    def allocatable_mib(self, max_pods: int) -> int:
        """What pods can request on a node for so many pods; the kernel's own part is not counted."""
        whole = 1024 * self.memory_gib
        return int(whole - min(MIB_PER_POD * max_pods + MIB_MORE, whole / 4) - EVICTED_BELOW_MIB)


SIZES = {
    "Standard_B2s": Size("standardBSFamily", 2, 4, 8),
    "Standard_B2ms": Size("standardBSFamily", 2, 8, 16),
    "Standard_D2s_v5": Size("standardDSv5Family", 2, 8, 0),
    "Standard_D2ds_v5": Size("standardDDSv5Family", 2, 8, 75),
    "Standard_D4s_v5": Size("standardDSv5Family", 4, 16, 0),
    "Standard_D4ds_v5": Size("standardDDSv5Family", 4, 16, 150),
    "Standard_D8ds_v5": Size("standardDDSv5Family", 8, 32, 300),
    "Standard_D16ds_v5": Size("standardDDSv5Family", 16, 64, 600),
    "Standard_E4ds_v5": Size("standardEDSv5Family", 4, 32, 150),
    "Standard_E8ds_v5": Size("standardEDSv5Family", 8, 64, 300),
    "Standard_L8s_v3": Size("standardLSv3Family", 8, 64, 80),
    "Standard_D3_v2": Size("standardDv2Family", 4, 14, 0, zones=frozenset()),
}
"""Other sizes are refused; `Standard_D3_v2` represents old sizes without zones."""

DEFAULT_QUOTA = 100
ALL_FAMILIES = "cores"
"""The name of the quota for the vCPUs of all families in a region.

Source: learn.microsoft.com/rest/api/compute/usage/list, its example.
"""
