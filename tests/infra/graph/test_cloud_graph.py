"""The whole graph on Azure under mocks: it has the local stack's components, and values flow between its steps."""

from typing import Any

import pytest

pytest.importorskip("pulumi_azure_native", reason="needs `uv sync --inexact --extra azure`")

from infra.graph import deploy
from infra.settings import Settings, Target
from steps.kinds import Kind
from tests.infra.graph import recorder as local
from tests.infra.graph.cloud_recorder import CONNECTION, DEPLOYERS, SUBSCRIPTION, TENANT, CloudRecorder, run_cloud
from tests.infra.graph.recorder import SECRET_MARK
from training.parameters import Fit, TrainingParameters
from training.runtime import pinned_jars

AZURE = {
    "subscription": SUBSCRIPTION,
    "tenant": TENANT,
    "deployers": [{"object_id": DEPLOYERS[0], "type": "User", "databricks_name": "somebody@example.com"}],
    "alert_mail": "operators@example.com",
    "authorized_ip_ranges": "anywhere",
    "allowed_sources": "anywhere",
}
HOST = ".westeurope.cloudapp.azure.com"


def settings(training: TrainingParameters | None = None, **azure: object) -> Settings:
    """Settings of a small stack on Azure."""
    values = {"target": "azure", "azure": AZURE | azure}
    return Settings.model_validate(values | ({"training": training} if training else {}))


def declared(wanted: Settings) -> tuple[CloudRecorder, dict[str, Any]]:
    """Declare the graph; return the recorder and the outputs."""
    return run_cloud(lambda: deploy(wanted, "test"))


@pytest.fixture(scope="module")
def small() -> tuple[CloudRecorder, dict[str, Any]]:
    """The graph with default settings."""
    return declared(settings())


def step(recorder: CloudRecorder, kind: Kind) -> dict[str, Any]:
    """The inputs of the only step of this kind."""
    (inputs,) = recorder.of(f"personalize:azure:{kind}")
    return inputs


def test_the_components_of_the_graph_are_those_of_the_local_stack(small: tuple[CloudRecorder, dict[str, Any]]) -> None:
    on_a_laptop, _ = local.run(lambda: deploy(Settings(target=Target.LOCAL), "test"))
    assert on_a_laptop.components.items() <= small[0].components.items()


@pytest.mark.parametrize(
    ("kind", "given", "source"),
    [
        (Kind.TRAINING_RUN, "location", "data.location"),
        (Kind.TRAINING_RUN, "databricks_url", "https://adb-1.azuredatabricks.net"),
        (Kind.MODEL_VERSION, "bundle_url", "training.bundle_url"),
        (Kind.MODEL_VERSION, "run_url", "training.run_url"),
        (Kind.SERVING_IMAGE, "bundle_url", "model.served_url"),
        (Kind.ENVIRONMENT, "image", "image.image"),
        (Kind.CHAMPION, "image", "image.image"),
        (Kind.CHAMPION, "version", 3),
    ],
)
def test_each_edge_is_an_output_of_the_step_before(
    small: tuple[CloudRecorder, dict[str, Any]], kind: Kind, given: str, source: object
) -> None:
    assert step(small[0], kind)[given] == source


def test_the_pods_run_the_image_that_was_built(small: tuple[CloudRecorder, dict[str, Any]]) -> None:
    (deployment,) = small[0].of("kubernetes:apps/v1:Deployment")
    assert deployment["spec"]["template"]["spec"]["containers"][0]["image"] == "image.image"


def test_a_canary_stands_between_the_image_and_the_pods(small: tuple[CloudRecorder, dict[str, Any]]) -> None:
    assert small[0].of(f"personalize:azure:{Kind.ROLLOUT}") == []
    recorder, _ = declared(settings(rollout="canary", candidate_percent=10, candidate_seconds=60))
    rollout = step(recorder, Kind.ROLLOUT)
    assert {name: rollout[name] for name in ("image", "kind", "percent", "seconds")} == {
        "image": "image.image",
        "kind": "canary",
        "percent": 10,
        "seconds": 60,
    }
    (deployment,) = recorder.of("kubernetes:apps/v1:Deployment")
    assert deployment["spec"]["template"]["spec"]["containers"][0]["image"] == "service-rollout.stable"
    champion = step(recorder, Kind.CHAMPION)
    assert (champion["image"], champion["withdrawn"]) == ("service-rollout.stable", "service-rollout.refusal")
    assert champion["refusal"] == "model.refusal"


def test_a_version_that_is_asked_for_by_its_number_is_not_tried() -> None:
    wanted = settings(rollout="canary").model_copy(update={"model_version": 2})
    assert step(declared(wanted)[0], Kind.ROLLOUT)["kind"] == "rolling"


def test_keys_and_private_key_reach_the_vault_as_secrets(small: tuple[CloudRecorder, dict[str, Any]]) -> None:
    written = {
        name: small[0].inputs("azure-native:keyvault:Secret", name)["properties"]
        for name in ("scoring-keys", "scoring-private-key")
    }
    assert all(SECRET_MARK in properties for properties in written.values())
    keys = written["scoring-keys"]["value"]["value"]
    assert keys == "service-key.current\nservice-key.previous\n"


def test_traces_need_an_image_for_them_and_a_secret_in_the_vault(small: tuple[CloudRecorder, dict[str, Any]]) -> None:
    assert step(small[0], Kind.SERVING_IMAGE)["target"] == "lightgbm"
    recorder, outputs = declared(settings(traces=True))
    assert step(recorder, Kind.SERVING_IMAGE)["target"] == "lightgbm-traces"
    properties = recorder.inputs("azure-native:keyvault:Secret", "scoring-traces")["properties"]
    assert SECRET_MARK in properties
    assert properties["value"]["value"] == CONNECTION
    assert CONNECTION not in str(outputs)


def test_the_certificate_is_for_the_host_of_the_endpoint(small: tuple[CloudRecorder, dict[str, Any]]) -> None:
    recorder, outputs = small
    host = step(recorder, Kind.CERTIFICATE)["host"]
    (service,) = recorder.of("kubernetes:core/v1:Service")
    label = service["metadata"]["annotations"]["service.beta.kubernetes.io/azure-dns-label-name"]
    assert host == label + HOST
    assert outputs["endpoint"] == f"https://{host}"


def test_the_outputs_are_those_of_every_stack_and_azure_s_own(small: tuple[CloudRecorder, dict[str, Any]]) -> None:
    every = {"endpoint", "key", "model_version", "metrics", "report", "image_digest", "bundle_hash"}
    own = {"authority", "databricks", "machine_learning", "run", "usd_per_month"}
    assert set(small[1]) == every | own


TOUCHED: list[tuple[dict[str, Any], set[str]]] = [
    ({"scoring_vm_size": "Standard_D4ds_v5"}, {"scoring-pool"}),
    ({"scoring_nodes_max": 5}, {"scoring-pool"}),
    ({"replicas_max": 8}, {"autoscaler"}),
    ({"training_vm_size": "Standard_E8ds_v5"}, {"training-policy", "training-job", "canary-job", "canary"}),
    ({"log_cap_gb": 2.0}, {"logs"}),
    ({"kubernetes_tier": "Standard"}, {"cluster"}),
]
TOGETHER = (
    {name: value for changes, _ in TOUCHED for name, value in changes.items()},
    {name for _, touched in TOUCHED for name in touched},
)


@pytest.mark.parametrize(
    ("changes", "touched"), [TOGETHER, *(pytest.param(*one, marks=pytest.mark.full) for one in TOUCHED)]
)
def test_a_setting_touches_exactly_its_resources(
    small: tuple[CloudRecorder, dict[str, Any]], changes: dict[str, Any], touched: set[str]
) -> None:
    before = {(item.typ, item.name): item.inputs for item in small[0].resources}
    after = {(item.typ, item.name): item.inputs for item in declared(settings(**changes))[0].resources}
    assert before.keys() == after.keys()
    assert {key[1] for key, inputs in after.items() if before[key] != inputs} == touched


def test_the_pods_run_on_the_pool_that_the_settings_make(small: tuple[CloudRecorder, dict[str, Any]]) -> None:
    def selector(recorder: CloudRecorder) -> dict[str, Any]:
        (deployment,) = recorder.of("kubernetes:apps/v1:Deployment")
        return dict(deployment["spec"]["template"]["spec"]["nodeSelector"])

    assert selector(small[0]) == {"personalization/pool": "scoring"}
    assert selector(declared(settings(scoring_nodes_max=0))[0]) == {"kubernetes.azure.com/mode": "system"}


@pytest.mark.parametrize("workers", [0, pytest.param(3, marks=pytest.mark.full)])
def test_every_cluster_reads_and_writes_folders_of_the_lake_by_volumes(workers: int) -> None:
    found = declared(settings(training_workers=workers))[0]
    (catalog,) = found.of("databricks:index/catalog:Catalog")
    volumes = {volume["name"]: volume for volume in found.of("databricks:index/volume:Volume")}
    places = {name: volume["storageLocation"].rpartition("@")[::2] for name, volume in volumes.items()}
    assert {name: (start, end.partition("/")[2]) for name, (start, end) in places.items()} == {
        "raw": ("abfss://raw", "files"),
        "models": ("abfss://models", "files"),
        "work": ("abfss://work", "files"),
        "snapshots": ("abfss://snapshots", "files"),
        "libraries": ("abfss://work", "libraries"),
    }
    assert {volume["volumeType"] for volume in volumes.values()} == {"EXTERNAL"}
    assert catalog["storageRoot"].endswith("/catalog")
    runs = {item.name: item.inputs["volumes"] for item in found.resources if "job_id" in item.inputs}
    assert runs == dict.fromkeys(("canary", "training"), f"/Volumes/{catalog['name']}/training")


def test_runs_may_write_to_every_volume_but_the_one_with_their_libraries(
    small: tuple[CloudRecorder, dict[str, Any]],
) -> None:
    grants = small[0].of("databricks:index/grant:Grant")
    assert {grant["principal"] for grant in grants} == {"somebody@example.com"}
    (on_all,) = [set(grant["privileges"]) for grant in grants if "catalog" in grant]
    assert on_all - {"CREATE_SCHEMA", "CREATE_VOLUME", "MANAGE"} == {"USE_CATALOG", "USE_SCHEMA", "READ_VOLUME"}
    on_one = {grant["volume"]: grant["privileges"] for grant in grants if "volume" in grant}
    assert on_one == {f"volume-{name}-id": ["WRITE_VOLUME"] for name in ("raw", "models", "work", "snapshots")}
    assert not [grant for grant in grants if {"READ_FILES", "WRITE_FILES", "ALL_PRIVILEGES"} & set(grant["privileges"])]


def test_jobs_install_everything_from_the_lake(small: tuple[CloudRecorder, dict[str, Any]]) -> None:
    (wanted,) = small[0].of(f"personalize:azure:{Kind.LIBRARIES}")
    own = f"{wanted['volumes']}/libraries/{wanted['wheel']}-{wanted['packages']}"
    for job in small[0].of("databricks:index/job:Job"):
        (task,) = job["tasks"]
        assert task["libraries"] == [{"requirements": f"{own}/requirements.txt"}]
    by_synapseml = declared(settings(TrainingParameters(fit=Fit.SYNAPSEML)))[0]
    (task,) = by_synapseml.of("databricks:index/job:Job")[0]["tasks"]
    jars = [library["jar"] for library in task["libraries"] if "jar" in library]
    assert len(jars) == len(task["libraries"]) - 1 == len(pinned_jars())
    assert step(by_synapseml, Kind.CANARY_RUN)["fit"] == "synapseml"


def test_a_hyperparameter_touches_the_training_run_alone(small: tuple[CloudRecorder, dict[str, Any]]) -> None:
    before = {(item.typ, item.name): item.inputs for item in small[0].resources}
    after = declared(settings(TrainingParameters(num_leaves=7)))[0].resources
    assert {item.name for item in after if before[(item.typ, item.name)] != item.inputs} == {"training"}
