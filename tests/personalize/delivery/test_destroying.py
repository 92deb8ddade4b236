"""Destroying by a workflow: needs two confirmations, saves the models first, and lists what is left."""

import pytest

from personalize.delivery import tasks
from personalize.delivery.command import CommandFailedError, Ended
from personalize.delivery.tasks import NotConfirmedError
from personalize.terminal.output import ExitCode
from tests.personalize.delivery.bench import Bench
from tests.personalize.delivery.github_server import GitHubServer

LEFT = [
    {"kind": "resource group", "name": "rg-dev-databricks", "why": "Databricks deletes it.", "billable": True},
    {"kind": "role assignment", "name": "1234", "why": "It is of the subscription.", "billable": False},
]


@pytest.mark.parametrize("typed", ["", "prod", "DEV", "dev "])
def test_a_wrong_name_destroys_nothing(hub: GitHubServer, typed: str) -> None:
    bench = Bench(hub)
    with pytest.raises(NotConfirmedError):
        bench.delivery.destroy(typed, delete_data=True)
    assert bench.told.calls == []


def test_the_right_name_destroys_and_saves_the_models_first(hub: GitHubServer) -> None:
    bench = Bench(hub, destroy=Ended(code=0, content={"changes": {"delete": 14}, "left": LEFT[1:]}))
    bench.delivery.destroy("dev", delete_data=True)
    assert bench.told.calls == [("destroy", "--stack", "dev", "--keep-data", "--yes", "--delete-data")]
    assert bench.said[0].startswith("Stack `dev` is deleted: 14 delete.\n\nNothing is left that costs money.\n")
    assert "| no | role assignment | `1234` | It is of the subscription. |" in bench.said[0]


def test_the_lake_goes_only_with_a_second_confirmation(hub: GitHubServer) -> None:
    bench = Bench(hub, destroy=Ended(code=ExitCode.BAD_INPUT))
    with pytest.raises(CommandFailedError, match="exit code 2"):
        bench.delivery.destroy("dev", delete_data=False)
    assert "--delete-data" not in bench.told.calls[0]
    assert bench.said == ["Stack `dev` was not deleted."]


def test_what_still_costs_money_is_listed_and_fails(hub: GitHubServer) -> None:
    bench = Bench(hub, destroy=Ended(code=1, content={"changes": {"delete": 14}, "left": LEFT}))
    with pytest.raises(CommandFailedError):
        bench.delivery.destroy("dev", delete_data=True)
    assert "**1 thing(s) left that cost money.**" in bench.said[0]
    assert "| yes | resource group | `rg-dev-databricks` | Databricks deletes it. |" in bench.said[0]


def test_a_renewed_suffix_is_shown_as_what_to_commit(hub: GitHubServer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tasks, "changed_settings", lambda stack: f"-suffix: a\n+suffix: b of {stack}\n")
    bench = Bench(hub, destroy=Ended(code=0, content={"changes": {"delete": 1}}))
    bench.delivery.destroy("dev", delete_data=True)
    assert "Commit this before the next deployment" in bench.said[1]
    assert "+suffix: b of dev" in bench.said[1]
