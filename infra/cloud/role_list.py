"""The built-in roles that the stack assigns."""

from enum import StrEnum


class Role(StrEnum):
    """IDs of built-in roles, from Microsoft's "Azure built-in roles"."""

    REGISTRY_PULL = "7f951dda-4ed3-4680-a7ca-43fe172d538d"
    REGISTRY_PUSH = "8311e382-0749-4cb8-b61a-304f252e45ec"
    BLOB_DATA_READER = "2a2b9908-6ea1-4ae2-8e65-a410df84e7d1"
    BLOB_DATA_CONTRIBUTOR = "ba92f5b4-2d11-453d-a403-e96b0029c9fe"
    FILE_DATA_CONTRIBUTOR = "69566ab7-960f-475b-8e7c-b3118f30c6bd"
    DATA_SCIENTIST = "f6c7c914-8db3-469d-8ca1-694a8f32e121"
    CLUSTER_ADMIN = "b1ff04bb-8a4e-4dc4-8eb5-8693973ce19b"
    CLUSTER_USER = "4abbcc35-e782-43d8-92c5-2d3f1bd2253f"
    NETWORK_CONTRIBUTOR = "4d97b98b-1d4f-4787-a291-c67834d212e7"
    SECRETS_USER = "4633458b-17de-408a-b874-0445c86b69e6"
