"""`status`, `logs`, `doctor` and `settings`."""

from typing import Annotated

import typer

from features.errors import BadInputError
from personalize.stack.on_azure import azure_of, require_packages
from personalize.terminal import options
from personalize.terminal.output import ExitCode, print_json, tell
from personalize.views.health import diagnose_machine, diagnose_stack, show_findings
from personalize.views.logs import file_log, pod_log
from personalize.views.settings_table import setting_rows, show_settings
from personalize.views.status import collect_status, show_status


def status(
    *, stack: options.Stack = "local", config_file: options.SettingsFile = None, as_json: options.Json = False
) -> None:
    """Show the service, the model, the requests and the last update of a stack.

    On Azure, the cluster and its pods too.
    """
    found = collect_status(stack, config_file)
    if as_json:
        print_json(found)
    else:
        show_status(found)


def logs(
    *,
    follow: Annotated[bool, typer.Option("--follow", "-f", help="Keep printing new lines until Ctrl-C.")] = False,
    lines: Annotated[
        int, typer.Option("--lines", "-n", min=0, help="Print the last N lines of each file or pod.", metavar="N")
    ] = 50,
    stack: options.Stack = "local",
    config_file: options.SettingsFile = None,
    as_json: options.Json = False,
) -> None:
    """Print the log of the service: of its processes, or of its pods on Azure."""
    if follow and as_json:
        raise BadInputError("--json prints one object, and --follow never ends. Leave one of them out.")
    settings = azure_of(stack, config_file)
    if settings is not None:
        require_packages()
    log = file_log(stack, lines) if settings is None else pod_log(stack, settings, lines)
    if as_json:
        print_json({"logs": log.last})
        return
    for name, last in log.last.items():
        for line in [f"==> {name} <==", *last] if len(log.last) > 1 else last:
            tell(line)
    for line in log.new if follow else ():
        tell(line)


def doctor(
    *, stack: options.Stack = "local", config_file: options.SettingsFile = None, as_json: options.Json = False
) -> None:
    """Check this machine for what the project needs, and print how to fix what is missing.

    With a stack on Azure, its subscription is checked too: sign-in, roles, quotas, names.

    Example: .venv/bin/personalize doctor --stack dev
    """
    findings = [*diagnose_machine(), *diagnose_stack(stack, config_file)]
    if as_json:
        print_json({"findings": findings})
    else:
        show_findings(findings)
    if not all(finding["ok"] for finding in findings):
        raise typer.Exit(ExitCode.FAILED)


def settings(
    *,
    stack: options.Stack = "local",
    config_file: options.SettingsFile = None,
    as_json: options.Json = False,
) -> None:
    """List every setting of a stack, with its value and its meaning."""
    rows = setting_rows(stack, config_file)
    if as_json:
        print_json({row["key"]: row["value"] for row in rows})
    else:
        show_settings(rows)
