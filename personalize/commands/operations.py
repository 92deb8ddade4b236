"""`doctor`, `settings`, `pause` and `resume`."""

from dataclasses import asdict
from typing import Any

import typer
from pydantic import BaseModel
from rich.console import Console
from rich.table import Table
from rich.text import Text

from azure_clients import credentials
from infra.azure_settings import AzureSettings
from infra.settings import NAMESPACE, Settings
from infra.settings_text import SettingRow, describe_settings
from personalize.checks.machine import Finding, Status, diagnose
from personalize.checks.subject import subject_of
from personalize.errors import StackMissingError
from personalize.stack.cluster import Power, cluster_path, power_of, switch
from personalize.stack.on_azure import azure_of, require_azure, require_packages, settings_of
from personalize.stack.service import READY_SECONDS, Service, ServiceUnreachableError
from personalize.stack.session import StackSession
from personalize.terminal import ExitCode, Json, Stack, print_json, results, say, tell


def doctor(*, stack: Stack = "local", as_json: Json = False) -> None:
    """Check this machine for what the project needs, and print how to fix what is missing.

    With a stack on Azure, its subscription is checked too: sign-in, VM sizes, quotas, versions.

    Example: .venv/bin/personalize doctor --stack dev
    """
    findings = [*diagnose(), *diagnose_stack(stack)]
    if as_json:
        print_json({"findings": [asdict(finding) | {"ok": finding.ok} for finding in findings]})
    else:
        show_findings(findings)
    if not all(finding.ok for finding in findings):
        raise typer.Exit(ExitCode.FAILED)


def settings(
    *,
    stack: Stack = "local",
    as_json: Json = False,
) -> None:
    """List every setting of a stack, with its value and its meaning; another value than the default is bold."""
    given = settings_of(stack)
    rows = [
        (row._replace(key=key), _value(given, key))
        for row in describe_settings(Settings)
        if (key := _plain_key(row, given)) is not None
    ]
    if as_json:
        print_json({f"{NAMESPACE}:{row.key}": value for row, value in rows})
        return
    table = Table(box=None, pad_edge=False, header_style="dim")
    table.add_column("setting", no_wrap=True)
    for title in ("value", "what it is", "allowed"):
        table.add_column(title, overflow="fold")
    for row, value in rows:
        shown = Text(str(value), style="" if str(value) == row.default else "bold")
        table.add_row(Text(row.key), shown, Text(row.description), Text(row.kind))
    results.print(table)


MARKS = {Status.OK: "[green]✔[/]", Status.REMARK: "[yellow]![/]", Status.WRONG: "[red]✘[/]"}


def diagnose_stack(stack: str) -> list[Finding]:
    """The findings about a stack's subscription; none for a local stack. Raises `SettingsError`."""
    settings = azure_of(stack)
    if settings is None:
        return []
    require_packages()
    from personalize.checks.preflight import examine  # noqa: PLC0415 - needs Azure's packages

    return examine(subject_of(stack, settings))


def show_findings(findings: list[Finding], *, to: Console = results) -> None:
    """Print each finding, and below the table how to fix the bad ones."""
    table = Table.grid(padding=(0, 2))
    for finding in findings:
        need = "" if finding.ok else f"needs {finding.wanted}"
        table.add_row(MARKS[finding.status], finding.name, finding.found, need)
    to.print(table)
    to.print()
    for finding in findings:
        if finding.fix:
            to.print(f"{finding.name}: {finding.fix}", markup=False)
    if all(finding.ok for finding in findings):
        to.print("Nothing is missing.", markup=False)


def _plain_key(row: SettingRow, settings: Settings) -> str | None:
    """`dataset.users` for `dataset (films).users` if the stack's dataset is of that kind, else None.

    Also None for the fields of an object that the stack leaves out.
    """
    name, _, rest = row.key.partition(" (")
    if not rest:
        return None if getattr(settings, name.partition(".")[0]) is None else row.key
    kind, _, inner = rest.partition(").")
    return f"{name}.{inner}" if getattr(settings, name).kind == kind else None


def _value(settings: Settings, key: str) -> Any:  # noqa: ANN401 - whatever a setting holds
    value: Any = settings
    for part in key.split("."):
        value = getattr(value, part)
    return value.model_dump(mode="json") if isinstance(value, BaseModel) else value


def pause(*, stack: Stack = "dev", as_json: Json = False) -> None:
    """Stop the cluster of a stack on Azure, to save the price of its nodes.

    The service is down meanwhile. Models and data stay.
    """
    settings = require_azure(stack)

    changed = _switch(stack, settings, Power.STOPPED)
    if as_json:
        print_json({"changed": changed, "power": Power.STOPPED})
        return
    tell(f"The cluster of stack {stack} {'is stopped' if changed else 'was stopped already'}: its nodes cost nothing.")
    tell(f"Storage, registry, addresses and logs do. `.venv/bin/personalize resume --stack {stack}` starts it again.")


def resume(*, stack: Stack = "dev", as_json: Json = False) -> None:
    """Start the cluster of a paused stack, and wait until the service answers. Exit code 1 means that it does not."""
    settings = require_azure(stack)

    changed = _switch(stack, settings, Power.RUNNING)
    try:
        seconds = Service.of(StackSession(stack)).await_ready(READY_SECONDS)
    except ServiceUnreachableError:  # the stack has no service
        seconds = None
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


def _switch(stack: str, settings: AzureSettings, wanted: Power) -> bool:
    manager, path = credentials.resource_manager(settings.tenant), cluster_path(stack, settings)
    if power_of(manager, path) is None:
        raise StackMissingError(f"Stack {stack} has no cluster. Run `.venv/bin/personalize up --stack {stack}` first.")
    say(f"{'Stopping' if wanted is Power.STOPPED else 'Starting'} the cluster, which takes Azure some minutes ...")
    return switch(manager, path, wanted)
