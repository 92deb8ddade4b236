"""Builds a tiny image on the serving image's bases, as the image itself is built later.

Some new subscriptions may not use ACR Tasks until Azure's support allows it, and a base image may be gone. Both would
otherwise show only after the training run is paid for.
"""

import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

from features.errors import PersonalizationError
from steps.azure.azure_step import AzureStep
from steps.azure.image.build import build
from steps.azure.image.build_context import DOCKERFILE, BuildContext
from steps.azure.image.registry_build import BuildFailedError
from steps.descriptions.build_trial import AZURE, AzureInputs, Outputs
from steps.provider.step import Context, Created, State

REPOSITORY = "build-trial"
STAGE = "trial"


class BuildTrialFailedError(PersonalizationError):
    """The tiny image can't be built, so the serving image can't be built either."""


class BuildTrial(AzureStep[AzureInputs, Outputs]):
    """The build, once for each set of bases."""

    description = AZURE

    def create(self, inputs: AzureInputs, context: Context) -> Created[Outputs]:
        """Build it; raises `BuildTrialFailedError` or `AzureRefusedError`."""
        with trial_context(inputs.bases) as content:
            try:
                digest = build(inputs, content, REPOSITORY, context, self._timeout, private=inputs.private)
            except BuildFailedError as error:
                raise BuildTrialFailedError(
                    f"{error}\nThis was the trial build on {' and '.join(inputs.bases)}. Training and the serving "
                    f"cluster wait for it: {_mended(str(error), inputs.bases)}, then run `up` again."
                ) from error
        return Created(digest, Outputs(trial_digest=digest))

    def update(self, identity: str, old: State, inputs: AzureInputs, context: Context) -> Outputs:
        """Same bases, other access: the result is still valid."""
        del identity, inputs, context
        return self.known(old)

    def delete(self, identity: str, state: State, context: Context) -> None:
        """Nothing: the image has some hundred bytes, and the container registry owns it."""


def _mended(log: str, bases: Sequence[str]) -> str:
    """What to do about a failed build. Docker and BuildKit name a base that is gone in different sentences."""
    gone = [base for base in bases if re.search(rf"{base.rpartition('@')[2]}.* not found", log)]
    return f"set another digest for {' and '.join(gone)} in scoring/Dockerfile" if gone else "fix the cause"


@contextmanager
def trial_context(bases: Sequence[str]) -> Iterator[BuildContext]:
    """A context whose build pulls all `bases` and keeps one small file of each."""
    stages = [f"FROM {base} AS base{number}" for number, base in enumerate(bases)]
    copies = [f"COPY --from=base{number} /etc/passwd /base{number}" for number in range(len(bases))]
    with TemporaryDirectory(prefix="trial-") as place:
        folder = Path(place)
        lines = [*stages, f"FROM scratch AS {STAGE}", *copies]
        (folder / DOCKERFILE).write_text("\n".join(lines) + "\n", encoding="utf-8")
        yield BuildContext(folder, STAGE)
