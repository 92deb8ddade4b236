"""`bill_of_materials.py FILE DEBIAN [JARS JAVA]`: writes down what the image holds, while it is built, by itself.

CycloneDX 1.6, by the Python that the image will have: the packages that dpkg listed in the file `DEBIAN`, the installed
libraries, and, for Spark, the pinned jars and the Java of a JDK's file `release`. Equal contents give equal bytes, as
there is neither a time nor a number of its own in it.
"""

import json
import platform
import re
import sys
from collections.abc import Iterator
from importlib.metadata import distributions
from pathlib import Path
from typing import Any
from urllib.parse import quote

JAVA_VERSION = re.compile(r'^JAVA_VERSION="([^"]+)"$', re.MULTILINE)


def bill(components: Iterator[dict[str, str]]) -> dict[str, Any]:
    """The document about the components, each once and in the order of their addresses."""
    listed = {component["purl"]: component for component in components}
    return {
        "bomFormat": "CycloneDX",
        "specVersion": "1.6",
        "version": 1,
        "metadata": {"component": {"type": "container", "bom-ref": "image", "name": "scoring"}},
        "components": [listed[purl] for purl in sorted(listed)],
    }


def debian_packages(listing: Path) -> Iterator[dict[str, str]]:
    """What dpkg had installed: name, version and architecture a line."""
    release = platform.freedesktop_os_release()
    distribution = f"{release['ID']}-{release['VERSION_ID']}"
    for name, version, architecture in map(str.split, listing.read_text(encoding="utf-8").splitlines()):
        extra = f"?arch={architecture}&distro={distribution}"
        yield _component("library", name, version, f"deb/{release['ID']}/{quote(name)}@{_quoted(version)}{extra}")


def python_packages() -> Iterator[dict[str, str]]:
    """This Python, and what is installed for it."""
    version = platform.python_version()
    yield _component("platform", "python", version, f"generic/python@{version}")
    for package in distributions():
        name = re.sub(r"[-_.]+", "-", package.name).lower()
        yield _component("library", package.name, package.version, f"pypi/{name}@{_quoted(package.version)}")


def java_packages(jars: Path, release: Path) -> Iterator[dict[str, str]]:
    """The jars of the list `jars`, and the Java whose JDK has the file `release`."""
    for jar in json.loads(jars.read_text(encoding="utf-8")):
        purl = f"maven/{jar['group']}/{jar['artifact']}@{_quoted(jar['version'])}"
        yield _component("library", jar["artifact"], jar["version"], purl)
    found = JAVA_VERSION.search(release.read_text(encoding="utf-8"))
    version = found[1] if found else "unknown"
    yield _component("platform", "openjdk", version, f"generic/openjdk@{_quoted(version)}")


def _component(kind: str, name: str, version: str, purl: str) -> dict[str, str]:
    return {"type": kind, "bom-ref": f"pkg:{purl}", "name": name, "version": version, "purl": f"pkg:{purl}"}


def _quoted(version: str) -> str:
    return quote(version, safe=":~")


def main(target: str, debian: str, *java: str) -> None:
    """Write the bill of the image that is being built into the file `target`."""
    components = [*debian_packages(Path(debian)), *python_packages()]
    if java:
        components += java_packages(*map(Path, java))
    Path(target).write_text(json.dumps(bill(iter(components)), indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main(*sys.argv[1:])
