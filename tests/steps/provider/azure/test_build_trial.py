"""The tiny build before anything is paid for: it pulls all bases, and names what would stop the image."""

import os
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from azure_clients.retries import Timeout
from steps.azure.build_trial import BuildTrial, BuildTrialFailedError
from steps.shared.base_images import base_images
from tests.simulation.examples.names import GROUP
from tests.simulation.fakes.internet import PLUGINS
from tests.steps.provider.azure.conftest import AZURE, SUBSCRIPTION, Cloud
from tests.steps.provider.conftest import Recorder
from tests.steps.provider.steps import create
from tools.paths import ROOT

HOST = "registryabc.azurecr.io"
INPUTS: dict[str, Any] = {
    **AZURE,
    "subscription": SUBSCRIPTION,
    "resource_group": GROUP,
    "registry_name": "registryabc",
    "login_server": HOST,
    "private": False,
    "bases": list(base_images()),
}


@pytest.fixture(autouse=True)
def _tasks(cloud: Cloud) -> Iterator[None]:
    yield
    cloud.world.set("tasks_allowed", value=True)
    cloud.world.set("images", {})


def step() -> BuildTrial:
    return BuildTrial(timeout=Timeout(seconds=20, pause=0.1))


def test_the_bases_are_those_of_the_image() -> None:
    named = re.findall(r"@(sha256:\w+)", (ROOT / "scoring" / "Dockerfile").read_text())
    assert len(named) == 2
    assert [base.rpartition("@")[2] for base in base_images()] == named


def test_it_builds_from_every_base_and_nothing_else(cloud: Cloud, recorder: Recorder) -> None:
    digest = create(step(), INPUTS, recorder).outputs.trial_digest
    (image,) = (cloud.world.folder / "images" / digest.removeprefix("sha256:")).iterdir()
    recipe = image.read_text().splitlines()
    assert [line.split()[1] for line in recipe if line.startswith("FROM")] == [*INPUTS["bases"], "scratch"]
    copied = [line.split()[1] for line in recipe if line.startswith("COPY")]
    assert copied == ["--from=base0", "--from=base1"], "a stage that nothing uses is not built, nor is its base pulled"


def test_a_base_that_does_not_exist_is_named(recorder: Recorder) -> None:
    wrong = INPUTS["bases"][0][:-1] + "0"
    sentence = (
        rf"manifest for {re.escape(wrong)} not found[\s\S]*Training and the serving cluster wait for it: set another "
        rf"digest for {re.escape(wrong)} in scoring/Dockerfile, then run `up` again\.$"
    )
    with pytest.raises(BuildTrialFailedError, match=sentence):
        create(step(), INPUTS | {"bases": [wrong, INPUTS["bases"][1]]}, recorder)


def test_a_base_that_buildkit_does_not_find_is_named_too(recorder: Recorder, tmp_path: Path) -> None:
    first, second = INPUTS["bases"]
    said = f"ERROR: failed to solve: {second}: failed to resolve source metadata for {second}: {second}: not found"
    docker = tmp_path / "docker"
    docker.write_text(f"#!/bin/sh\n[ $1 = login ] && exit\necho '{said}' >&2\nexit 1\n")
    docker.chmod(0o755)
    os.environ["PATH"] = f"{tmp_path}{os.pathsep}{os.environ['PATH']}"
    with pytest.raises(BuildTrialFailedError) as error:
        create(step(), INPUTS | {"private": True}, recorder)
    assert str(error.value).endswith(f"set another digest for {second} in scoring/Dockerfile, then run `up` again.")
    assert f"digest for {first}" not in str(error.value)


def test_a_build_that_fails_for_another_reason_names_no_digest(cloud: Cloud, recorder: Recorder) -> None:
    cloud.world.set("build_outcomes", ["fail"])
    with pytest.raises(BuildTrialFailedError, match=r"wait for it: fix the cause, then run `up` again\.$"):
        create(step(), INPUTS, recorder)


def test_a_subscription_that_may_not_use_acr_tasks_is_told_both_ways_out(
    cloud: Cloud, recorder: Recorder, tmp_path: Path
) -> None:
    cloud.world.set("tasks_allowed", value=False)
    os.environ["PATH"] = f"{tmp_path}{os.pathsep}{PLUGINS}"
    with pytest.raises(BuildTrialFailedError) as error:
        create(step(), INPUTS, recorder)
    said = str(error.value)
    assert "ACR Tasks refuses this subscription (ACR Tasks requests for the registry registryabc and" in said
    assert "install Docker with buildx on this machine, or ask Azure's support" in said
    assert not [line for line in recorder.lines if line.startswith("waiting to")]


def test_a_private_registry_needs_docker(recorder: Recorder, tmp_path: Path) -> None:
    os.environ["PATH"] = f"{tmp_path}{os.pathsep}{PLUGINS}"
    with pytest.raises(BuildTrialFailedError, match=r"can't access a private registry, and there is no `docker`"):
        create(step(), INPUTS | {"private": True}, recorder)
