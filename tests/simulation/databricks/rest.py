"""The names of Databricks' REST API, `new_cluster`, for those of Pulumi's package, `newCluster`, and back."""

import re
from typing import Any

FREE = {"spark_conf": "sparkConf", "custom_tags": "customTags"}
"""Maps whose keys are the caller's own."""


def to_rest(value: Any) -> Any:
    """The same value by the API's names."""
    if isinstance(value, list):
        return [to_rest(one) for one in value]
    if not isinstance(value, dict):
        return value
    free = FREE.values()
    return {
        re.sub(r"[A-Z]", lambda found: f"_{found[0].lower()}", name): one if name in free else to_rest(one)
        for name, one in value.items()
    }


def from_rest(value: Any) -> Any:
    """The same value by Pulumi's names."""
    if isinstance(value, list):
        return [from_rest(one) for one in value]
    if not isinstance(value, dict):
        return value
    return {
        re.sub(r"_(\w)", lambda found: found[1].upper(), name): one if name in FREE else from_rest(one)
        for name, one in value.items()
    }
