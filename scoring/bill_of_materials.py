"""`bill_of_materials.py FOLDER FILE`: writes the image's bill of materials (CycloneDX 1.6).

The Dockerfile runs it as a script during the build, with the image's own Python. It lists the base images by digest,
the Debian packages, the Python libraries and, for Spark, the pinned jars and Java. FOLDER contains `Dockerfile`,
`image.json`, `debian.txt` and, for Spark, `jars.json` and the JDK's `release`. Equal contents give equal bytes: the
file has no timestamp and no serial number.
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

BASE = re.compile(r"^FROM (\S+)/([\w.-]+):([\w.-]+)@(sha256:[0-9a-f]{64}) AS (\w+)$", re.MULTILINE)
JAVA_VERSION = re.compile(r'^JAVA_VERSION="([^"]+)"$', re.MULTILINE)


def bill(made_of: dict[str, Any], components: Iterator[dict[str, str]]) -> dict[str, Any]:
    """The document for an image with the properties `made_of`; sorts components by package URL, without duplicates."""
    listed = {component["purl"]: component for component in components}
    facts = [{"name": name, "value": str(value)} for name, value in sorted(made_of.items())]
    return {
        "bomFormat": "CycloneDX",
        "specVersion": "1.6",
        "version": 1,
        "metadata": {"component": {"type": "container", "bom-ref": "image", "name": "scoring", "properties": facts}},
        "components": [listed[purl] for purl in sorted(listed)],
    }


def bases(recipe: Path, stages: set[str]) -> Iterator[dict[str, str]]:
    """The base images of the given stages."""
    for place, name, tag, digest, stage in BASE.findall(recipe.read_text(encoding="utf-8")):
        if stage in stages:
            extra = f"?repository_url={place}/{name}&tag={tag}"
            yield _component("container", name, digest, f"oci/{name}@{quote(digest)}{extra}")


def debian_packages(listing: Path) -> Iterator[dict[str, str]]:
    """The installed Debian packages; each line has name, version, architecture and source package.

    Vulnerability databases list Debian packages by source package.
    """
    release = platform.freedesktop_os_release()
    distribution = f"{release['ID']}-{release['VERSION_ID']}"
    for name, version, architecture, source in map(str.split, listing.read_text(encoding="utf-8").splitlines()):
        extra = f"?arch={architecture}&distro={distribution}&upstream={quote(source)}"
        yield _component("library", name, version, f"deb/{release['ID']}/{quote(name)}@{_quoted(version)}{extra}")


def python_packages() -> Iterator[dict[str, str]]:
    """This Python and its installed packages."""
    version = platform.python_version()
    yield _component("platform", "python", version, f"generic/python@{version}")
    for package in distributions():
        name = re.sub(r"[-_.]+", "-", package.name).lower()
        yield _component("library", package.name, package.version, f"pypi/{name}@{_quoted(package.version)}")


def java_packages(jars: Path, release: Path) -> Iterator[dict[str, str]]:
    """The jars in the list `jars`, and the Java version in the JDK's file `release`."""
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


def main(folder: str, target: str) -> None:
    """Write the bill of materials of the image described in `folder` to the file `target`."""
    known = Path(folder)
    java = (known / "release").is_file()
    components = [*debian_packages(known / "debian.txt"), *python_packages()]
    components += bases(known / "Dockerfile", {"base", "java"} if java else {"base"})
    if java:
        components += java_packages(known / "jars.json", known / "release")
    made_of = json.loads((known / "image.json").read_text(encoding="utf-8"))
    Path(target).write_text(json.dumps(bill(made_of, iter(components)), indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main(*sys.argv[1:])
