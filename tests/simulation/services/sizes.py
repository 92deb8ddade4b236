"""Some VM sizes with what matters here. Zones and disks are those that Azure publishes for a large region."""

from dataclasses import dataclass

ALL_ZONES = frozenset({"1", "2", "3"})


@dataclass(frozen=True)
class Size:
    """A VM size. `local_gib` is the largest ephemeral OS disk, or 0: for v5 sizes their temporary disk
    (learn.microsoft.com/azure/virtual-machines/sizes/general-purpose/ddsv5-series)."""

    family: str
    vcpus: int
    local_gib: int
    zones: frozenset[str] = ALL_ZONES


SIZES = {
    "Standard_B2s": Size("standardBSFamily", 2, 8),
    "Standard_B2ms": Size("standardBSFamily", 2, 16),
    "Standard_D2s_v5": Size("standardDSv5Family", 2, 0),
    "Standard_D2ds_v5": Size("standardDDSv5Family", 2, 75),
    "Standard_D4s_v5": Size("standardDSv5Family", 4, 0),
    "Standard_D4ds_v5": Size("standardDDSv5Family", 4, 150),
    "Standard_D8ds_v5": Size("standardDDSv5Family", 8, 300),
    "Standard_D16ds_v5": Size("standardDDSv5Family", 16, 600),
    "Standard_E4ds_v5": Size("standardEDSv5Family", 4, 150),
    "Standard_E8ds_v5": Size("standardEDSv5Family", 8, 300),
    "Standard_L8s_v3": Size("standardLSv3Family", 8, 80),
    "Standard_D3_v2": Size("standardDv2Family", 4, 0, zones=frozenset()),
}
"""`Standard_D3_v2` represents old sizes without zones."""

QUOTA = 100
ALL_FAMILIES = "cores"
"""The name of the quota for the vCPUs of all families in a region.

Source: learn.microsoft.com/rest/api/compute/usage/list, its example.
"""
