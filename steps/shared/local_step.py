"""The base of all steps: a step that can use the stack's folder."""

from abc import ABC
from collections.abc import Callable
from pathlib import Path
from typing import Generic

from steps.descriptions.description import InputsT, OutputsT
from steps.provider.step import Step
from steps.shared.folders import StackFolder
from tools.paths import state_folder


class LocalStep(Step[InputsT, OutputsT], ABC, Generic[InputsT, OutputsT]):
    """A step that can use the stack's folder."""

    def __init__(self, folder_of: Callable[[str], Path] = state_folder) -> None:
        """`folder_of` returns a stack's folder by name."""
        self._folder_of = folder_of

    def folder(self, stack: str) -> StackFolder:
        """The folder of `stack`."""
        return StackFolder(self._folder_of(stack))
