"""A run for all users on Databricks as one document, the only parameter of its task."""

from pathlib import Path

from training.parameters import Parameters

ENTRY_POINT = "recommend-to-all"
"""The wheel's, in `pyproject.toml`."""
RESULT = "result.json"
"""The file in the output folder that names all parts, in order. It is written last."""


class BatchRequest(Parameters):
    """The best `top` items for everybody with a history; all folders are on volumes, `/Volumes/...`."""

    bundle: Path
    """The bundle of the version that serves."""
    snapshots: tuple[Path, ...]
    """The folders of the histories and of the catalogue, one for each file."""
    forgotten: Path
    """File with the users who are left out."""
    model: str
    """The model's name."""
    version: str
    """The model's version, as the file shows it."""
    top: int
    """How many items for each user."""
    new: int
    """How many of the places new items may take."""
    output: Path
    """The folder for the parts, of which none is computed twice."""
