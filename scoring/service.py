"""The state of one worker: the model that it serves, the keys that it accepts and whether it is ready."""

import asyncio
import gc
import os
import signal
import time

from scoring.answers import ModelName
from scoring.errors import GoldenError, KeysError
from scoring.keys import KeyRing
from scoring.logs import LogSink
from scoring.metrics import Metrics, forget_dead_workers
from scoring.model import ServedModel
from scoring.rejections import NotReady
from scoring.settings import ServerSettings

TICK_SECONDS = 0.25
"""How often a worker looks at its keys file and its parent, and writes its log."""


class Service:
    """What the routes share."""

    def __init__(self, settings: ServerSettings, keys: KeyRing, sink: LogSink) -> None:
        self.settings = settings
        self.keys = keys
        self.sink = sink
        self.metrics = Metrics()
        self.name = ModelName(name=settings.model_name, version=settings.model_version)
        self._model: ServedModel | None = None
        self._refusal = "The model is being loaded."
        self._parent = os.getppid()

    @property
    def model(self) -> ServedModel:
        """The model to score with; raises `NotReady` while there is none that reproduced its golden records."""
        if self._model is None:
            raise NotReady(self._refusal)
        if not self._model.engine.ready:
            raise NotReady("The engine is being started again.")
        return self._model

    async def start(self) -> None:
        """Load the model and score the golden records.

        A mismatch leaves the service running but not ready, so that its metrics and log can be read; a bundle that is
        altered raises a `PersonalizationError`.
        """
        began = time.perf_counter()
        forget_dead_workers()
        settings = self.settings
        model = ServedModel.load(settings.bundle, engine=settings.engine, max_records=settings.max_records)
        try:
            golden = await model.check_golden()
        except GoldenError as error:
            self._refusal = str(error)
            self.sink.event("not ready", level="error", reason=str(error))
        else:
            self._model = model
            self.sink.event(
                "ready",
                model=self.name.name,
                version=self.name.version,
                bundle_hash=model.bundle.hash,
                golden_records=golden,
                seconds=round(time.perf_counter() - began, 3),
            )
        self.metrics.serves(
            name=self.name.name,
            version=self.name.version,
            bundle_hash=model.bundle.hash,
            ready=self._model is not None,
        )
        gc.collect()
        gc.freeze()  # what was loaded stays, so no collection needs to look at it again

    async def watch(self) -> None:
        """Until cancelled, follow the keys file, write the log, and end this worker when its parent is gone."""
        while True:
            await asyncio.sleep(TICK_SECONDS)
            try:
                if self.keys.refresh():
                    self.sink.event("keys read again")
            except KeysError as error:
                self.sink.event("keys not read again, the old ones stay valid", level="error", reason=str(error))
            if os.getppid() != self._parent:
                self.sink.event("the parent process ended", level="error")
                os.kill(os.getpid(), signal.SIGTERM)
            self._flush_log()
            self.metrics.publish()

    def stop(self) -> None:
        """Free the model and write the rest of the log."""
        self.sink.event("stopped")
        self.sink.flush()
        self.metrics.publish()
        if self._model is not None:
            self._model.close()
            self._model = None
            self._refusal = "The service is stopping."

    def _flush_log(self) -> None:
        self.sink.flush()
        if self.sink.dropped:
            self.metrics.dropped(self.sink.dropped)
            self.sink.dropped = 0
