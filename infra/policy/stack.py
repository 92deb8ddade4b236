"""The policy for a stack as a whole."""

from collections.abc import Iterable, Iterator

BUDGET = "azure-native:consumption:Budget"
GROUP = "azure-native:resources:ResourceGroup"
BUDGET_RULE = "budget-present"


def missing_budget(types: Iterable[str]) -> Iterator[str]:
    """A sentence when a stack of resources with these `types` spends money on Azure without a budget."""
    present = set(types)
    if GROUP in present and BUDGET not in present:
        yield (
            "the stack has no budget (`azure.monthly_budget`). Where the subscription's offer has none, switch this "
            f'policy off with `--policy-pack-config`: {{"{BUDGET_RULE}": "disabled"}}.'
        )
