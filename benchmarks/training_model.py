"""Estimates times on larger machines and clusters from measured stages: a model, not a measurement."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from benchmarks.training_run import Run
from features.schema import CRITEO
from training.parameters import TrainingParameters

FULL_ROWS = 45_840_617
TERABYTE_ROWS = 4_373_472_329
"""Rows of Criteo's terabyte click logs, as counted by the MLPerf training benchmark."""
CORES_PER_NODE = 8
CORES_OF_THE_MACHINE = 16
NODES_OF_THE_REFERENCE = 10
SIZES = (2, 4, 8, 16, 32, 64)
"""Cores of a machine, or nodes of a cluster."""


@dataclass(frozen=True, kw_only=True)
class Assumptions:
    """The model's assumptions. None of them was measured here; the model's two costs were."""

    efficiency: float
    """The useful share of the cores' time: stragglers, skew, scheduling and slower cores take the rest."""
    network_gbit: float = 8.0
    """The bandwidth of each node, for LightGBM's histograms."""
    bins: int = 255
    """Histogram bins of a feature."""
    bytes_per_bin: int = 16
    """Gradient and Hessian sums, 8 bytes each."""
    cluster_start_seconds: float = 0.0
    """The cluster is assumed to be running. Starting one takes minutes, which are billed but don't depend on this
    project."""


@dataclass(frozen=True, kw_only=True)
class Model:
    """Seconds = fixed + rows x processor seconds a row / (cores x efficiency) + histogram exchange."""

    fixed_seconds: float
    cpu_seconds_per_million: float
    assumptions: Assumptions

    def seconds(self, *, rows: int, cores: int, nodes: int = 1) -> float:
        """The whole run on `nodes` nodes of so many cores each."""
        work = rows / 1e6 * self.cpu_seconds_per_million / (nodes * cores * self.assumptions.efficiency)
        start = self.assumptions.cluster_start_seconds + self.fixed_seconds
        return start + work + self._exchange_seconds(nodes)

    def _exchange_seconds(self, nodes: int) -> float:
        """Each split sums the smaller child's histograms over all nodes: a node sends and receives (n-1)/n of them."""
        parameters, assumed = TrainingParameters(), self.assumptions
        histogram = len(CRITEO.encoded_features) * assumed.bins * assumed.bytes_per_bin
        splits = parameters.num_iterations * parameters.num_leaves
        share = 2 * (nodes - 1) / nodes
        return splits * histogram * share * 8 / (assumed.network_gbit * 1e9)

    def on_one_machine(self) -> dict[str, Any]:
        """The model with its assumptions and its times for the whole dataset by cores, as plain JSON values."""
        seconds = {str(cores): round(self.seconds(rows=FULL_ROWS, cores=cores), 1) for cores in SIZES}
        return {"rows": FULL_ROWS, **asdict(self), "seconds_by_cores": seconds}

    def on_a_cluster(self) -> dict[str, Any]:
        """The same by nodes, for the whole dataset and for a terabyte."""

        def by_nodes(rows: int) -> dict[str, float]:
            return {
                str(nodes): round(self.seconds(rows=rows, cores=CORES_PER_NODE, nodes=nodes), 1)
                for nodes in (*SIZES, NODES_OF_THE_REFERENCE)
            }

        return {
            "cores_per_node": CORES_PER_NODE,
            **asdict(self),
            "seconds_by_nodes": by_nodes(FULL_ROWS),
            "seconds_of_the_terabyte_by_nodes": by_nodes(TERABYTE_ROWS),
        }


def model(runs: Mapping[int, Run], assumptions: Assumptions) -> Model:
    """The model from the runs by rows: the slope of the processor time between the two largest of them.

    The fixed part (compiling, planning, sequential jobs) is the rest of the smaller run's time. With a single run, all
    of its processor time counts as proportional.
    """
    small, large = min(sorted(runs)[-2:]), max(runs)
    cpu = {rows: _cpu_seconds(run) for rows, run in runs.items()}
    if small == large:
        return Model(fixed_seconds=0.0, cpu_seconds_per_million=cpu[large] / large * 1e6, assumptions=assumptions)
    slope = (cpu[large] - cpu[small]) / (large - small)
    cores = runs[small].cores
    clock = sum(cost.seconds for cost in runs[small].costs.values())
    return Model(
        fixed_seconds=max(0.0, clock - slope * small / cores),
        cpu_seconds_per_million=slope * 1e6,
        assumptions=assumptions,
    )


def _cpu_seconds(run: Run) -> float:
    return sum(cost.cpu_seconds for cost in run.costs.values())
