"""The state of one worker: the model that it serves, the keys that it accepts and whether it is ready."""

import asyncio
import gc
import os
import time
from collections.abc import Callable, Coroutine
from http import HTTPStatus
from pathlib import Path
from typing import TYPE_CHECKING, Any

from features.bundle import Bundle
from scoring.errors import GoldenError, KeysError
from scoring.model.model import ServedModel
from scoring.request_errors import InternalError, NotReady, Rejection
from scoring.responses import ModelName
from scoring.settings import RequestLines, ServerSettings, image_facts
from scoring.worker.keys import KeyRing
from scoring.worker.logs import LogSink, describe, reason
from scoring.worker.metrics import Metrics
from scoring.worker.refusals import RefusalLines
from scoring.worker.summary import Summary, certificate_end

if TYPE_CHECKING:
    from scoring.worker.tracing import Tracing  # brings OpenTelemetry, which only an image that traces has

TICK_SECONDS = 0.25
"""How often a worker looks at its keys file and its bundle, and writes its log."""


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
        self._refusals = RefusalLines(sink)
        self._model: ServedModel | None = None
        self._refusal = "The model is being loaded."
        self._place = _resolved(settings.bundle)
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
        model = self._load(ModelName(name=self.settings.model_name, version=self.settings.model_version))
        try:
            golden = await model.check_golden()
        except GoldenError as error:
            self._refusal = str(error)
            self.sink.event("not ready", level="error", reason=str(error))
        else:
            self._model = model
            self.sink.event(
                "ready",
                model=model.name.name,
                version=model.name.version,
                bundle_hash=model.bundle.hash,
                golden_records=golden,
                seconds=round(time.perf_counter() - began, 3),
            )
        self._count(model)
        gc.collect()
        gc.freeze()  # what was loaded stays, so no collection needs to look at it again

    def duties(self, tracing: "Tracing | None" = None) -> list[Coroutine[Any, Any, None]]:
        """What is to be done again and again beside answering, each apart from the others and until cancelled."""
        often: list[Callable[[], object]] = [
            self._follow_keys,
            self._refusals.tell,
            self._flush_log,
            self._compare,
            self.metrics.publish,
            self._summarize_when_due,
        ]
        if tracing is not None:
            often.append(lambda: tracing.tell(self.sink))
        return [self._repeat(lambda: self._do_all(often)), self._repeat(self.follow_bundle)]

    async def _repeat(self, duty: Callable[[], Coroutine[Any, Any, None]]) -> None:
        while True:
            await asyncio.sleep(TICK_SECONDS)
            await duty()

    async def _do_all(self, duties: list[Callable[[], object]]) -> None:
        for duty in duties:
            try:
                duty()
            except Exception as error:  # noqa: BLE001 - whatever fails in one of them, the others go on
                self.sink.event("a duty failed and is tried again", level="error", **describe(error))

    def _follow_keys(self) -> None:
        try:
            if self.keys.refresh():
                self.sink.event("keys read again", keys=self.keys.names)
        except KeysError as error:
            self.sink.event("keys not read again, the old ones stay valid", level="error", reason=str(error))

    async def follow_bundle(self) -> None:
        """When the bundle's path leads to another folder, serve that one; requests that have begun keep their model.

        A bundle that is altered or does not reproduce its golden records is not served: the old one stays.
        """
        place = _resolved(self.settings.bundle)
        if place == self._place:
            return
        self._place = place
        try:
            model = await self._prove()
        except Exception as error:  # noqa: BLE001 - whatever is wrong with a new bundle, the old one can be served
            self.sink.event("new bundle not served, the old one stays", level="error", **reason(error))
            return
        old, self._model = self._model, model
        self._count(model)
        self.sink.event("serving another bundle", bundle_hash=model.bundle.hash)
        if old is not None:
            self.metrics.moved(0, 0.0, dict.fromkeys(old.watch.names, 0.0))
            self.metrics.serves_no_more(name=old.name.name, version=old.name.version, bundle_hash=old.bundle.hash)
            # No request lasts longer: its body comes in time, or its connection ends.
            seconds = self.settings.client_seconds + self.settings.deadline_seconds + 1
            asyncio.get_running_loop().call_later(seconds, old.close)

    def record(self, operation: str, status: int, seconds: float, request_id: bytes) -> None:
        """Count and log one answer."""
        self.metrics.answered(operation, status, seconds)
        refused = status >= HTTPStatus.BAD_REQUEST
        if (refused and self._refusals.may_add(operation, status)) or (self._every_line and not refused):
            self.sink.add(ACCESS_LINE % (time.time(), request_id, operation.encode(), status, seconds * 1000))

    def rejection_of(self, error: Exception, request_id: bytes) -> Rejection:
        """What a request that ended with `error` gets; unless that is a `Rejection`, it is our mistake and logged."""
        if isinstance(error, Rejection):
            return error
        self.sink.event("internal error", level="error", request_id=request_id.decode(), **describe(error))
        return InternalError("Internal error; the service's log has the details under the request's id.")

    def stop(self) -> None:
        """Free the model and write the rest of the log."""
        self.metrics.publish()
        self._refusals.tell(last=True)
        self._summarize()
        self.sink.event("stopped")
        self.sink.flush()
        if self._model is not None:
            self._model.close()
            self._model = None
            self._refusal = "The service is stopping."

    async def _prove(self) -> ServedModel:
        """The model at `_place`, after it reproduced its golden records; raises a `PersonalizationError`."""
        model = await asyncio.to_thread(self._load, None)
        try:
            await model.check_golden()
        except BaseException:
            model.close()
            raise
        return model

    def _load(self, name: ModelName | None) -> ServedModel:
        """The model at `_place`. Without a name, the image around it says which it is, or it goes by its hash."""
        settings = self.settings
        if name is None and settings.image is not None:
            facts = image_facts(self._place.parent)
            name = ModelName(name=facts["model_name"], version=facts["model_version"])
        elif name is None:
            name = ModelName(name=settings.model_name, version=Bundle.load(self._place).hash[:12])
        return ServedModel.load(self._place, name=name, engine=settings.engine, max_records=settings.max_records)

    def _count(self, model: ServedModel) -> None:
        self.metrics.serves(
            name=model.name.name,
            version=model.name.version,
            bundle_hash=model.bundle.hash,
            ready=self._model is not None,
        )

    def _summarize_when_due(self) -> None:
        if self._summary.due():
            self._summarize()

    def _summarize(self) -> None:
        model = self._model
        self.sink.event(
            "summary",
            level="info",
            model=self.settings.model_name if model is None else model.name.name,
            version=self.settings.model_version if model is None else model.name.version,
            bundle_hash="" if model is None else model.bundle.hash,
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


def _resolved(path: Path) -> Path:
    """Where a path leads. One that leads nowhere, or round in a circle, is a place that holds no bundle."""
    return Path(os.path.realpath(path))
