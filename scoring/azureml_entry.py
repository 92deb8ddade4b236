"""The entry script for Azure ML's own server (`azureml-inference-server-http`): the same records, the same answers.

That server has its own key check, limits and threads; what it calls is the code that the service runs.
"""

import asyncio
import json
import os
import threading
from pathlib import Path

from azureml_inference_server_http.api.aml_response import AMLResponse

from features.bundle import MODEL
from scoring.engines import EngineName
from scoring.model.model import ServedModel
from scoring.model.operations import SCORE
from scoring.request_errors import Rejection
from scoring.responses import ModelName

MAX_RECORDS = 1000

_served: ServedModel
_name: ModelName
_loop = asyncio.new_event_loop()
_one_at_a_time = threading.Lock()
"""The engine shares its buffers, and the server calls from several threads."""


def init() -> None:
    """Load the bundle in `AZUREML_MODEL_DIR` and score its golden records; raises a `PersonalizationError`."""
    global _served, _name  # noqa: PLW0603 - the contract of that server
    _served = ServedModel.load(_bundle(), engine=EngineName.LIGHTGBM, max_records=MAX_RECORDS)
    _loop.run_until_complete(_served.check_golden())
    _name = ModelName(name=os.environ.get("MODEL_NAME", "ctr"), version=os.environ.get("MODEL_VERSION", "unregistered"))


def run(raw_data: str) -> AMLResponse:
    """The answer of `POST /score` to the body `raw_data`."""
    try:
        with _one_at_a_time:
            query = SCORE.read(_served.types, raw_data.encode())
            body = query.answer(_loop.run_until_complete(_served.score(query.rows)), _served, _name)
    except Rejection as rejection:
        headers = {name.decode(): value.decode() for name, value in rejection.headers()}
        return AMLResponse(json.loads(rejection.body()), rejection.status, headers, json_str=True)
    return AMLResponse(json.loads(body), 200, json_str=True)


def _bundle() -> Path:
    """Azure ML mounts a registered folder, or a folder that holds it."""
    mounted = Path(os.environ["AZUREML_MODEL_DIR"])
    return next((file.parent for file in sorted(mounted.rglob(MODEL))), mounted)
