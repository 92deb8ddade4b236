"""`fetch_jars.py REPOSITORY LIST FOLDER`: the pinned jars for the image; it runs where it is built, by itself."""

import hashlib
import json
import sys
import urllib.request
from pathlib import Path

SECONDS = 120.0


def main(repository: str, pinned: Path, folder: Path) -> int:
    """Fetch each jar of the list `pinned` into the new `folder`; returns 1 when one is not what the list says."""
    folder.mkdir(parents=True)
    for jar in json.loads(pinned.read_text(encoding="utf-8")):
        group, name = jar["group"].replace(".", "/"), f"{jar['artifact']}-{jar['version']}.jar"
        url = f"{repository}/{group}/{jar['artifact']}/{jar['version']}/{name}"
        with urllib.request.urlopen(url, timeout=SECONDS) as answer:  # noqa: S310 - the recipe names the repository
            content = answer.read()
        if hashlib.sha256(content).hexdigest() != jar["sha256"]:
            sys.stderr.write(f"{url} is not the pinned file: its SHA-256 differs from the one in {pinned}.\n")
            return 1
        (folder / name).write_bytes(content)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1], Path(sys.argv[2]), Path(sys.argv[3])))
