"""Fetches jars by their coordinates: `fetch_jars.py FOLDER GROUP:ARTIFACT:VERSION...`, run with the `tool-jars` group.

The fetcher looks into Maven's local repository first and compares each download with the repository's checksum.
"""

import shutil
import sys

from jgo.maven import MavenContext


def main(folder: str, coordinates: "list[str]") -> None:
    """Put each jar into `folder` and name it on standard output."""
    context = MavenContext()
    for coordinate in coordinates:
        group, artifact, version = coordinate.split(":")
        path = context.project(group, artifact).at_version(version).artifact().resolve()
        shutil.copy(path, folder)
        sys.stdout.write(f"{path.name}\n")


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2:])
