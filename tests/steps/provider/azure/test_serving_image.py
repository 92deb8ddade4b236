"""The step that builds the image: only allow-listed files, reproducible, and failures show their reason."""

import json
import os
import re
import shutil
import tarfile
from collections.abc import Callable, Iterator
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from features.bundle import checked_hash
from steps.image_build import BuildFailedError
from steps.image_content import PROJECT_FILES, RECIPE, base_images, build_context, serving_code_hash
from steps.serving_image import ServingImageOnAzure
from tests.simulation.faults import FaultKind
from tests.simulation.simulation import PLUGINS
from tests.steps.provider.azure.conftest import AZURE, BLOB, SUBSCRIPTION, Cloud, upload
from tests.steps.provider.azure.examples import GROUP
from tests.steps.provider.steps import STACK, Take
from tests.support.bundles import DAMAGES, MakeBundle
from tools.paths import ROOT

HOST = "registryabc.azurecr.io"


@pytest.fixture(autouse=True)
def _outcomes(cloud: Cloud) -> Iterator[None]:
    yield
    cloud.world.set("images", {})  # a registry that has an image would not build it again
    cloud.world.set("build_outcomes", [])
    cloud.world.set("tasks_allowed", value=True)


def inputs(tmp_path: Path, bundle: Path, code: Path) -> dict[str, Any]:
    """Inputs for the image of a bundle that is on this machine already."""
    kept = tmp_path / STACK / "registry" / "bundles" / checked_hash(bundle)
    shutil.copytree(bundle, kept, dirs_exist_ok=True)
    return {
        **AZURE,
        "registry": "ctr",
        "version": 3,
        "bundle_hash": checked_hash(bundle),
        "bundle_url": "abfss://models@lakeabc.dfs.core.windows.net/files/image/bundle",
        "blob_endpoint": BLOB,
        "target": "lightgbm",
        "private": False,
        "code_hash": serving_code_hash(code),
        "libraries": {"lightgbm": "1"},
        "subscription": SUBSCRIPTION,
        "resource_group": GROUP,
        "registry_name": "registryabc",
        "login_server": HOST,
    }


@pytest.fixture
def wanted(tmp_path: Path, bundle_of: MakeBundle, code: Path) -> dict[str, Any]:
    return inputs(tmp_path, bundle_of(1), code)


def test_the_image_holds_code_and_model_and_nothing_else(
    cloud: Cloud, take: Take, bundle_of: MakeBundle, code: Path, wanted: dict[str, Any]
) -> None:
    cloud.arm.faults.order("^http management POST .*/scheduleRun", kind=FaultKind.UNAVAILABLE)
    cloud.arm.faults.order("^http management GET .*/runs/", kind=FaultKind.THROTTLED)
    cloud.arm.faults.order("^http management POST .*/listBuildSource", kind=FaultKind.EXPIRED)
    (code / "secret.txt").write_text("not for the image")
    created = take(ServingImageOnAzure, wanted)
    assert created.outputs.image == f"{HOST}/scoring@{created.outputs.digest}"
    image = cloud.world.folder / "images" / created.outputs.digest.removeprefix("sha256:")
    files = {Path(name).name for name in PROJECT_FILES}
    assert {entry.name for entry in image.iterdir()} == {"Dockerfile", "app", "model", "image.json", *files}
    assert checked_hash(image / "model") == checked_hash(bundle_of(1))
    assert json.loads((image / "image.json").read_text())["model_version"] == 3
    assert take(ServingImageOnAzure, wanted).created == created.created
    assert created.read() is not None


def test_an_image_that_the_registry_has_is_not_built_again(
    cloud: Cloud, tmp_path: Path, take: Take, bundle_of: MakeBundle, code: Path
) -> None:
    wanted = inputs(tmp_path, bundle_of(3), code)
    first = take(ServingImageOnAzure, wanted)
    before = builds(cloud)
    assert take(ServingImageOnAzure, wanted).outputs == first.outputs
    assert builds(cloud) == before
    (code / "scoring" / "note.txt").write_text("another image")
    changed = inputs(tmp_path, bundle_of(3), code)
    assert take(ServingImageOnAzure, changed).outputs.digest != first.outputs.digest
    assert builds(cloud) == before + 1


def test_an_image_with_old_fixes_is_built_again_and_used_where_that_fails(
    cloud: Cloud, take: Take, wanted: dict[str, Any]
) -> None:
    first = take(ServingImageOnAzure, wanted).created
    before = builds(cloud)
    grow_older(cloud, days=6)
    assert take(ServingImageOnAzure, wanted).created == first
    assert builds(cloud) == before
    grow_older(cloud, days=2)
    cloud.world.set("build_outcomes", ["fail"])
    assert take(ServingImageOnAzure, wanted).created == first
    assert any(line.startswith("using the image of 8 days ago") for line in take.recorder.lines)
    take(ServingImageOnAzure, wanted)
    assert builds(cloud) == before + 2
    take(ServingImageOnAzure, wanted)
    assert builds(cloud) == before + 2


def grow_older(cloud: Cloud, days: int) -> None:
    """Set the push time of every image back by `days`."""
    images = cloud.world.setting("images")
    for image in images.values():
        image["pushed"] = (datetime.fromisoformat(image["pushed"]) - timedelta(days=days)).isoformat()
    cloud.world.set("images", images)


def builds(cloud: Cloud) -> int:
    return sum(call.id.endswith("/scheduleRun") for call in cloud.arm.faults.calls())


def test_equal_content_gives_equal_bytes_and_code_and_model_each_change_the_tag(
    tmp_path: Path, bundle_of: MakeBundle, code: Path
) -> None:
    archives: list[bytes] = []
    tags: list[str] = []
    for edit, seed in (("", 1), ("", 1), ("", 2), ('"""Edited."""\n', 1)):
        if edit:
            (code / "scoring" / "__init__.py").write_text(edit)
        parsed = ServingImageOnAzure().parse(inputs(tmp_path, bundle_of(seed), code))
        with build_context(code, bundle_of(seed), parsed, target=parsed.target) as context:
            archive = tmp_path / f"{len(tags)}.tar.gz"
            context.pack(archive)
            archives.append(archive.read_bytes())
            tags.append(context.tag)
    assert archives[0] == archives[1]
    assert len(set(tags)) == 3
    with tarfile.open(tmp_path / "0.tar.gz") as tar:
        assert {entry.mtime for entry in tar.getmembers()} == {0}


def test_a_build_that_fails_shows_the_end_of_its_log(cloud: Cloud, take: Take, wanted: dict[str, Any]) -> None:
    cloud.world.set("build_outcomes", ["fail"])
    sentences = r"ended as Failed[\s\S]*the test ordered it[\s\S]*or changed: fix the cause, then run `up` again\.$"
    with pytest.raises(BuildFailedError, match=sentences):
        take(ServingImageOnAzure, wanted)


def test_a_base_that_is_gone_is_named(tmp_path: Path, take: Take, bundle_of: MakeBundle, code: Path) -> None:
    first, second = base_images()
    gone = f"{first[:-1]}0"
    (code / RECIPE).write_text((ROOT / RECIPE).read_text().replace(first, gone))
    with pytest.raises(BuildFailedError, match=rf"manifest for {re.escape(gone)} not found") as raised:
        take(ServingImageOnAzure, inputs(tmp_path, bundle_of(1), code))
    assert str(raised.value).endswith(
        f"changed: set another digest for {gone} in scoring/Dockerfile, then run `up` again."
    )
    assert f"digest for {second}" not in str(raised.value)


@pytest.fixture
def docker(cloud: Cloud, tmp_path: Path) -> Path:
    """The path for a fake Docker, first on a nearly empty PATH, in a subscription without ACR Tasks."""
    cloud.world.set("tasks_allowed", value=False)
    place = tmp_path / "bin"
    place.mkdir()
    (place / "cat").symlink_to("/bin/cat")
    os.environ["PATH"] = f"{place}{os.pathsep}{PLUGINS}"
    return place / "docker"


DOCKER = """#!/bin/sh
case "$1" in
login) cat > "$0.token" ;;
buildx)
    echo "$@" > "$0.arguments"
    echo "step 1 of 9" >&2
    while [ "$1" != --metadata-file ]; do shift; done
    echo '{"containerimage.digest": "sha256:%s"}' > "$2"
    exit %d ;;
esac
"""


def test_docker_builds_where_the_registry_may_not(docker: Path, take: Take, wanted: dict[str, Any]) -> None:
    docker.write_text(DOCKER % ("d" * 64, 0))
    docker.chmod(0o755)
    created = take(ServingImageOnAzure, wanted)
    assert created.outputs.digest == "sha256:" + "d" * 64
    assert f"--target lightgbm --tag {HOST}/scoring:lightgbm-" in docker.with_name("docker.arguments").read_text()
    assert docker.with_name("docker.token").read_text().count(".") == 2
    assert "docker: step 1 of 9" in take.recorder.lines
    assert not [line for line in take.recorder.lines if line.startswith("waiting to")]


@pytest.mark.usefixtures("docker")
def test_without_docker_too_it_says_what_to_do(take: Take, wanted: dict[str, Any]) -> None:
    refused = r"ACR Tasks refuses this subscription \(ACR Tasks requests for .*install Docker with .*, or ask Azure's"
    for private, sentence in (False, refused), (True, r"a private registry, and there is no `docker` on PATH: install"):
        with pytest.raises(BuildFailedError, match=sentence):
            take(ServingImageOnAzure, wanted | {"private": private})


@pytest.mark.usefixtures("cloud")
@pytest.mark.parametrize("damage", DAMAGES)
def test_a_bundle_that_is_not_on_this_machine_or_is_damaged_is_brought(
    tmp_path: Path, take: Take, bundle_of: MakeBundle, wanted: dict[str, Any], damage: Callable[[Path], None]
) -> None:
    upload(bundle_of(1), "models", "files/image/bundle")
    damage(tmp_path / STACK / "registry" / "bundles" / wanted["bundle_hash"])
    assert take(ServingImageOnAzure, wanted).outputs.digest.startswith("sha256:")
