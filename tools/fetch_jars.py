"""Fetches jars by their coordinates: `fetch_jars.py FOLDER GROUP:ARTIFACT:VERSION...`, run with the `tool-jars` group.

The fetcher looks into Maven's local repository first and compares each download with the repository's checksum.
"""

import shutil
import sys

import requests
import truststore
from jgo.maven import MavenContext


def main(folder: str, coordinates: "list[str]") -> int:
    """Put each jar into `folder`, name it on standard output and return the exit status."""
    # A company's own certificate authority is in the machine's trust store and not in the one that requests brings.
    truststore.inject_into_ssl()
    context = MavenContext()
    for coordinate in coordinates:
        group, artifact, version = coordinate.split(":")
        try:
            path = context.project(group, artifact).at_version(version).artifact().resolve()
        except (requests.RequestException, RuntimeError, OSError) as error:
            sys.stderr.write(f"{coordinate}: {error}\n")
            return 1
        shutil.copy(path, folder)
        sys.stdout.write(f"{path.name}\n")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1], sys.argv[2:]))
