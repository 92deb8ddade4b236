"""Fetches SynapseML's jars once, by Maven where there is one, and lets only the pinned bytes into the cache."""

import os
import shutil
import tempfile
from pathlib import Path

from jinja2 import Template

from tools.paths import ROOT
from tools.setup.console import SetupError, first_that_works, run_reported, say
from tools.setup.uv import ensure_uv
from tools.versions import MAVEN_DEPENDENCY_PLUGIN
from training.runtime import jar_name, jar_problems, jars_folder, pinned_jars

FETCH_TIMEOUT_SECONDS = 600

POM = Template("""\
<project xmlns="http://maven.apache.org/POM/4.0.0">
  <modelVersion>4.0.0</modelVersion>
  <groupId>personalization</groupId>
  <artifactId>jars</artifactId>
  <version>1</version>
  <dependencies>
{% for jar in jars %}
    <dependency>
      <groupId>{{ jar.group }}</groupId>
      <artifactId>{{ jar.artifact }}</artifactId>
      <version>{{ jar.version }}</version>
      <exclusions><exclusion><groupId>*</groupId><artifactId>*</artifactId></exclusion></exclusions>
    </dependency>
{% endfor %}
  </dependencies>
</project>
""")
"""The pinned jars and nothing they depend on: PySpark ships most of it, newer."""


def ensure_jars() -> Path:
    """The folder with SynapseML's jars, fetched when one is missing or is not the pinned file; raises `SetupError`."""
    folder = jars_folder()
    problems = jar_problems(folder)
    if not problems:
        return folder
    if "PERSONALIZATION_JARS" in os.environ:
        raise SetupError(f"PERSONALIZATION_JARS={folder}: {'; '.join(problems)}; put the files there or unset it")
    say(f"SynapseML's jars: {'; '.join(problems)}")
    ways = [("the locked fetcher", _by_jgo)]
    if shutil.which("mvn"):
        ways.insert(0, ("Maven", _by_maven))
    first_that_works("SynapseML's jars", ways)
    return folder


def _by_maven() -> None:
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as scratch:
        pom = Path(scratch) / "pom.xml"
        pom.write_text(POM.render(jars=pinned_jars()), encoding="utf-8")
        plugin = f"org.apache.maven.plugins:maven-dependency-plugin:{MAVEN_DEPENDENCY_PLUGIN}:copy-dependencies"
        # -C: a download whose checksum is not the repository's fails.
        command = ["mvn", "-B", "-q", "-C", "-f", str(pom), plugin, f"-DoutputDirectory={scratch}/jars"]
        _run(command, "Fetching SynapseML's jars by Maven")
        _publish(Path(scratch) / "jars")


def _by_jgo() -> None:
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as scratch:
        group = ["run", "--project", str(ROOT), "--frozen", "--isolated", "--only-group", "tool-jars"]
        coordinates = [f"{jar['group']}:{jar['artifact']}:{jar['version']}" for jar in pinned_jars()]
        script = str(ROOT / "tools" / "fetch_jars.py")
        _run([str(ensure_uv()), *group, "python", script, scratch, *coordinates], "Fetching SynapseML's jars")
        _publish(Path(scratch))


def _run(command: list[str], what: str) -> None:
    run_reported(command, what, folder=ROOT, environment=os.environ, timeout_seconds=FETCH_TIMEOUT_SECONDS)


def _publish(fetched: Path) -> None:
    """Move the fetched jars into the cache when they are the pinned ones, each by a rename in the same folder."""
    problems = jar_problems(fetched)
    if problems:
        raise SetupError(f"what was fetched is not what is pinned: {'; '.join(problems)}")
    folder = jars_folder()
    folder.mkdir(parents=True, exist_ok=True)
    for jar in pinned_jars():
        aside = folder / f".{jar_name(jar)}.aside"
        shutil.copyfile(fetched / jar_name(jar), aside)
        aside.replace(folder / jar_name(jar))
