"""The packages that tests of the Azure stack need."""

import importlib.util

import pytest


def azure_packages_are_there() -> bool:
    """Whether both the extra `azure` and the group `simulation`, which holds `azure.mgmt.resource`, are installed."""
    try:
        return importlib.util.find_spec("azure.mgmt.resource") is not None
    except ModuleNotFoundError:
        return False


def need_azure_packages() -> None:
    """Skip the test if Azure's SDKs and models aren't installed."""
    if not azure_packages_are_there():
        pytest.skip("needs the packages and models of Azure, which `make test-tools` installs")
