"""A budget for all four resource groups of the stack, including those that AKS and Databricks create for their VMs."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

import pulumi
from pulumi import ResourceOptions
from pulumi_azure_native import consumption

WARN_PERCENT = 80


@dataclass(frozen=True, kw_only=True)
class BudgetArgs:
    """The monthly amount, the resource groups that it covers, and who is notified."""

    subscription: str
    name: str
    amount: int
    """In the subscription's currency."""
    groups: Sequence[str]
    mail: str


class Budget(pulumi.ComponentResource):
    """The budget. It sends a mail when 80 % is spent or forecast, and stops nothing by itself."""

    def __init__(self, name: str, args: BudgetArgs, opts: ResourceOptions | None = None) -> None:
        """Make the budget."""
        super().__init__("personalization:azure:Budget", name, None, opts)
        month = datetime.now(UTC).strftime("%Y-%m-01T00:00:00Z")
        consumption.Budget(
            "budget",
            budget_name=args.name,
            scope=f"/subscriptions/{args.subscription}",
            amount=args.amount,
            category=consumption.CategoryType.COST,
            time_grain=consumption.TimeGrainType.MONTHLY,
            time_period=consumption.BudgetTimePeriodArgs(start_date=month),
            filter=consumption.BudgetFilterArgs(
                dimensions=consumption.BudgetComparisonExpressionArgs(
                    name="ResourceGroupName",
                    operator=consumption.BudgetOperatorType.IN_,
                    values=list(args.groups),
                )
            ),
            notifications={
                kind.value.lower(): consumption.NotificationArgs(
                    enabled=True,
                    operator=consumption.OperatorType.GREATER_THAN,
                    threshold=WARN_PERCENT,
                    threshold_type=kind,
                    contact_emails=[args.mail],
                )
                for kind in (consumption.ThresholdType.ACTUAL, consumption.ThresholdType.FORECASTED)
            },
            # Azure rejects a changed start; it stays the month of the first `up`.
            opts=ResourceOptions(parent=self, ignore_changes=["timePeriod"]),
        )
        self.register_outputs({})
