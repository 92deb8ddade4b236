"""What fails at first in a change: `up` must then fail with a sentence about the cause, and the next one succeeds."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from tests.simulation.scenarios.lost_libraries import lose_libraries
from tests.simulation.scenarios.lost_rights import LostRights
from tests.simulation.scenarios.stack import SimulatedStack
from tests.simulation.services.pools import used_vcpus
from tests.simulation.services.sizes import ALL_FAMILIES

FAMILY = "standardDDSv5Family"


@dataclass(frozen=True)
class Trouble:
    """What fails at first: `begin` causes it, `end` removes it, and the error contains `sentence`."""

    name: str
    sentence: str
    begin: Callable[[SimulatedStack], None]
    end: Callable[[SimulatedStack], None] = lambda _: None


def in_world(name: str, value: Any) -> Callable[[SimulatedStack], None]:
    """Change a setting of the simulation."""
    return lambda stack: stack.world.set(name, value)


def fill_region(stack: SimulatedStack) -> None:
    """Leave fewer vCPUs of the region's quota than a training run's cluster has."""
    stack.world.set("vcpu_quota", {ALL_FAMILIES: used_vcpus(stack.world)[ALL_FAMILIES] + 1})


def break_image(stack: SimulatedStack) -> None:
    """New pods of the served image never become ready; running ones stay."""
    stack.world.set("broken_images", [stack.image()])


def mend_image(stack: SimulatedStack) -> None:
    """New pods become ready again. The failed ones stay, because their template is the broken one."""
    stack.world.set("broken_images", [])
    stack.settings["scoring"]["max_records"] = 400


RIGHTS = LostRights()
RUNS = (
    Trouble(
        "a training run that may only read", "Run `GRANT READ VOLUME, WRITE VOLUME ON VOLUME", RIGHTS.take, RIGHTS.give
    ),
    Trouble("a training run that fails", "the test ordered it", in_world("run_outcomes", ["fail"])),
    Trouble("a training run that hangs", "timed out", in_world("run_outcomes", ["hang"])),
    Trouble("a training run that somebody cancels", "cancelled", in_world("run_outcomes", ["cancel"])),
    Trouble(
        "a VM size that Azure has no more of",
        "set `azure.training_vm_size` to another size such as Standard_E4ads_v5",
        in_world("run_outcomes", ["no_capacity"]),
    ),
    Trouble(
        "a region without vCPUs for training beside the cluster",
        "(Quotas, Compute, Total Regional vCPUs), then run `up` again",
        fill_region,
        in_world("vcpu_quota", {}),
    ),
    # Last, because it stays so until an `up` that refreshes.
    Trouble("a library that is gone", "Run `up --refresh`, which uploads", lose_libraries),
)
BUILD = Trouble("an image build that fails", "the test ordered it", in_world("build_outcomes", ["fail"]))
ROLLOUT = Trouble(
    "a rollout that never becomes ready", "shows why; correct it, then run `up` again.", break_image, mend_image
)
QUOTA = Trouble(
    "a quota that is too small",
    "set `azure.scoring_vm_size` to another size",
    in_world("vcpu_quota", {FAMILY: 4}),
    in_world("vcpu_quota", {}),
)
