"""The announcement before the first `up` on Azure, and the result of every `up` there."""

from pathlib import Path
from typing import Any

from rich.table import Table

from features.errors import PersonalizationError
from infra.azure_settings import AzureSettings
from infra.cost.estimate import bill
from infra.cost.prices import PriceUnknownError
from personalize.clients.service import trusted_certificate
from personalize.stack.stack_files import StackFiles
from personalize.terminal.output import confirm, messages, results
from personalize.views.health import diagnose_stack, show_findings

DAILY = "with 30 trainings of an hour, estimated"


class PreflightFailedError(PersonalizationError):
    """The subscription lacks something that `up` needs."""


def announce(stack: str, settings: AzureSettings) -> None:
    """Print the parts of the stack and its monthly price."""
    for line in announcement(stack, settings):
        messages.print(line, markup=False)


def announcement(stack: str, settings: AzureSettings) -> list[str]:
    """The lines of `announce`."""
    zones = f"in zones {', '.join(settings.zones)}" if settings.zones else "without zones"
    nodes = 1 + settings.training_workers
    return [
        f"Stack {stack} will be created in subscription {settings.subscription}, region {settings.location}:",
        "  - storage for the data and the models, Azure ML's registry of models, a container registry, a Key Vault",
        f"  - a Databricks workspace, whose job trains on {nodes} node(s) {settings.training_vm_size} and then leaves",
        f"  - a Kubernetes cluster (AKS, tier {settings.kubernetes_tier}) {zones}: {_pools(settings)}",
        "  - a load balancer with a public address for the service; logs, alerts and a budget",
        _money(stack, settings),
    ]


def _pools(settings: AzureSettings) -> str:
    system = f"{_nodes(settings.system_nodes_min, settings.system_nodes_max)} {settings.system_vm_size}"
    if settings.shares_nodes:
        return f"{system} for its own pods and the service"
    scoring = f"{_nodes(settings.scoring_nodes_min, settings.scoring_nodes_max)} {settings.scoring_vm_size}"
    return f"{system} of its own, {scoring} that score"


def _nodes(least: int, most: int) -> str:
    return f"{least} node(s)" if least == most else f"{least} to {most} nodes"


def _money(stack: str, settings: AzureSettings) -> str:
    try:
        costs = bill(stack, settings)
    except PriceUnknownError as error:
        return f"Its price is unknown: {error}"
    always, training = costs.total("always_on"), costs.total("training")
    return (
        f"About {always.likely:,.0f} USD a month ({always.low:,.0f} to {always.high:,.0f}) while it is up, and "
        f"{training.likely / int(costs.scenario.trainings):,.2f} for each hour's training; prices of "
        f"{costs.prices.as_of}, most of them unverified. `.venv/bin/personalize estimate --stack {stack}` "
        "shows each line."
    )


def agree(stack: str, settings: AzureSettings, settings_file: Path | None, *, yes: bool, check: bool) -> None:
    """Before a stack's first `up`: print its price, check the subscription, and ask.

    Raises `PreflightFailedError` if the subscription lacks something, `BadInputError` if there is no terminal.
    """
    announce(stack, settings)
    if check:
        findings = diagnose_stack(stack, settings_file)
        if not all(finding["ok"] for finding in findings):
            show_findings([finding for finding in findings if not finding["ok"]], to=messages)
            raise PreflightFailedError(
                f"Nothing was created: the subscription is not ready for stack {stack}, see above. "
                f"`.venv/bin/personalize doctor --stack {stack}` checks again; `up --no-check` goes on without it."
            )
    confirm("Create it?", yes=yes)


def azure_outcome(stack: str, outputs: dict[str, Any]) -> dict[str, Any]:
    """The results of an `up` on Azure by name."""
    certificate = trusted_certificate(StackFiles(stack), outputs)
    return {
        "endpoint": outputs.get("endpoint"),
        "certificate": str(certificate) if certificate else None,
        "model_version": outputs.get("model_version"),
        "image_digest": outputs.get("image_digest"),
        "training_run": outputs.get("run"),
        "databricks": outputs.get("databricks"),
        "machine_learning": outputs.get("machine_learning"),
        "usd_per_month": outputs.get("usd_per_month"),
    }


def show_azure_outcome(found: dict[str, Any]) -> None:
    """Print it for a person."""
    table = Table.grid(padding=(0, 2))
    table.add_column(style="dim")
    table.add_column(overflow="fold")
    titles = {
        "certificate": "CA certificate",
        "image_digest": "image",
        "training_run": "training run",
        "databricks": "Databricks",
        "machine_learning": "Azure ML",
    }
    for name, title in titles.items():
        if found[name]:
            table.add_row(title, str(found[name]))
    if found["usd_per_month"] is not None:
        table.add_row("a month", f"about {found['usd_per_month']:,.0f} USD {DAILY}")
    results.print()
    results.print(table)
