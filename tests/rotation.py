"""`python -m tests.rotation`: runs one part of the tests that take minutes each (`full`); each day another part.

Files run whole, because their tests may build on each other; where they don't, a file may be divided. A test that would
begin after the time is up is skipped, and named; so is one that runs into a time limit, as on a busy machine, or that
would go on after the last minute: the workflow `nightly` judges it. `ELSEWHERE` has those that need another machine.
"""

import subprocess
import sys
import time
from collections.abc import Generator
from dataclasses import dataclass

import pytest

from tests.support.rotation import turn

MINUTES, LAST_MINUTES = 7, 9
"""When no further test begins, and when the last one is ended. With the set-up, a run stays below ten minutes."""
NO_TIME = "no time is left for it today"
PYTEST_TIMEOUT = "Timeout (>"
"""How pytest-timeout's message begins."""


@dataclass(frozen=True, kw_only=True)
class Part:
    """What runs on one day: every `of`-th test of the files, from the `first` on."""

    name: str
    files: tuple[str, ...]
    first: int = 0
    of: int = 1


FIT = "tests/training/runs/test_cluster.py"
ROLLOUTS = "tests/cluster/test_rollout.py"
PATHS = "tests/e2e/test_paths.py"
PAGES = "tests/docs/test_pages.py"
PARTS = (
    Part(name="Spark Serving", files=("tests/scoring/contract/test_spark.py",)),
    Part(name="distributed fit, one half", files=(FIT,), first=0, of=2),
    Part(name="distributed fit, the other half", files=(FIT,), first=1, of=2),
    Part(name="rollouts without downtime, one half", files=(ROLLOUTS,), first=0, of=2),
    Part(name="rollouts without downtime, the other half", files=(ROLLOUTS,), first=1, of=2),
    Part(
        name="training jobs",
        files=(
            "tests/simulation/test_training_job.py",
            "tests/simulation/test_batch_job.py",
            "tests/simulation/test_runtime.py",
        ),
    ),
    Part(name="state in the subscription", files=("tests/simulation/test_state.py",)),
    Part(
        name="bootstrap and environment",
        files=(
            *(f"tests/simulation/test_{name}.py" for name in ("bootstrap", "environment")),
            "tests/infra/graph/test_cloud_graph.py",
            "tests/infra/policy/test_pack_in_engine.py",
        ),
    ),
    Part(name="a local stack", files=("tests/e2e/test_local_stack.py",)),
    Part(
        name="training on both engines",
        files=("tests/training/runs/test_engines.py", "tests/training/runs/test_table_files.py"),
    ),
    Part(name="stacks on other data, one half", files=(PATHS,), first=0, of=2),
    Part(name="stacks on other data, the other half", files=(PATHS,), first=1, of=2),
    Part(name="documentation, one half", files=(PAGES,), first=0, of=2),
    Part(name="documentation, the other half", files=(PAGES,), first=1, of=2),
    Part(
        name="data on engine Spark",
        files=tuple(
            f"tests/training/runs/test_{name}.py"
            for name in (
                "delivered",
                "events",
                "find_crosses",
                "known",
                "spark_engine",
                "spark_factors",
                "times",
            )
        ),
    ),
    Part(
        name="from data to model",
        files=tuple(f"tests/steps/provider/azure/test_{name}.py" for name in ("chain", "preflight", "read_in_place")),
    ),
    Part(
        name="data on engine local",
        files=(
            *(
                f"tests/training/runs/test_{name}.py"
                for name in ("equal_rows", "local_engine", "propose", "recommended", "several_pipeline")
            ),
            "tests/training/unit/test_films.py",
            "tests/training/unit/test_placed_listing.py",
            "tests/house/unit/test_skips.py",
        ),
    ),
    Part(
        name="runs and engines",
        files=(
            "tests/training/runs/test_main.py",
            "tests/training/runs/test_tune.py",
            "tests/training/unit/test_catalogue.py",
            "tests/training/unit/test_synthetic.py",
            "tests/steps/provider/test_engine.py",
            "tests/steps/provider/test_service_faults.py",
            "tests/scoring/unit/test_kernel_sanitised.py",
        ),
    ),
)
ELSEWHERE = {
    "tests/scoring/contract/test_image.py": "builds images; the workflow `check` runs it",
    "tests/scoring/contract/conftest.py": "all contract tests against the image; the workflow `check` runs them",
    "tests/scoring/contract/test_faults.py": "a hundred thousand requests; the workflow `nightly` runs it",
    "tests/e2e/test_plain_pulumi.py": "needs Pulumi's own release, which GitHub's runners have; `nightly` runs it",
    "tests/simulation/test_bicep.py": "needs a checkout of Azure's published types; the workflow `nightly` has one",
}


class Bounded:
    """Leaves out the tests of other parts, and skips those that would begin or end too late.

    None begins after `begin` seconds from now, and none goes on after `end` seconds.
    """

    def __init__(self, part: Part, *, begin: float, end: float) -> None:
        self.part = part
        self._begin, self._end = time.monotonic() + begin, time.monotonic() + end

    @pytest.hookimpl(trylast=True)
    def pytest_collection_modifyitems(self, config: pytest.Config, items: list[pytest.Item]) -> None:
        """Keep this part's share."""
        kept = items[self.part.first :: self.part.of]
        config.hook.pytest_deselected(items=[item for item in items if item not in kept])
        items[:] = kept

    @pytest.hookimpl(wrapper=True, tryfirst=True)
    def pytest_runtest_protocol(self, item: pytest.Item) -> Generator[None, object, object]:
        """Tell pytest-timeout how long the test may take: its own limit, or what is left."""
        left = max(self._end - time.monotonic(), 1.0)
        own = item.get_closest_marker("timeout")
        if own is None or left < own.args[0]:
            item.add_marker(pytest.mark.timeout(left), append=False)
        return (yield)

    def pytest_runtest_setup(self) -> None:
        """Skip a test that would begin too late."""
        if time.monotonic() > self._begin:
            pytest.skip(NO_TIME)

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_makereport(
        self, item: pytest.Item, call: pytest.CallInfo[None]
    ) -> Generator[None, pytest.TestReport, pytest.TestReport]:
        """Skip a test that ran into a time limit. After the end, a failed clean-up proves nothing either."""
        report = yield
        if call.excinfo is not None and (_is_timeout(call.excinfo.value) or time.monotonic() > self._end):
            report.outcome = "skipped"
            report.longrepr = (str(item.path), item.location[1] or 0, f"{NO_TIME}: {call.excinfo.exconly()}")
        return report


def _is_timeout(error: BaseException) -> bool:
    limits = TimeoutError, subprocess.TimeoutExpired
    return isinstance(error, limits) or str(error).startswith(PYTEST_TIMEOUT)


def main() -> int:
    """Run today's part; returns pytest's exit status."""
    number = turn() % len(PARTS)
    part = PARTS[number]
    sys.stdout.write(f"{part.name}, part {number + 1} of {len(PARTS)}; `ROTATION={turn()}` repeats it\n")
    sys.stdout.flush()
    bounded = Bounded(part, begin=MINUTES * 60, end=LAST_MINUTES * 60)
    return int(pytest.main(["--durations=10", *part.files], plugins=[bounded]))


if __name__ == "__main__":
    sys.exit(main())
