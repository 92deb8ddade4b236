"""Where the files of a dataset are. Paths in a stack file are relative to the repository."""

from tools.paths import ROOT
from training.parameters import CriteoDataset, Dataset, TablesDataset


def located(dataset: Dataset) -> Dataset:
    """`dataset` with an absolute path."""
    match dataset:
        case CriteoDataset(path=path) if "://" not in path and path not in ("sample", "full"):
            return dataset.model_copy(update={"path": str(ROOT / path)})
        case TablesDataset(spec=spec):
            return dataset.model_copy(update={"spec": ROOT / spec})
        case _:
            return dataset
