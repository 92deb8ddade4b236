"""Replicas and nodes for a load."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from infra.cost.capacity import MIN_REPLICAS, CapacityError, replicas_for, replicas_per_node

RATES = st.floats(min_value=1, max_value=1_000_000)
SPEEDS = st.floats(min_value=1000, max_value=50_000)
LIMITS = st.floats(min_value=0.01, max_value=1)


def test_a_large_load_fills_cores_to_the_target_utilisation() -> None:
    assert replicas_for(qps=70_000, p99_seconds=0.05, capacity=10_000) == 10


def test_a_tight_p99_lowers_the_utilisation() -> None:
    # 10,000 - ln(100) / 0.0007 s leaves 3,421 requests a second for each of them
    assert replicas_for(qps=70_000, p99_seconds=0.0007, capacity=10_000) == 21


def test_a_p99_below_a_core_s_own_time_is_refused() -> None:
    with pytest.raises(CapacityError, match=r"even an idle one needs 4\.6 ms"):
        replicas_for(qps=1, p99_seconds=0.004, capacity=1000)


@pytest.mark.parametrize(("cores", "fit"), [(2, 3), (4, 6), (8, 14), (16, 30)])
def test_a_node_keeps_what_aks_takes(cores: int, fit: int) -> None:
    # 2000 - 100 - 370 = 1530; 4000 - 140 - 370 = 3490; 8000 - 180 - 370 = 7450; 16000 - 260 - 370 = 15370 millicores
    assert replicas_per_node(cores, 0.5) == fit


@given(qps=RATES, p99=LIMITS, speed=SPEEDS)
def test_what_is_provided_bears_the_load_in_time_and_one_replica_less_would_not(
    qps: float, p99: float, speed: float
) -> None:
    replicas = replicas_for(qps=qps, p99_seconds=p99, capacity=speed)
    each = qps / replicas
    assert each <= 0.7 * speed * (1 + 1e-9)
    assert math.log(100) / (speed - each) <= p99 * (1 + 1e-9)
    load = min(0.7 * speed, speed - math.log(100) / p99)
    assert replicas == MIN_REPLICAS or (replicas - 1) * load < qps
