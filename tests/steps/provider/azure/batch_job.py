"""What a run for all users does, without Spark and the wheel."""

import json
from pathlib import Path

from azure_clients.credentials import container
from batch.recommendations import Batch, Opened, divided
from batch.request import RESULT, BatchRequest
from recommend.forgotten import Forgotten
from scoring.responses import ModelName
from tests.simulation.fakes.runs import Run
from tests.steps.provider.azure.conftest import BLOB, TENANT

CATALOG = "lake_dev"
VOLUMES = f"/Volumes/{CATALOG}/training"


class Job:
    """Does what the run's request asks for, in a folder in place of the volumes."""

    def __init__(self, volumes: Path) -> None:
        self.volumes = volumes
        self.runs: list[Run] = []
        self.written: list[str] = []

    def __call__(self, run: Run) -> str:
        """Fetch the lake, write the parts that are missing, and send them."""
        self.runs.append(run)
        (text,) = run.inputs["tasks"][0]["pythonWheelTask"]["parameters"]
        request = BatchRequest.model_validate_json(text.replace(VOLUMES, str(self.volumes)))
        for name in ("models", "snapshots", "work"):
            files = container(TENANT, BLOB, name)
            for blob in files.list_blobs("files/"):
                target = self.volumes / name / blob.name.removeprefix("files/")
                target.parent.mkdir(parents=True, exist_ok=True)
                target.write_bytes(files.download_blob(blob.name).readall())
        for folder in request.snapshots:
            for file in folder.iterdir():
                (self.volumes / file.name).write_bytes(file.read_bytes())
        model = ModelName(name=request.model, version=request.version)
        batch = Batch(
            bundle=request.bundle,
            snapshots=self.volumes,
            name=model,
            top=request.top,
            new=request.new,
            forgotten=Forgotten.load(request.forgotten),
        )
        opened = Opened(batch)
        parts = divided(opened.users(), request.output)
        request.output.mkdir(parents=True, exist_ok=True)
        for part in parts:
            if not part[0].exists():
                opened.write(part)
                self.send(part[0])
                self.written.append(part[0].name)
        result = {"users": sum(len(users) for _, users in parts), "parts": [file.name for file, _ in parts]}
        (request.output / RESULT).write_text(json.dumps(result))
        self.send(request.output / RESULT)
        return "done"

    def send(self, file: Path) -> None:
        """Upload a file of the volume `work`."""
        blob = f"files/{file.relative_to(self.volumes / 'work')}"
        container(TENANT, BLOB, "work").upload_blob(blob, file.read_bytes(), overwrite=True)
