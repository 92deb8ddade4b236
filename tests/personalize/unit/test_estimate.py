"""`personalize estimate`: its comparisons, its output, and what it refuses."""

import json
from pathlib import Path
from typing import Any

import pytest
import yaml
from typer.testing import CliRunner

from features.errors import BadInputError
from personalize.commands.app import app
from tools.paths import ROOT


def run(*arguments: str) -> Any:
    result = CliRunner().invoke(app, ["estimate", *arguments, "--json"], catch_exceptions=False)
    return json.loads(result.stdout)


@pytest.mark.parametrize("stack", ["dev", "prod"])
def test_the_committed_stacks_are_shown_beside_the_reference(stack: str) -> None:
    found = run("--stack", stack)
    assert (found["name"], found["beside"]["name"]) == (stack, "reference")
    for bill in (found, found["beside"]):
        parts = sum(bill[f"{part}_usd_per_month"] for part in ("always_on", "training"))
        assert bill["total_usd_per_month"] == pytest.approx(parts)
        assert bill["total_usd_per_month"] == pytest.approx(sum(line["usd_per_month"] for line in bill["lines"]))


def test_without_options_the_stack_at_hand_is_priced(monkeypatch: pytest.MonkeyPatch) -> None:
    assert run()["name"] == "dev"
    monkeypatch.setenv("PERSONALIZE_STACK", "prod")
    assert run()["name"] == "prod"


def test_a_stack_can_be_compared_with_a_file_of_other_settings(tmp_path: Path) -> None:
    file = tmp_path / "before.yaml"
    content = yaml.safe_load((ROOT / "Pulumi.dev.yaml").read_text())
    content["config"]["personalization:azure"]["kubernetes_tier"] = "Standard"
    file.write_text(yaml.safe_dump(content))
    found = run("--stack", "dev", "--compare", str(file))
    # 730 h at 0.10 for the uptime SLA of the API server, and no other difference
    assert found["beside"]["total_usd_per_month"] - found["total_usd_per_month"] == pytest.approx(73.00)
    assert {line["name"] for line in found["beside"]["lines"]} - {line["name"] for line in found["lines"]} == {
        "AKS tier Standard"
    }


def test_a_load_gives_a_stack_its_pods_and_nodes_whatever_its_file_says() -> None:
    found = run("--stack", "prod", "--qps", "70000")
    # Half a core scores 5,000 requests a second, 3,500 at 70 %: 20 pods. A node of four cores has room for six, and a
    # rollout adds one pod.
    assert found["assumptions"][0].startswith(
        "70,000 requests a second need replicas_min 20, replicas_max 40, scoring_nodes_min 4, scoring_nodes_max 7, "
        "at 10,000 a second and core"
    )
    nodes = {line["name"]: line["quantity"] for line in found["lines"]}
    assert nodes["scoring nodes"] == 4 * 730
    assert run("--stack", "dev", "--qps", "10")["lines"][1]["name"] == "scoring nodes"
    faster = run("--stack", "prod", "--qps", "70000", "--qps-per-core", "20000")
    assert "replicas_min 10, replicas_max 20" in faster["assumptions"][0]


def test_a_stack_on_this_machine_costs_nothing() -> None:
    with pytest.raises(BadInputError, match="Stack local is on this machine and costs nothing"):
        run("--stack", "local")


def test_the_page_of_prices_shows_what_the_command_prints() -> None:
    result = CliRunner().invoke(app, ["estimate"], catch_exceptions=False)
    lines = [line.rstrip() for line in result.stdout.rstrip().splitlines()]
    assert "\n".join(lines) in (ROOT / "docs" / "reference" / "prices.md").read_text(encoding="utf-8")
