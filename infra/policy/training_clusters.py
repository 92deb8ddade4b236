"""Policies for the training job's cluster."""

from collections.abc import Iterator, Mapping
from typing import Any

from infra.policy.rule import Properties, Rule, dig

JOB = "databricks:index/job:Job"
ON_DEMAND = "ON_DEMAND_AZURE"


def _clusters(properties: Properties) -> Iterator[Mapping[str, Any]]:
    for entry in (*(properties.get("jobClusters") or ()), *(properties.get("tasks") or ())):
        if entry.get("newCluster"):
            yield entry["newCluster"]


def _autoscaling(properties: Properties, _: str) -> Iterator[str]:
    if any(cluster.get("autoscale") for cluster in _clusters(properties)):
        yield "`autoscale` must not be set: LightGBM does not survive a change of its workers."


def _spot(properties: Properties, _: str) -> Iterator[str]:
    for cluster in _clusters(properties):
        if dig(cluster, "azureAttributes.availability") != ON_DEMAND:
            yield f"`availability` must be {ON_DEMAND}: LightGBM does not survive the loss of a node."


def _endless(properties: Properties, _: str) -> Iterator[str]:
    if not properties.get("timeoutSeconds"):
        yield "`timeoutSeconds` must be set: a run that hangs bills until somebody notices."


RULES = (
    Rule(
        name="no-training-autoscaling",
        description="The training cluster never changes its size.",
        types=frozenset({JOB}),
        check=_autoscaling,
    ),
    Rule(
        name="no-training-spot",
        description="The training cluster has no node that can be taken away.",
        types=frozenset({JOB}),
        check=_spot,
    ),
    Rule(
        name="training-timeout",
        description="A training run ends.",
        types=frozenset({JOB}),
        check=_endless,
    ),
)
