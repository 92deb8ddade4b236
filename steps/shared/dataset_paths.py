"""Where the files of a dataset are: paths in a stack file start at the repository."""

from tools.paths import ROOT
from training.parameters import CriteoDataset, Dataset, TablesDataset


def located(dataset: Dataset) -> Dataset:
    """`dataset` with a relative path made absolute: paths in a stack file start at the repository."""
    match dataset:
        case CriteoDataset(path=path) if "://" not in path and path not in ("sample", "full"):
            return dataset.model_copy(update={"path": str(ROOT / path)})
        case TablesDataset(spec=spec):
            return dataset.model_copy(update={"spec": ROOT / spec})
        case _:
            return dataset
