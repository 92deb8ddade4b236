"""The settings of group `azure` that a stack can't do without."""

from collections.abc import Mapping
from typing import Any

from infra.azure_settings import AzureSettings

SUBSCRIPTION = "11111111-1111-4111-8111-111111111111"
REQUIRED: Mapping[str, Any] = {
    "subscription": SUBSCRIPTION,
    "tenant": "22222222-2222-4222-8222-222222222222",
    "deployers": [{"object_id": "33333333-3333-4333-8333-333333333333", "type": "User"}],
    "alert_mail": "operators@example.com",
    "authorized_ip_ranges": "anywhere",
    "allowed_sources": "anywhere",
}


def azure_stack(**changes: object) -> AzureSettings:
    """The settings of a small stack, with changes."""
    return AzureSettings.model_validate({**REQUIRED, **changes})
