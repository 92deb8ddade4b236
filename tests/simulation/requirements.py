"""What the tests of the Azure stack need beyond those of the local one, said when it is missing."""

import importlib.util

import pytest


def azure_packages_are_there() -> bool:
    """Whether both the extra `azure` and the group `simulation`, which holds `azure.mgmt.resource`, are installed."""
    try:
        return importlib.util.find_spec("azure.mgmt.resource") is not None
    except ModuleNotFoundError:
        return False


def need_azure_packages() -> None:
    """Skip the test where the SDKs and models of Azure were not installed."""
    if not azure_packages_are_there():
        pytest.skip("needs the packages and models of Azure, which `make test-tools` installs")
