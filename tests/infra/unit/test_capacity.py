"""Nodes and replicas for a load, and the load that they can serve."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from infra.cost.capacity import MIN_REPLICAS, CapacityError, VmSize, capacity_for, qps_of, replicas_per_node

SIZE = VmSize(name="Standard_Test", cores=4, usd_per_hour=0.2, confidence="good")
RATES = st.floats(min_value=1, max_value=1_000_000)
SPEEDS = st.floats(min_value=1000, max_value=50_000)
LIMITS = st.floats(min_value=0.01, max_value=1)


def test_a_small_load_still_has_a_second_replica_and_node() -> None:
    found = capacity_for(qps=10, p99_seconds=0.02, qps_per_core=10_000, size=SIZE)
    assert (found.replicas, found.replicas_min, found.replicas_max, found.nodes) == (2, 2, 4, 2)
    assert found.usd_per_month == 2 * 0.2 * 730


def test_a_tight_p99_lowers_the_utilisation() -> None:
    loose = capacity_for(qps=70_000, p99_seconds=0.05, qps_per_core=10_000, size=SIZE)
    tight = capacity_for(qps=70_000, p99_seconds=0.0007, qps_per_core=10_000, size=SIZE)
    assert tight.replicas > loose.replicas
    assert tight.p99_seconds <= 0.0007


def test_a_p99_below_a_core_s_own_time_is_refused() -> None:
    with pytest.raises(CapacityError, match=r"even an idle one needs 4\.6 ms"):
        capacity_for(qps=1, p99_seconds=0.004, qps_per_core=1000, size=SIZE)


def test_a_replica_that_fits_on_no_node_is_refused() -> None:
    with pytest.raises(CapacityError, match="does not fit on a Standard_Test"):
        capacity_for(qps=1, p99_seconds=1, qps_per_core=1000, size=SIZE, cores_per_replica=4)


def test_half_a_core_scores_half_as_much() -> None:
    whole = qps_of(nodes=1, p99_seconds=1, qps_per_core=10_000, size=SIZE)
    halves = qps_of(nodes=1, p99_seconds=1, qps_per_core=10_000, size=SIZE, cores_per_replica=0.5)
    # AKS leaves 3,860 of 4,000 millicores, and its daemons request 370: three replicas of 1,000, or six of 500.
    assert [whole, halves] == pytest.approx([21_000, 21_000])


@pytest.mark.parametrize(("cores", "fit"), [(2, 3), (4, 6), (8, 14), (16, 30)])
def test_a_node_keeps_what_aks_takes(cores: int, fit: int) -> None:
    # 2000 - 100 - 370 = 1530; 4000 - 140 - 370 = 3490; 8000 - 180 - 370 = 7450; 16000 - 260 - 370 = 15370 millicores
    size = VmSize(name="Standard_Test", cores=cores, usd_per_hour=0.2, confidence="good")
    assert replicas_per_node(size, 0.5) == fit


@given(qps=RATES, p99=LIMITS, speed=SPEEDS)
def test_what_is_provided_bears_what_was_asked_for(qps: float, p99: float, speed: float) -> None:
    found = capacity_for(qps=qps, p99_seconds=p99, qps_per_core=speed, size=SIZE)
    assert qps_of(nodes=found.nodes, p99_seconds=p99, qps_per_core=speed, size=SIZE) >= qps * (1 - 1e-9)
    assert found.p99_seconds <= p99 * (1 + 1e-9)
    assert found.utilisation <= 0.7 + 1e-9


@given(qps=RATES, p99=LIMITS, speed=SPEEDS)
def test_one_replica_less_would_not_do(qps: float, p99: float, speed: float) -> None:
    found = capacity_for(qps=qps, p99_seconds=p99, qps_per_core=speed, size=SIZE)
    load = min(0.7 * speed, speed - math.log(100) / p99)
    assert found.replicas == MIN_REPLICAS or (found.replicas - 1) * load < qps
