"""`python -m tools.setup.spark` installs what Spark needs on this machine: PySpark, Java and SynapseML's jars.

Only engine `spark` of training and engine `spark-serving` of scoring need it.
"""

import os
import ssl
import sys
from pathlib import Path

import truststore

from scoring.fetch_jars import JarFetchError, fetch
from tools.setup.console import SetupError, exit_status, say
from tools.setup.packages import ensure_spark_packages
from tools.setup.uv import ensure_uv
from training.runtime import jar_problems, jars_folder, pinned_jars

MAVEN_CENTRAL = "https://repo1.maven.org/maven2"
REPOSITORY = "MAVEN_REPOSITORY"
"""Environment variable with the address of a mirror of Maven Central."""


def ensure_spark() -> None:
    """Install what is missing; raises `SetupError`."""
    ensure_spark_packages(ensure_uv())
    ensure_jars()


def ensure_jars() -> Path:
    """The folder with SynapseML's jars; missing or wrong ones are fetched. Raises `SetupError`."""
    folder = jars_folder()
    problems = jar_problems(folder)
    if not problems:
        return folder
    if "PERSONALIZATION_JARS" in os.environ:
        raise SetupError(f"PERSONALIZATION_JARS={folder}: {'; '.join(problems)}; put the files there or unset it")
    repository = os.environ.get(REPOSITORY, MAVEN_CENTRAL).rstrip("/")
    say(f"Fetching SynapseML's jars from {repository} ({'; '.join(problems)}) ...")
    try:
        fetch(repository, pinned_jars(), folder, truststore.SSLContext(ssl.PROTOCOL_TLS_CLIENT))
    except JarFetchError as error:
        raise SetupError(f"{error} Check the network, or name a mirror of Maven Central in {REPOSITORY}") from error
    return folder


if __name__ == "__main__":
    sys.exit(exit_status(ensure_spark))
