"""A step as the graph sees it: one resource of the steps' provider."""

from collections.abc import Mapping
from typing import Any, cast

import pulumi
from pulumi import Output, ResourceOptions

from steps.kinds import COMPUTED, Kind, Place, token


class StepResource(pulumi.CustomResource):
    """A resource of the steps' provider; its computed values are outputs by name."""

    def __init__(
        self, place: Place, kind: Kind, name: str, inputs: Mapping[str, Any], options: ResourceOptions
    ) -> None:
        """Declare the step with its inputs."""
        self._computed = COMPUTED[place][kind]
        super().__init__(token(place, kind), name, {**inputs, **dict.fromkeys(self._computed)}, options)

    def output(self, name: str) -> Output[Any]:
        """A computed value of the step."""
        if name not in self._computed:
            raise KeyError(name)
        return cast("Output[Any]", self.__dict__[name])
