"""A model without content, registered in Azure ML before any cluster is paid for: a refusal shows before training.

It takes the way of a real version: an upload to the workspace's storage without a key, tags, and a change of one. It is
archived, so that the studio's lists do not show it, and deleted with the workspace.
"""

from pathlib import Path
from tempfile import TemporaryDirectory

from azure_clients.retries import AzureRefusedError, Timeout, exists, retried
from features.errors import PersonalizationError
from steps.azure.azure_step import workspace_client
from steps.azure.stores.azure_registry import BUNDLE_URL, CHAMPION, FORMER, REGISTERED
from steps.descriptions.places import MachineLearning
from steps.provider.step import Context
from steps.shared.model_versions import MODEL

NAME = f"{MODEL}-trial"
VERSION = "1"
ADDRESS = "https://adb-0000000000000000.00.azuredatabricks.net/?o=0000000000000000#job/000000000000000/run/" + "0" * 15
TAGS = {
    **dict.fromkeys(("bundle_hash", "manifest_hash", "code_hash"), "0" * 64),
    **{f"metric.{number}": "0.123456" for number in range(20)},
    **dict.fromkeys(("data", "run", BUNDLE_URL), ADDRESS),
    "accepted": "false",
    REGISTERED: "2000-01-01T00:00:00.000000+00:00",
}
"""As many as a version has, and as long."""


class RegistrationRefusedError(PersonalizationError):
    """Azure ML does not register a model."""


def try_registration(inputs: MachineLearning, context: Context, timeout: Timeout) -> None:
    """Register the model and change a tag of it, unless that was done before. Raises `RegistrationRefusedError`."""
    try:
        _register(inputs, context, timeout)
    except AzureRefusedError as error:
        raise RegistrationRefusedError(
            f"{error} A trained model could not be registered either, so no cluster was started. Correct what the "
            f"message names in the Azure ML workspace {inputs.workspace}, then run `up` again."
        ) from error


def _register(inputs: MachineLearning, context: Context, timeout: Timeout) -> None:
    from azure.ai.ml.entities import Model  # noqa: PLC0415 - takes a second

    models = workspace_client(inputs).models
    if not exists("look for the trial model", lambda: models.get(NAME, VERSION), context, timeout):
        context.report("registering a trial model in Azure ML")
        with TemporaryDirectory(prefix="trial-") as temporary:
            (Path(temporary) / "README").write_text("This version only shows that models can be registered.\n")
            model = Model(name=NAME, version=VERSION, type="custom_model", path=temporary, tags=TAGS)
            retried("register a trial model", lambda: models.create_or_update(model), context, timeout)
    registered = retried("read the trial model", lambda: models.get(NAME, VERSION), context, timeout)
    if registered.tags.get(CHAMPION) != FORMER:
        registered.tags[CHAMPION] = FORMER
        retried("change a tag of the trial model", lambda: models.create_or_update(registered), context, timeout)
        retried("archive the trial model", lambda: models.archive(NAME, VERSION), context, timeout)
