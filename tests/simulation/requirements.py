"""What the tests of the Azure stack need beyond those of the local one, said when it is missing."""

import importlib.util

import pytest


def need_azure_packages() -> None:
    """Skip the test where the SDKs and models of Azure were not installed."""
    if importlib.util.find_spec("azure") is None or importlib.util.find_spec("azure.mgmt") is None:
        pytest.skip("needs `uv sync --inexact --extra azure --group simulation`")
