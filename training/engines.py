"""The two engines that run a training run's kernels: processes on this machine, or Spark."""

from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

from training.model.unneeded import without
from training.parameters import EngineName, TrainingParameters
from training.platform import on_databricks
from training.progress import Progress
from training.protocols import TrainingEngine
from training.spark import ALL_CORES


def chosen(name: EngineName) -> EngineName:
    """The engine that `auto` means here, or the named one."""
    if name is not EngineName.AUTO:
        return name
    return EngineName.SPARK if on_databricks() else EngineName.LOCAL


@contextmanager
def opened(
    parameters: TrainingParameters,
    *,
    log: Path,
    progress: Progress,
    data_size: int,
    master: str = ALL_CORES,
) -> Iterator[TrainingEngine]:
    """The engine that the parameters name, for a run over `data_size` bytes of data, 0 if unknown.

    Spark runs on `master` and logs to the file `log`. An engine's own error is raised as a `PersonalizationError` that
    a user can read.
    """
    if chosen(parameters.engine) is EngineName.SPARK:
        from training.spark.engine import spark_engine  # noqa: PLC0415 - it is not installed everywhere

        with spark_engine(parameters, log=log, progress=progress, data_size=data_size, master=master) as spark:
            yield spark
    else:
        from training.local.engine import LocalEngine  # noqa: PLC0415 - only the engine that runs is needed
        from training.local.pool import UNNEEDED  # noqa: PLC0415 - the same

        with (
            without(*UNNEEDED),
            closing(LocalEngine(data_size=data_size, memory_gib=parameters.memory_gib)) as local,
        ):
            yield local
