"""`capacity`: the nodes that a load needs, or the load that nodes can serve."""

import json
import re
from dataclasses import asdict
from typing import Annotated, Any

import typer

from features.errors import BadInputError
from infra.cost.capacity import VM_SIZES, VmSize, capacity_for, qps_of
from personalize.terminal import options
from personalize.terminal.output import print_json, tell
from tools.paths import ROOT

TIME = re.compile(r"(?P<number>\d+(?:\.\d+)?)(?P<unit>ms|s)")


def capacity(
    *,
    qps: Annotated[float | None, typer.Option(min=0.1, help="The load: requests per second.")] = None,
    nodes: Annotated[
        int | None,
        typer.Option(min=1, help="Compute the load that this number of nodes can serve, in place of --qps."),
    ] = None,
    p99: Annotated[str, typer.Option(help="Highest 99th percentile of the latency inside the service.")] = "20ms",
    vm_size: Annotated[str, typer.Option(help="VM size of the nodes.")] = "Standard_D4s_v5",
    per_core: Annotated[
        float | None,
        typer.Option(
            min=1, help="Requests per second per core; by default the throughput of the last `make bench-serving`."
        ),
    ] = None,
    utilisation: Annotated[
        float, typer.Option(min=0.05, max=0.95, help="Highest share of a core's time in use.")
    ] = 0.7,
    as_json: options.Json = False,
) -> None:
    """Compute the replicas, nodes and monthly price that a load needs.

    Example: .venv/bin/personalize capacity --qps 500 --p99 20ms
    """
    if (qps is None) == (nodes is None):
        raise BadInputError("Give either --qps or --nodes: `.venv/bin/personalize capacity --qps 500 --p99 20ms`.")
    size, speed, limit = _size(vm_size), per_core or _measured(), _seconds(p99)
    figures: dict[str, Any] = {"vm_size": asdict(size), "qps_per_core": speed, "p99_limit_seconds": limit}
    if qps is not None:
        found = capacity_for(qps=qps, p99_seconds=limit, qps_per_core=speed, size=size, utilisation=utilisation)
        figures |= asdict(found)
    else:
        figures["qps"] = qps_of(
            nodes=nodes or 0, p99_seconds=limit, qps_per_core=speed, size=size, utilisation=utilisation
        )
    if as_json:
        print_json(figures)
        return
    for line in _lines(figures):
        tell(line)


def _lines(figures: dict[str, Any]) -> list[str]:
    size = figures["vm_size"]
    basis = f"at {figures['qps_per_core']:,.0f} requests per second and core, measured on another machine than Azure's"
    if "qps" in figures:
        return [f"{figures['qps']:,.0f} requests per second", basis]
    bounds = f"between {figures['replicas_min']} and {figures['replicas_max']}"
    price = f"at {size['usd_per_hour']} USD an hour in {size['region']} (price: {size['confidence']})"
    return [
        f"replicas     {figures['replicas']}, autoscaled {bounds}",
        f"cores        {figures['cores']:g}, each {figures['utilisation']:.0%} busy",
        f"nodes        {figures['nodes']} x {size['name']} ({size['cores']} cores)",
        f"p99          {figures['p99_seconds'] * 1000:.1f} ms inside the service",
        f"a month      {figures['usd_per_month']:,.0f} USD for the nodes, {price}",
        basis,
    ]


def _size(name: str) -> VmSize:
    if name not in VM_SIZES:
        raise BadInputError(f"No price is known for the VM size {name}. Known are {', '.join(VM_SIZES)}.")
    return VM_SIZES[name]


def _seconds(text: str) -> float:
    match = TIME.fullmatch(text.strip())
    if match is None or not float(match["number"]):
        raise BadInputError(f"--p99 {text} is not a time. Write `20ms` or `0.5s`.")
    return float(match["number"]) / (1000 if match["unit"] == "ms" else 1)


def _measured() -> float:
    """Single-record requests per second of one worker, from the last `make bench-serving`."""
    file = ROOT / "benchmarks" / "results" / "serving.json"
    try:
        return float(json.loads(file.read_text(encoding="utf-8"))["figures"]["requests_per_second_and_core"])
    except (OSError, ValueError, KeyError) as error:
        raise BadInputError(
            "There is no measured throughput. Run `make bench-serving`, or give one, as `--per-core 20000`."
        ) from error
