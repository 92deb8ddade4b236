"""`pause` and `resume`: stop and start the cluster of a stack on Azure."""

import typer

from azure_clients import credentials
from infra.azure_settings import AzureSettings
from infra.cost.estimate import Line, estimate
from infra.cost.prices import snapshot
from infra.cost.scenarios import of_settings
from personalize.clients.service import READY_SECONDS, Service, ServiceUnreachableError
from personalize.commands.session import open_session
from personalize.errors import StackMissingError
from personalize.stack.on_azure import require_azure
from personalize.stack.power import Power, cluster_path, power_of, switch
from personalize.terminal import options
from personalize.terminal.output import ExitCode, print_json, say, tell

NODES = "vm/"
"""Prefix of the prices of nodes, which a stopped cluster does not have."""


def pause(
    *, stack: options.Stack = "dev", config_file: options.SettingsFile = None, as_json: options.Json = False
) -> None:
    """Stop the cluster of a stack on Azure, to save the price of its nodes.

    The service is down meanwhile. Models and data stay.
    """
    settings = require_azure(stack, config_file)

    changed = _switch(stack, settings, Power.STOPPED)
    lines = remaining(stack, settings)
    usd = float(sum(line.usd.likely for line in lines))
    if as_json:
        costs = {line.name: float(line.usd.likely) for line in lines}
        print_json({"changed": changed, "power": Power.STOPPED, "still_usd_per_month": costs})
        return
    tell(f"The cluster of stack {stack} {'is stopped' if changed else 'was stopped already'}.")
    shown = ", ".join(f"{line.name} {line.usd.likely:,.0f}" for line in lines)
    tell(f"What still costs money, about {usd:,.0f} USD a month at most: {shown}.")
    tell(f"`.venv/bin/personalize resume --stack {stack}` starts it again.")


def resume(
    *, stack: options.Stack = "dev", config_file: options.SettingsFile = None, as_json: options.Json = False
) -> None:
    """Start the cluster of a paused stack, and wait until the service answers. Exit code 1 means that it does not."""
    settings = require_azure(stack, config_file)

    changed = _switch(stack, settings, Power.RUNNING)
    seconds = _await_service(stack)
    if as_json:
        print_json({"changed": changed, "power": Power.RUNNING, "service_ready": seconds is not None})
    else:
        tell(f"The cluster of stack {stack} {'runs again' if changed else 'was running already'}.")
        if seconds is None:
            tell(f"The service does not answer yet; `.venv/bin/personalize status --stack {stack}` shows more.")
        else:
            tell(f"The service answered after {seconds:.0f} s.")
    if seconds is None:
        raise typer.Exit(ExitCode.FAILED)


def remaining(stack: str, settings: AzureSettings) -> list[Line]:
    """What may cost money while the cluster is stopped. Its disks and its tier may be free then."""
    bill = estimate(of_settings(stack, settings), snapshot())
    return [line for line in bill.lines if line.part == "always_on" and not line.price.id.startswith(NODES)]


def _switch(stack: str, settings: AzureSettings, wanted: Power) -> bool:
    manager, path = credentials.resource_manager(settings.tenant), cluster_path(stack, settings)
    if power_of(manager, path) is None:
        raise StackMissingError(f"Stack {stack} has no cluster. Run `.venv/bin/personalize up --stack {stack}` first.")
    say(f"{'Stopping' if wanted is Power.STOPPED else 'Starting'} the cluster, which takes Azure some minutes ...")
    return switch(manager, path, wanted)


def _await_service(stack: str) -> float | None:
    """Seconds until the service was ready; None when it is not in time, or when the stack has none."""
    try:
        service = Service.of(open_session(stack))
    except ServiceUnreachableError:
        return None
    return service.await_ready(READY_SECONDS)
