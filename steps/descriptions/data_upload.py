"""Step 1: a dataset, copied to where training reads it, under its manifest's hash."""

from typing import Generic

from steps.descriptions.description import Description, StepInputs, StepOutputs, TextT
from steps.descriptions.places import Lake, Stack
from steps.kinds import Kind
from training.parameters import Dataset


class Inputs(StepInputs, Generic[TextT]):
    """A dataset, and its manifest's hash (64 hexadecimal digits), which changes with the data; and the manifest's
    `versions` of Delta tables, None without any: what was uploaded before there were such tables stays as it is.
    """

    registry: TextT
    dataset: Dataset
    manifest_hash: str
    versions: dict[str, int] | None = None


class LocalInputs(Inputs[str], Stack):
    """To the lake folder."""


class AzureInputs(Inputs[str], Lake):
    """To the lake; of data in a container that Databricks reads in place, only what describes it."""

    volumes: str
    """The folder with the stack's volumes on the cluster's machines, `/Volumes/...`."""


class Outputs(StepOutputs):
    """The data's location (a path or a URL), its manifest's hash, and the proof of who owns the folder."""

    location: str
    uploaded_hash: str
    claim: str


LOCAL = Description(
    kind=Kind.DATA_UPLOAD,
    inputs=LocalInputs,
    outputs=Outputs,
    replaced_by=frozenset({"stack", "manifest_hash"}),
)
AZURE = Description(
    kind=Kind.DATA_UPLOAD,
    inputs=AzureInputs,
    outputs=Outputs,
    replaced_by=frozenset({"stack", "blob_endpoint", "manifest_hash"}),
)
