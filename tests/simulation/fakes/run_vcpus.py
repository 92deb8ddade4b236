"""The vCPUs of running job runs, which count against the same quotas as the clusters' nodes."""

from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from tests.simulation.fakes.runs import Run
from tests.simulation.services.pools import used_vcpus, vcpu_limit
from tests.simulation.services.sizes import ALL_FAMILIES, SIZES
from tests.simulation.world import Record, World


def outcome_by_quota(world: World, job: Record) -> str:
    """The outcome of a run of `job` whose cluster would exceed a quota; empty if it would not."""
    wanted, used = _vcpus(job.inputs), used_vcpus(world)
    wanted[ALL_FAMILIES] = wanted.total()
    short = any(used[name] + count > vcpu_limit(world, name) for name, count in wanted.items())
    return "no_quota" if short else ""


class RunVcpus:
    """Records what each run uses while it lasts. Runs begin and end in their own threads."""

    def __init__(self, world: Path) -> None:
        """`world` is the record's folder."""
        self._world = world

    def begin(self, run: Run) -> None:
        """The run's cluster starts."""
        self._record(run, _vcpus(run.inputs))

    def end(self, run: Run) -> None:
        """The run's cluster is gone."""
        self._record(run, {})

    def _record(self, run: Run, vcpus: Mapping[str, int]) -> None:
        world = World(self._world)
        try:
            with world.transaction():
                others = {name: used for name, used in world.setting("run_vcpus").items() if name != str(run.number)}
                world.set("run_vcpus", others | ({str(run.number): dict(vcpus)} if vcpus else {}))
        finally:
            world.close()


def _vcpus(job: Mapping[str, Any]) -> Counter[str]:
    """The vCPUs of a job's cluster, by VM family."""
    cluster = job["jobClusters"][0]["newCluster"]
    size = SIZES[cluster["nodeTypeId"]]
    return Counter({size.family: size.vcpus * (1 + int(cluster.get("numWorkers") or 0))})
