"""Kubeconfig files, for clients of the API server and for its own webhooks."""

import json
from collections.abc import Mapping
from pathlib import Path


def write_kubeconfig(folder: Path, name: str, cluster: Mapping[str, str], user: Mapping[str, str]) -> Path:
    """Write `NAME.kubeconfig`, readable by its owner alone."""
    path = folder / f"{name}.kubeconfig"
    config = {
        "apiVersion": "v1",
        "kind": "Config",
        "current-context": "simulated",
        "clusters": [{"name": "simulated", "cluster": cluster}],
        "users": [{"name": name, "user": user}],
        "contexts": [{"name": "simulated", "context": {"cluster": "simulated", "user": name}}],
    }
    path.touch(mode=0o600)
    path.write_text(json.dumps(config), encoding="utf-8")
    return path
