"""`status` and `logs`: a stack's service, its processes or pods, and what they log."""

import subprocess
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import asdict
from datetime import UTC, datetime
from typing import Annotated, Any

import psutil
import typer
from cryptography import x509
from rich.markup import escape
from rich.table import Table

from azure_clients import credentials
from features.errors import BadInputError
from infra.azure_settings import AzureSettings
from personalize.commands.lifecycle import LINKS
from personalize.stack.cluster import Cluster, ClusterUnreachableError, Power, cluster_path, power_of
from personalize.stack.on_azure import azure_of, require_packages, versions_of
from personalize.stack.service import Service
from personalize.stack.session import StackSession
from personalize.terminal import Json, Stack, print_json, results, tell
from steps.certificate import RENEW_BEFORE
from steps.folders import StackFolder
from steps.service_processes import ServiceProcesses
from tools.paths import state_folder

MEBIBYTE = 1 << 20
PORTAL = "https://portal.azure.com/#@{tenant}/resource"


def status(*, stack: Stack = "local", as_json: Json = False) -> None:
    """Show the service, the model and the last update of a stack.

    On Azure, the cluster and its pods too.
    """
    found = collect_status(stack)
    if as_json:
        print_json(found)
    else:
        show_status(found)


def logs(
    *,
    follow: Annotated[
        bool, typer.Option("--follow", "-f", help="On this machine: keep printing new lines until Ctrl-C.")
    ] = False,
    lines: Annotated[
        int, typer.Option("--lines", "-n", min=0, help="Print the last N lines of each file or pod.", metavar="N")
    ] = 50,
    stack: Stack = "local",
    as_json: Json = False,
) -> None:
    """Print the log of the service: of its processes, or of its pods on Azure."""
    if follow and as_json:
        raise BadInputError("--json prints one object, and --follow never ends. Leave one of them out.")
    settings = azure_of(stack)
    if settings is None:
        _file_logs(stack, lines, follow=follow, as_json=as_json)
        return
    if follow:
        raise BadInputError(
            "--follow is for a stack on this machine. On Azure use `az aks get-credentials`, `kubelogin "
            "convert-kubeconfig` and `kubectl logs --namespace scoring --follow POD`."
        )
    require_packages()
    cluster = Cluster.of(stack, settings)
    names = [pod.name for pod in cluster.pods()]
    if not names:
        raise BadInputError(
            f"Stack {stack} has no logs: it has no pods. `.venv/bin/personalize up --stack {stack}` starts them."
        )
    last = {name: cluster.lines(name, lines) for name in names}
    if as_json:
        print_json({"logs": last})
        return
    for name, own in last.items():
        for line in [f"==> {name} <==", *own] if len(last) > 1 else own:
            tell(line)


def _file_logs(stack: str, count: int, *, follow: bool, as_json: bool) -> None:
    """Print the log files of a stack on this machine by `tail`, which also follows a file that is rotated."""
    folder = state_folder(stack) / "service"
    files = sorted(str(file.relative_to(folder)) for file in folder.rglob("*.log"))
    if not files:
        raise BadInputError(f"Stack {stack} has no logs: it has no service. `.venv/bin/personalize up` starts one.")
    tail = ["tail", "-n", str(count)]
    if as_json:
        shown = {file: subprocess.check_output([*tail, file], cwd=folder) for file in files}  # noqa: S603 - our files
        print_json({"logs": {file: text.decode(errors="replace").splitlines() for file, text in shown.items()}})
    else:
        subprocess.run([*tail, *(["-F"] if follow else []), *files], cwd=folder, check=False)  # noqa: S603 - our files


def collect_status(stack: str) -> dict[str, Any]:
    """The stack's status as plain values. Raises `StackMissingError` if it is not up."""
    session = StackSession(stack)
    outputs, _ = session.outputs()
    azure = azure_of(stack)
    champion, update = versions_of(stack).get_champion(), session.last_update()
    found: dict[str, Any] = {
        "stack": stack,
        "endpoint": outputs.get("endpoint"),
        "model_version": outputs.get("model_version"),
        "pinned": session.files.read_overrides().get("personalization:model_version", "latest"),
        "champion": champion.number if champion else None,
        "metrics": outputs.get("metrics"),
        "last_update": update
        and {"kind": update.kind, "result": update.result, "time": f"{update.start_time:%Y-%m-%d %H:%M:%S} UTC"},
        "service": {"ready": False},
    }
    if "endpoint" in outputs:
        service = Service.of(session, outputs)
        found["service"] = {"ready": service.ready()} | (_processes(stack) if azure is None else {})
    if azure is not None:
        found |= azure_status(stack, azure, outputs)
    return found


def azure_status(stack: str, settings: AzureSettings, outputs: dict[str, Any]) -> dict[str, Any]:
    """The cluster with its pods or its problem, and links. Raises `ManagerRefusedError`."""
    path = cluster_path(stack, settings)
    power = power_of(credentials.resource_manager(settings.tenant), path)
    cluster: dict[str, Any] = {"power": power, "pods": [], "problem": None}
    if power is None:
        cluster["problem"] = "there is no cluster"
    elif power is Power.STOPPED:
        cluster["problem"] = f"stopped; `.venv/bin/personalize resume --stack {stack}` starts it"
    else:
        try:
            cluster["pods"] = [asdict(pod) for pod in Cluster.of(stack, settings).pods()]
        except ClusterUnreachableError as error:
            cluster["problem"] = str(error)
    if certificate := outputs.get("authority"):
        ends = x509.load_pem_x509_certificate(str(certificate).encode()).not_valid_after_utc
        cluster["certificate_days"] = (ends - datetime.now(UTC)).days
    links = {title: outputs[name] for name, title in LINKS.items() if name in outputs}
    return {"cluster": cluster, "links": links | {"portal": PORTAL.format(tenant=settings.tenant) + path}}


def show_status(found: dict[str, Any]) -> None:
    """Print the status for a person."""
    service, update, metrics = found["service"], found["last_update"], found["metrics"]
    table = Table.grid(padding=(0, 2))
    table.add_column(style="dim")
    table.add_column(overflow="fold")
    table.add_row("stack", found["stack"])
    if found["endpoint"] is None:
        table.add_row("service", "[red]none yet[/]: `.venv/bin/personalize up` creates it")
    else:
        broken = "[red]does not answer[/]: `.venv/bin/personalize up --refresh` repairs it"
        table.add_row("service", "[green]ready[/]" if service["ready"] else broken)
        table.add_row("endpoint", str(found["endpoint"]))
        pinned = "" if found["pinned"] == "latest" else " (pinned; `.venv/bin/personalize serve latest` ends that)"
        table.add_row("model version", f"{found['model_version']}{pinned}, champion is {found['champion']}")
    if metrics:
        table.add_row(*_quality(metrics))
    for name, text in _azure_rows(found):
        table.add_row(name, text)
    if "processes" in service:
        table.add_row("processes", f"{service['processes']}, {service['memory_mib']:,} MiB")
    if update:
        table.add_row("last update", f"{update['kind']} {update['result']} at {update['time']}")
    results.print(table)


def _quality(metrics: dict[str, Any]) -> tuple[str, str]:
    """What the model was measured on, and its metrics: the click model's, or of one that only recommends its own."""
    if "auc" in metrics:
        return "held-out rows", f"AUC {metrics['auc']:.4f}, log loss {metrics['log_loss']:.4f}"
    return "held-out choices", (
        f"NDCG@10 {metrics['ndcg']:.4f}, recall@10 {metrics['recall']:.4f}, by popularity "
        f"{metrics['popularity_ndcg']:.4f} and {metrics['popularity_recall']:.4f}"
    )


def _azure_rows(found: dict[str, Any]) -> Iterator[tuple[str, str]]:
    """The rows that only a stack on Azure has."""
    if "cluster" not in found:
        return
    cluster = found["cluster"]
    yield "cluster", str(cluster["power"]) if cluster["problem"] is None else f"[red]{escape(cluster['problem'])}[/]"
    for pod in cluster["pods"]:
        state = "ready" if pod["ready"] else "[red]not ready[/]"
        yield "pod", f"{pod['name']}: {state}, {pod['restarts']} restarts, on {pod['node'] or 'no node'}"
    if (days := cluster.get("certificate_days")) is not None:
        soon = "" if days >= RENEW_BEFORE.days else "; [red]`.venv/bin/personalize up --refresh` renews it[/]"
        yield "certificate", f"{days} days left{soon}"
    for name, value in found["links"].items():
        yield name, str(value)


def _processes(stack: str) -> dict[str, Any]:
    processes = ServiceProcesses(StackFolder(state_folder(stack))).all()
    memory = 0
    for process in processes:
        with suppress(psutil.Error), process.oneshot():  # one may just have ended
            memory += process.memory_info().rss
    return {"processes": len(processes), "memory_mib": memory // MEBIBYTE}
