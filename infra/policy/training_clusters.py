"""Policies for the training job's cluster."""

from collections.abc import Iterator, Mapping
from typing import Any

from infra.policy.rule import Properties, dig, rule

JOB = "databricks:index/job:Job"
ON_DEMAND = "ON_DEMAND_AZURE"


def _clusters(properties: Properties) -> Iterator[Mapping[str, Any]]:
    for entry in (*(properties.get("jobClusters") or ()), *(properties.get("tasks") or ())):
        if entry.get("newCluster"):
            yield entry["newCluster"]


@rule("no-training-autoscaling", "The training cluster has a fixed size.", JOB)
def _autoscaling(properties: Properties, _: str) -> Iterator[str]:
    if any(cluster.get("autoscale") for cluster in _clusters(properties)):
        yield "`autoscale` must not be set: LightGBM fails when workers are added or removed."


@rule("no-training-spot", "The training cluster has no spot nodes.", JOB)
def _spot(properties: Properties, _: str) -> Iterator[str]:
    for cluster in _clusters(properties):
        if dig(cluster, "azureAttributes.availability") != ON_DEMAND:
            yield f"`availability` must be {ON_DEMAND}: LightGBM fails when a node is lost."


@rule("training-timeout", "A training run has a timeout.", JOB)
def _endless(properties: Properties, _: str) -> Iterator[str]:
    if not properties.get("timeoutSeconds"):
        yield "`timeoutSeconds` must be set: a run that hangs costs money until somebody notices."


RULES = (
    _autoscaling,
    _spot,
    _endless,
)
