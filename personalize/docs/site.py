"""`python -m personalize.docs.site`: builds the documentation's site into `dist/site`, strictly.

Every page is a file in `docs/` or generated from the code. mkdocs reads them in `dist/docs`.
"""

import json
import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

from tools.paths import ROOT
from tools.setup.trust import trusting
from tools.setup.uv import ensure_uv

SOURCE = ROOT / "dist" / "docs"
CONFIGURATION = ROOT / "mkdocs.yml"


def pages() -> dict[str, str]:
    """The text of every generated page, by its path in the site."""
    return {
        "reference/options.md": options_page(),
        "reference/http.md": http_page(describe_a_service()) + metrics_table(),
    }


def options_page() -> str:
    """Every command with its options, from typer."""
    command = [sys.executable, "-m", "typer", "personalize.commands.app", "utils", "docs", "--name", "personalize"]
    text = subprocess.run(  # noqa: S603 - this very Python
        command, cwd=ROOT, check=True, capture_output=True, text=True
    ).stdout
    bold = re.sub("<span[^>]*>(.*?)</span>", r"**\1**", text)
    return bold.replace("&#x27;", "'").replace("&quot;", '"')


def describe_a_service() -> dict[str, Any]:
    """The OpenAPI document of a service with a small model."""
    from scoring.engines import EngineName  # noqa: PLC0415 - see above
    from scoring.http.openapi import describe_service  # noqa: PLC0415 - see above
    from scoring.model.model import ServedModel  # noqa: PLC0415 - see above
    from scoring.responses import ModelName  # noqa: PLC0415 - these load LightGBM, which no other page needs
    from tests.support.bundles import make_bundle  # noqa: PLC0415 - see above

    with tempfile.TemporaryDirectory() as folder:
        bundle = make_bundle(Path(folder) / "bundle", rows=300, trees=2)
        name = ModelName(name="ctr", version="1")
        model = ServedModel.load(bundle, name=name, engine=EngineName.LIGHTGBM, max_records=1000)
        return dict(describe_service(model))


def http_page(document: dict[str, Any]) -> str:
    """The service's routes: purpose, request and statuses."""
    lines = [
        "# HTTP API",
        "",
        "A running service describes itself at `/openapi.json`, with the fields of its own model. Routes that need a",
        "key take it as `Authorization: Bearer KEY`. Every answer carries `x-request-id`,",
        "which the service's log names too.",
    ]
    for path, operations in document["paths"].items():
        for method, operation in operations.items():
            key = " Needs the key." if operation.get("security") else ""
            lines += ["", f"## {method.upper()} {path}", "", f"{operation['summary'].rstrip('.')}.{key}", ""]
            lines += _example(operation)
            lines += ["| status | meaning |", "|---|---|"]
            for status, answer in operation["responses"].items():
                lines.append(f"| {status} | {' '.join(answer['description'].split())} |")
    return "\n".join(lines) + "\n"


def _example(operation: dict[str, Any]) -> list[str]:
    content = operation.get("requestBody", {}).get("content", {}).get("application/json", {})
    lines: list[str] = []
    for name, example in content.get("examples", {}).items():
        text = json.dumps(example["value"], indent=2)
        lines += [f"Takes, for example ({name}):", "", "```json", text, "```", ""]
    return lines


def metrics_table() -> str:
    """The metrics at `/metrics`."""
    from prometheus_client.metrics import MetricWrapperBase  # noqa: PLC0415 - see `describe_a_service`

    from scoring.worker.metrics import Metrics, shared_folder  # noqa: PLC0415 - see `describe_a_service`

    rows = ["| metric | kind | what it counts |", "|---|---|---|"]
    with shared_folder():
        for metric in vars(Metrics()).values():
            if isinstance(metric, MetricWrapperBase):
                for family in metric.describe():
                    name = f"{family.name}_total" if family.type == "counter" else family.name
                    rows.append(f"| `{name}` | {family.type} | {family.documentation} |")
    return "\n## Metrics\n\n" + "\n".join(rows) + "\n"


def write_source(folder: Path) -> None:
    """Write the site's source into `folder`, which is emptied first."""
    shutil.rmtree(folder, ignore_errors=True)
    shutil.copytree(ROOT / "docs", folder)
    for path, text in pages().items():
        file = folder / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text, encoding="utf-8")


def main() -> int:
    """Build the site. Returns mkdocs' exit code, which is 1 for a warning too."""
    write_source(SOURCE)
    run = [str(ensure_uv()), "run", "--project", str(ROOT), "--frozen", "--isolated", "--only-group", "docs"]
    mkdocs = ["mkdocs", "build", "--strict", "--config-file", str(CONFIGURATION)]
    # Silences mkdocs-material's announcement of its end of life in 2027, which is not about our pages.
    quiet = trusting() | {"NO_MKDOCS_2_WARNING": "1"}
    return subprocess.run(  # noqa: S603 - the uv that the set-up chose
        [*run, *mkdocs], cwd=ROOT, env=quiet, check=False
    ).returncode


if __name__ == "__main__":
    sys.exit(main())
