"""The policy for a stack as a whole."""

from collections.abc import Iterable, Iterator

from infra.cloud.names import BUDGET_TAG, NO_BUDGET
from infra.policy.rule import Properties, dig

BUDGET = "azure-native:consumption:Budget"
GROUP = "azure-native:resources:ResourceGroup"
BUDGET_RULE = "budget-present"


def missing_budget(resources: Iterable[tuple[str, Properties]]) -> Iterator[str]:
    """A sentence when a stack of these resources spends money on Azure without a budget, and does not say so.

    Offers without budgets exist: `monthly_budget: null` leaves it out, and its groups have a tag then.
    """
    given = list(resources)
    groups = [properties for kind, properties in given if kind == GROUP]
    given_up = bool(groups) and all(dig(properties, f"tags.{BUDGET_TAG}") == NO_BUDGET for properties in groups)
    if groups and not given_up and all(kind != BUDGET for kind, _ in given):
        yield (
            "the stack has no budget. Set `azure.monthly_budget`, or set it to null where the subscription's offer "
            f"has no budgets: the groups then say so by the tag `{BUDGET_TAG}`."
        )
