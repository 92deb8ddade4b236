"""Docker as far as the product uses it: `login`, and a `buildx build` that pushes what ACR Tasks would have built."""

import io
import itertools
import json
import sys
import tarfile
from pathlib import Path

from tests.simulation.fakes.registry import TaskRun, problem, push
from tests.simulation.world import world_from_environment


def main(arguments: list[str]) -> int:
    """Build and push; the digest goes where `--metadata-file` says."""
    if arguments[0] == "login":
        return 0
    options = dict(itertools.pairwise(arguments))
    registry, _, image = options["--tag"].partition("/")
    content = io.BytesIO()
    with tarfile.open(fileobj=content, mode="w:gz") as archive:
        archive.add(arguments[-1], ".")
    with tarfile.open(fileobj=io.BytesIO(content.getvalue())) as archive:
        if reason := problem(archive, "Dockerfile"):
            sys.stderr.write(f"ERROR: failed to solve: {reason}\n")
            return 1
    run = TaskRun("docker", registry.partition(".")[0], [image], "Running")
    push(world_from_environment(), run, content.getvalue())
    Path(options["--metadata-file"]).write_text(json.dumps({"containerimage.digest": run.digest}))
    sys.stdout.write(f"pushed {options['--tag']}\n")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
