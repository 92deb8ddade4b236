"""The log of a local Spark: the JVM logs to one file, which can be followed."""

from collections.abc import Iterator
from pathlib import Path
from string import Template

_CONFIGURATION = Template("""\
status = error
appender.file.type = File
appender.file.name = file
appender.file.fileName = $log
appender.file.layout.type = PatternLayout
appender.file.layout.pattern = %d{ISO8601} %p %c{1}: %m%n%ex
rootLogger.level = warn
rootLogger.appenderRef.file.ref = file
# SynapseML reports its iterations only here.
logger.lightgbm.name = com.microsoft.azure.synapse.ml.lightgbm
logger.lightgbm.level = info
""")


def configure(log: Path, *, configuration: Path) -> str:
    """Write a log4j configuration that logs to `log`; returns the JVM option for it."""
    configuration.write_text(_CONFIGURATION.substitute(log=log.absolute()), encoding="utf-8")
    return f"-Dlog4j2.configurationFile={configuration.absolute().as_uri()}"


class Follower:
    """Follows a growing file, which may not exist yet."""

    def __init__(self, file: Path) -> None:
        """Start after the file's current end."""
        self._file = file
        self._position = file.stat().st_size if file.exists() else 0

    def lines(self) -> Iterator[str]:
        """The complete lines added since the last call."""
        if not self._file.exists():
            return
        with self._file.open("rb") as stream:
            stream.seek(self._position)
            added = stream.read()
        complete = added[: added.rfind(b"\n") + 1]
        self._position += len(complete)
        yield from complete.decode(errors="replace").splitlines()
