"""`load-test`: the throughput and latency of the service under load."""

import json
import time
from pathlib import Path
from typing import Annotated, Any
from urllib.parse import urlsplit

import typer

from personalize.clients.service import Service
from personalize.commands.scoring import read_json
from personalize.commands.session import open_session
from personalize.load.client import run_load
from personalize.load.plan import LoadPlan, LoadResult, made_up, plot_load
from personalize.terminal import options
from personalize.terminal.output import ExitCode, messages, print_json, tell
from tools.paths import state_folder

Rate = Annotated[
    float | None,
    typer.Option(
        min=0.1, help="Requests per second, at random times (open loop). Without it, each client waits for its answer."
    ),
]


def load_test(
    file: Annotated[
        str | None,
        typer.Argument(metavar="FILE", help="A JSON file with the records to send; without it, they are made up."),
    ] = None,
    *,
    connections: Annotated[int, typer.Option("--connections", "-c", min=1, max=10_000, help="Number of clients.")] = 16,
    together: Annotated[int, typer.Option(min=1, max=1000, help="Records per request.")] = 1,
    rate: Rate = None,
    processes: Annotated[
        int, typer.Option(min=1, max=64, help="Sending processes; one sends up to 30,000 requests per second.")
    ] = 1,
    seconds: Annotated[float, typer.Option("--seconds", "-d", min=0.1, help="Duration of the test.")] = 10.0,
    timeout: Annotated[float, typer.Option(min=0.1, help="Seconds until a request counts as failed.")] = 10.0,
    plot: Annotated[
        Path | None, typer.Option(help="File for the chart (.svg or .png); by default in the stack's folder.")
    ] = None,
    stack: options.Stack = "local",
    config_file: options.SettingsFile = None,
    as_json: options.Json = False,
) -> None:
    """Send load to the service and print its throughput and latency.

    Latency counts from the time at which a request was due, so a stall of the service shows.

    Example: .venv/bin/personalize load-test --rate 1000 --seconds 30
    """
    service = Service.of(open_session(stack, config_file))
    plan = _plan(
        service, _bodies(service, file, together), connections=connections, rate=rate, seconds=seconds, timeout=timeout
    )
    how = f"{rate:g} requests a second" if rate else f"{connections} clients that each wait for their answer"
    messages.print(f"{seconds:g} s of {how} on {service.endpoint}", style="dim")
    result = run_load(plan, processes=processes)
    figures: dict[str, Any] = {"connections": connections, "rate": rate, **result.summary()}
    if result.accepted:
        figures["plot"] = _draw(result, f"{how} for {seconds:g} s", plot, stack)
    (print_json if as_json else _show)(figures)
    if not result.accepted:
        raise typer.Exit(ExitCode.FAILED)


def _bodies(service: Service, file: str | None, together: int) -> list[bytes]:
    """The request bodies, with `together` records each."""
    content = list(made_up(service.example())) if file is None else read_json(file, "predict")
    records = content if isinstance(content, list) and content else [content]
    if together == 1:
        return [json.dumps(record).encode() for record in records]
    starts = range(0, len(records), together)
    return [json.dumps({"records": records[start : start + together]}).encode() for start in starts]


def _plan(
    service: Service, bodies: list[bytes], *, connections: int, rate: float | None, seconds: float, timeout: float
) -> LoadPlan:
    address = urlsplit(service.endpoint)
    return LoadPlan(
        host=address.hostname or "",
        port=address.port or (443 if address.scheme == "https" else 80),
        path="/score",
        bodies=bodies,
        headers={"authorization": f"Bearer {service.key}"},
        connections=connections,
        seconds=seconds,
        rate=rate,
        timeout_seconds=timeout,
        tls=address.scheme == "https",
        authorities=service.certificate,
    )


def _draw(result: LoadResult, title: str, file: Path | None, stack: str) -> str:
    """Draw the latencies into `file` or the stack's folder. Returns the chart's path."""
    drawn = file or state_folder(stack) / "load-tests" / time.strftime("%Y%m%d-%H%M%S.svg")
    plot_load(result, title, drawn)
    return str(drawn)


def _show(figures: dict[str, Any]) -> None:
    tell(f"{figures['accepted_per_second']:,.0f} scored a second, {figures['requests']:,} requests")
    for name, key in (("scored", "accepted_milliseconds"), ("refused", "refused_milliseconds")):
        if found := figures[key]:
            line = "  ".join(f"{rank} {value:.2f} ms" for rank, value in found.items())
            tell(f"{name:>8}: {line}")
    for status, count in figures["statuses"].items():
        tell(f"{'status':>8} {status}: {count:,}")
    for cause, count in figures["errors"].items():
        tell(f"{'error':>8}: {cause}: {count:,}")
    if "plot" in figures:
        tell(f"{'chart':>8}: {figures['plot']}")
