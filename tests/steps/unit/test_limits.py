"""Service limits set by a stack reach the service's command line."""

from dataclasses import fields

import pytest
from pydantic import ValidationError

from scoring.limits import Limits, bounds_of, option
from scoring.settings import parse
from steps.serving_settings import ScoringSettings, limit_options

SERVICE = ["--bundle", "bundle", "--keys-file", "keys"]
NAMES = [limit.name for limit in fields(Limits)]
BOUNDS = {limit.name: bounds_of(limit) for limit in fields(Limits)}


def test_a_stack_that_sets_none_passes_only_what_every_image_knows() -> None:
    assert limit_options(ScoringSettings()) == {"--max-records": "1000"}
    assert NAMES[1:] == [name for name in NAMES if name not in ScoringSettings().model_dump(mode="json")]


def test_a_title_that_a_stack_sets_is_the_services() -> None:
    settings = ScoringSettings(title="Tea shop")
    assert ScoringSettings.model_validate(settings.model_dump(mode="json")) == settings
    arguments = [part for one in limit_options(settings).items() for part in one]
    assert parse([*SERVICE, *arguments]).title == "Tea shop"
    assert "title" not in ScoringSettings().model_dump(mode="json")
    for wrong in ("", "-x", "a\nb", "x" * 61):
        with pytest.raises(ValidationError):
            ScoringSettings(title=wrong)


@pytest.mark.parametrize("name", NAMES)
def test_a_limit_that_a_stack_sets_is_the_services(name: str) -> None:
    settings = ScoringSettings.model_validate({name: BOUNDS[name].most})
    assert ScoringSettings.model_validate(settings.model_dump(mode="json")) == settings
    arguments = [part for limit in limit_options(settings).items() for part in limit]
    assert getattr(parse([*SERVICE, *arguments]), name) == BOUNDS[name].most


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("beyond", ["least", "most"])
def test_stack_and_service_refuse_the_same_values(name: str, beyond: str, capsys: pytest.CaptureFixture[str]) -> None:
    value = BOUNDS[name].least - 1 if beyond == "least" else BOUNDS[name].most + 1
    with pytest.raises(ValidationError):
        ScoringSettings.model_validate({name: value})
    with pytest.raises(SystemExit):
        parse([*SERVICE, f"{option(name)}={value}"])
    assert f"is not between {BOUNDS[name].least} and {BOUNDS[name].most}" in capsys.readouterr().err
