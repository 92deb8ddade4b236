"""The image: built in the registry, identified by its digest, recorded in Azure ML."""

from azure_clients import credentials
from personalize.verify.bench import Bench
from personalize.verify.stage import Seen, Stage
from steps.azure.environment import NAME, VERSION_DIGITS


def _built(bench: Bench) -> str:
    return f"image {bench.outputs()['image_digest']}."


def _digest(bench: Bench) -> Seen:
    """The images that the newest build pushed."""
    names, settings = bench.names, bench.settings
    runs = credentials.registry_tasks(settings.tenant, settings.subscription).runs.list(
        names.serving_group, names.registry, top=1
    )
    run = next(iter(runs), None)
    images = (run.properties.output_images if run and run.properties else None) or []
    found = images[0].digest if images else None
    return Seen(holds=found == bench.outputs()["image_digest"], answer=f"the newest build pushed {found}")


def _record(bench: Bench) -> Seen:
    names, settings = bench.names, bench.settings
    client = credentials.machine_learning(
        settings.tenant, settings.subscription, names.training_group, names.machine_learning
    )
    version = str(bench.outputs()["image_digest"]).removeprefix("sha256:")[:VERSION_DIGITS]
    found = client.environments.get(NAME, version)
    return Seen(holds=str(found.image).endswith(bench.outputs()["image_digest"]), answer=f"image {found.image}")


IMAGE = Stage(
    name="image",
    title="the serving code and the model in an image",
    minutes="1",
    act=_built,
    looks={"build-names-digest": _digest, "environment-by-digest": _record},
)
