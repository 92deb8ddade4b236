"""Names and ids that Azure publishes, copied by hand; the simulation refuses what isn't on a list.

A page's date is the one it shows, or the month in which it was read. Extend a list from its page, never from the
program under test.
"""

from collections.abc import Mapping

ROLES: Mapping[str, str] = {
    "Contributor": "b24988ac-6180-42a0-ab88-20f7382dd24c",
    "Owner": "8e3af657-a8ff-443c-a75c-2fe8c4bcb635",
    "Reader": "acdd72a7-3385-48ef-bd42-f606fba81ae7",
    "Role Based Access Control Administrator": "f58310d9-a9f6-439a-9e8d-f62e7b41a168",
    "User Access Administrator": "18d7d88d-d35e-4fb5-a5c3-7773c20a72d9",
    "Storage Blob Data Contributor": "ba92f5b4-2d11-453d-a403-e96b0029c9fe",
    "Storage Blob Data Owner": "b7e6dc6d-f1e8-4753-8033-0f276bb0955b",
    "Storage Blob Data Reader": "2a2b9908-6ea1-4ae2-8e65-a410df84e7d1",
    "Storage File Data Privileged Contributor": "69566ab7-960f-475b-8e7c-b3118f30c6bd",
    "AcrPull": "7f951dda-4ed3-4680-a7ca-43fe172d538d",
    "AcrPush": "8311e382-0749-4cb8-b61a-304f252e45ec",
    "Container Registry Tasks Contributor": "fb382eab-e894-4461-af04-94435c366c3f",
    "AzureML Data Scientist": "f6c7c914-8db3-469d-8ca1-694a8f32e121",
    "Key Vault Crypto User": "12338af0-0e69-4776-bea7-57ae8d297424",
    "Key Vault Secrets User": "4633458b-17de-408a-b874-0445c86b69e6",
    "Azure Kubernetes Service Cluster User Role": "4abbcc35-e782-43d8-92c5-2d3f1bd2253f",
    "Azure Kubernetes Service RBAC Admin": "3498e952-d568-435e-9b2c-8d77e338d7f7",
    "Azure Kubernetes Service RBAC Cluster Admin": "b1ff04bb-8a4e-4dc4-8eb5-8693973ce19b",
    "Network Contributor": "4d97b98b-1d4f-4787-a291-c67834d212e7",
}
"""The built-in roles that a stack like ours could need.

Source: learn.microsoft.com/azure/role-based-access-control/built-in-roles, 9 April 2026.
"""

# fmt: off
REGIONS = frozenset({
    "australiacentral", "australiacentral2", "australiaeast", "australiasoutheast", "austriaeast", "belgiumcentral",
    "brazilsouth", "brazilsoutheast", "canadacentral", "canadaeast", "centralindia", "centralus", "chilecentral",
    "eastasia", "eastus", "eastus2", "francecentral", "francesouth", "germanynorth", "germanywestcentral",
    "indonesiacentral", "israelcentral", "italynorth", "japaneast", "japanwest", "koreacentral", "koreasouth",
    "malaysiawest", "mexicocentral", "newzealandnorth", "northcentralus", "northeurope", "norwayeast", "norwaywest",
    "polandcentral", "qatarcentral", "southafricanorth", "southafricawest", "southcentralus", "southeastasia",
    "southindia", "spaincentral", "swedencentral", "swedensouth", "switzerlandnorth", "switzerlandwest",
    "uaecentral", "uaenorth", "uksouth", "ukwest", "westcentralus", "westeurope", "westindia", "westus", "westus2",
    "westus3",
})
# fmt: on
"""Programmatic names. Source: learn.microsoft.com/azure/reliability/regions-list, read in November 2026."""

NOWHERE = "global"
"""The location of resources that belong to no region."""

KUBERNETES = frozenset({"1.34", "1.35", "1.36"})
"""Minor versions that AKS offers: the newest generally available one and the two before it ("N-2").

Sources: learn.microsoft.com/azure/aks/supported-kubernetes-versions for the rule; kubernetes.io/releases for the dates,
from which AKS follows after about three months. November 2026: 1.36 is of April, 1.37 of August and still a preview.
"""

RUNTIMES: Mapping[str, str] = {"14.3": "3.5.0", "15.4": "3.5.0", "16.4": "3.5.2", "17.3": "4.0.0", "18": "4.1.0"}
"""Databricks runtimes with long-term support, and their Spark.

Source: learn.microsoft.com/azure/databricks/release-notes/runtime, June 2026; 13.3 ended in August.
"""

BASE_IMAGES: Mapping[str, str] = {
    "sha256:193fdd0bbcb3d2ae612bd6cc3548d2f7c78d65b549fcaa8af75624c47474444d": "mirror/docker/library/python:3.11-slim",
    "sha256:594087a43a0a795184ce759b3f2f489a3f4b14302eaf7471d3abb6b4cf388d49": "openjdk/jdk:17-ubuntu",
}
"""Images of mcr.microsoft.com that a build finds, copied from public files and UNVERIFIED until one was pulled. A new
digest in a Dockerfile needs an entry here, from a source that shows that it exists.

Sources: the tests of microsoft/integrity-vhd (cmd/dmverity-vhd); Microsoft's list of OpenJDK images, October 2026.
"""


def role_name(identity: str) -> str | None:
    """The published name of the role with this id or GUID, or None if it isn't on the list."""
    guid = identity.rpartition("/")[2].lower()
    return next((name for name, found in ROLES.items() if found == guid), None)
