"""The state of one worker: the model that it serves, the keys that it accepts and whether it is ready."""

import asyncio
import gc
import multiprocessing
import os
import signal
import time
from http import HTTPStatus
from typing import TYPE_CHECKING

from features.errors import PersonalizationError
from scoring.errors import GoldenError, KeysError
from scoring.model.model import ServedModel
from scoring.request_errors import NotReady
from scoring.responses import ModelName
from scoring.settings import RequestLines, ServerSettings
from scoring.worker.keys import KeyRing
from scoring.worker.logs import LogSink, describe
from scoring.worker.metrics import Metrics, forget_dead_workers
from scoring.worker.summary import Summary, certificate_end

if TYPE_CHECKING:
    from scoring.worker.tracing import Tracing  # brings OpenTelemetry, which only an image that traces has

TICK_SECONDS = 0.25
"""How often a worker looks at its keys file and its parent, and writes its log."""


ACCESS_LINE = (
    b'{"timestamp":%.3f,"level":"info","event":"request","request_id":"%b","operation":"%b","status":%d,'
    b'"milliseconds":%.3f}'
)
"""A request in the log. None of its parts needs escaping."""


class Service:
    """What the routes share."""

    def __init__(self, settings: ServerSettings, keys: KeyRing, sink: LogSink) -> None:
        self.settings = settings
        self.keys = keys
        self.sink = sink
        self.metrics = Metrics()
        self._summary = Summary(self.metrics.own)
        self._certificate_end = certificate_end(settings.tls_certificate)
        self._every_line = settings.log_requests is RequestLines.ALL
        self.name = ModelName(name=settings.model_name, version=settings.model_version)
        self._model: ServedModel | None = None
        self._refusal = "The model is being loaded."
        self._parent = os.getppid()
        self._place = settings.bundle.resolve()
        """Where the served bundle is, or one that was refused: each is looked at once."""

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
        model = self._load()
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
        self._count(model)
        gc.collect()
        gc.freeze()  # what was loaded stays, so no collection needs to look at it again

    async def watch(self, tracing: "Tracing | None" = None) -> None:
        """Until cancelled, follow the keys file, write the log, and end this worker when its parent is gone."""
        while True:
            await asyncio.sleep(TICK_SECONDS)
            try:
                if self.keys.refresh():
                    self.sink.event("keys read again")
            except KeysError as error:
                self.sink.event("keys not read again, the old ones stay valid", level="error", reason=str(error))
            await self.follow_bundle()
            if self._parent_ended():
                self.sink.event("the parent process ended", level="error")
                os.kill(os.getpid(), signal.SIGTERM)
            if tracing is not None:
                tracing.tell(self.sink)
            self._flush_log()
            self._compare()
            self.metrics.publish()
            if self._summary.due():
                self._summarize()

    async def follow_bundle(self) -> None:
        """When the bundle's path leads to another folder, serve that one; requests that have begun keep their model.

        A bundle that is altered or does not reproduce its golden records is not served: the old one stays.
        """
        place = self.settings.bundle.resolve()
        if place == self._place:
            return
        self._place = place
        try:
            model = await self._prove()
        except Exception as error:  # noqa: BLE001 - whatever is wrong with a new bundle, the old one can be served
            reason: dict[str, object] = (
                {"reason": str(error)} if isinstance(error, PersonalizationError) else describe(error)
            )
            self.sink.event("new bundle not served, the old one stays", level="error", **reason)
            return
        old, self._model = self._model, model
        self._count(model)
        self.sink.event("serving another bundle", bundle_hash=model.bundle.hash)
        if old is not None:
            self.metrics.moved(0, 0.0, dict.fromkeys(old.watch.names, 0.0))
            self.metrics.serves_no_more(name=self.name.name, version=self.name.version, bundle_hash=old.bundle.hash)
            # No request lasts longer: its body comes in time, or its connection ends.
            seconds = self.settings.client_seconds + self.settings.deadline_seconds + 1
            asyncio.get_running_loop().call_later(seconds, old.close)

    def record(self, operation: str, status: int, seconds: float, request_id: bytes) -> None:
        """Count and log one answer."""
        self.metrics.answered(operation, status, seconds)
        if self._every_line or status >= HTTPStatus.BAD_REQUEST:
            self.sink.add(ACCESS_LINE % (time.time(), request_id, operation.encode(), status, seconds * 1000))

    def stop(self) -> None:
        """Free the model and write the rest of the log."""
        self.metrics.publish()
        self._summarize()
        self.sink.event("stopped")
        self.sink.flush()
        if self._model is not None:
            self._model.close()
            self._model = None
            self._refusal = "The service is stopping."

    async def _prove(self) -> ServedModel:
        """The model at `_place`, after it reproduced its golden records; raises a `PersonalizationError`."""
        model = await asyncio.to_thread(self._load)
        try:
            await model.check_golden()
        except BaseException:
            model.close()
            raise
        return model

    def _parent_ended(self) -> bool:
        supervisor = multiprocessing.parent_process()  # None of a service with one worker, which is its own
        return os.getppid() != self._parent if supervisor is None else not supervisor.is_alive()

    def _load(self) -> ServedModel:
        settings = self.settings
        return ServedModel.load(self._place, engine=settings.engine, max_records=settings.max_records)

    def _count(self, model: ServedModel) -> None:
        self.metrics.serves(
            name=self.name.name,
            version=self.name.version,
            bundle_hash=model.bundle.hash,
            ready=self._model is not None,
        )

    def _summarize(self) -> None:
        self.sink.event(
            "summary",
            level="info",
            model=self.name.name,
            version=self.name.version,
            bundle_hash="" if self._model is None else self._model.bundle.hash,
            certificate_end=self._certificate_end,
            **self._summary.fields(),
        )

    def _compare(self) -> None:
        """Say how far what was scored has moved from what the model was trained on."""
        if self._model is not None and (moved := self._model.watch.compare()) is not None:
            self.metrics.moved(*moved)

    def _flush_log(self) -> None:
        self.sink.flush()
        if self.sink.dropped:
            self.metrics.dropped(self.sink.dropped)
            self.sink.dropped = 0
