"""Downloads the pinned jars of SynapseML, for a development machine and for the image.

The Dockerfile runs it as a script, `fetch_jars.py REPOSITORY LIST FOLDER`, so it uses only the standard library.
"""

import hashlib
import json
import ssl
import sys
import urllib.request
from pathlib import Path

SECONDS = 120.0


class JarFetchError(Exception):
    """A jar cannot be downloaded, or is not the pinned one."""


def fetch(repository: str, jars: list[dict[str, str]], folder: Path, trust: ssl.SSLContext | None = None) -> None:
    """Download the jars (group, artifact, version, sha256) that `folder` lacks from the Maven repository's URL.

    `trust` verifies the server's certificate; the default is the authorities that Python finds. A jar is verified,
    written under another name and renamed, so `folder` contains only complete, pinned jars. Raises `JarFetchError`.
    """
    folder.mkdir(parents=True, exist_ok=True)
    for jar in jars:
        name = f"{jar['artifact']}-{jar['version']}.jar"
        wanted = folder / name
        if wanted.is_file() and hashlib.sha256(wanted.read_bytes()).hexdigest() == jar["sha256"]:
            continue
        url = f"{repository}/{jar['group'].replace('.', '/')}/{jar['artifact']}/{jar['version']}/{name}"
        try:
            with urllib.request.urlopen(url, timeout=SECONDS, context=trust) as answer:  # noqa: S310 - the caller's own
                content = answer.read()
        except OSError as error:
            raise JarFetchError(f"{url} cannot be fetched ({error}).") from error
        if hashlib.sha256(content).hexdigest() != jar["sha256"]:
            raise JarFetchError(f"{url} is not the pinned file: its SHA-256 differs.")
        aside = wanted.with_name(f".{name}.aside")
        aside.write_bytes(content)
        aside.replace(wanted)


if __name__ == "__main__":
    try:
        fetch(sys.argv[1], json.loads(Path(sys.argv[2]).read_text(encoding="utf-8")), Path(sys.argv[3]))
    except JarFetchError as problem:
        sys.exit(f"error: {problem}")
