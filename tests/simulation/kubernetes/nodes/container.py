"""A pod's container as a process that is probed, restarted and stopped as its manifest says."""

import asyncio
import os
import signal
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx

BACK_OFF_SECONDS = (0.0, 10.0, 20.0, 40.0, 80.0, 160.0, 300.0)
"""The kubelet's back-off before each restart."""
RESTART_GRACE_SECONDS = 30.0
"""For a container whose probes failed."""
MIN_GRACE_SECONDS = 2.0
"""The least time after SIGTERM, even if `preStop` used up the grace period."""


@dataclass
class Condition:
    """The container's part of a pod's status."""

    running: bool = False
    started: bool = False
    ready: bool = False
    restarts: int = 0
    exit_codes: list[int] = field(default_factory=list)


class Container:
    """One container; `changed` is awaited with each change of `condition`."""

    def __init__(
        self,
        spec: Mapping[str, Any],
        command: Sequence[str],
        *,
        address: str,
        folder: Path,
        environment: Mapping[str, str],
        log: Path,
        changed: Callable[[], Awaitable[None]],
    ) -> None:
        """`command` runs in `folder` with `environment` alone; the probes go to `address`."""
        self.condition = Condition()
        self._spec = spec
        self._command = command
        self._address = address
        self._folder = folder
        self._environment = environment
        self._log = log
        self._changed = changed
        self._process: asyncio.subprocess.Process | None = None
        self._shutting_down = False

    async def run(self) -> None:
        """Run until `end`, and restart after an exit or a failed probe."""
        while not self._shutting_down:
            await asyncio.sleep(BACK_OFF_SECONDS[min(self.condition.restarts, len(BACK_OFF_SECONDS) - 1)])
            if self._shutting_down:
                return
            await self._live()
            self.condition.restarts += not self._shutting_down

    async def end(self, grace_seconds: float) -> None:
        """What a kubelet does when the pod is deleted: `preStop`, SIGTERM, and SIGKILL after the grace period."""
        self._shutting_down = True
        pause = float(self._spec.get("lifecycle", {}).get("preStop", {}).get("sleep", {}).get("seconds", 0))
        await asyncio.sleep(min(pause, grace_seconds))
        await self._terminate(max(grace_seconds - pause, MIN_GRACE_SECONDS))

    def kill(self) -> None:
        """End the process at once and for good."""
        self._shutting_down = True
        if self._process is not None and self._process.returncode is None:
            self._process.kill()

    async def _live(self) -> None:
        with self._log.open("ab") as log:
            # The kernel ends it with the thread that started it, so that no process outlives the tests.
            self._process = await asyncio.create_subprocess_exec(
                *("setpriv", "--pdeathsig", "KILL", "--", *self._command),
                cwd=self._folder,
                env=dict(self._environment),
                stdin=asyncio.subprocess.DEVNULL,
                stdout=log,
                stderr=log,
            )
        self.condition.running = True
        await self._changed()
        ended = asyncio.create_task(self._process.wait())
        probing = asyncio.create_task(self._probe())
        await asyncio.wait({ended, probing}, return_when=asyncio.FIRST_COMPLETED)
        if not ended.done():
            await self._terminate(RESTART_GRACE_SECONDS)
        probing.cancel()
        await asyncio.gather(probing, return_exceptions=True)
        self.condition.exit_codes.append(await ended)
        self.condition.running = self.condition.started = self.condition.ready = False
        await self._changed()

    async def _terminate(self, seconds: float) -> None:
        process = self._process
        if process is None or process.returncode is not None:
            return
        process.send_signal(signal.SIGTERM)
        try:
            await asyncio.wait_for(process.wait(), seconds)
        except TimeoutError:
            process.kill()
            await process.wait()

    async def _probe(self) -> None:
        """Probe until the container must be restarted. Only readiness counts while it terminates."""
        if not await self._comes_up():
            return
        self.condition.started = True
        await self._changed()
        readiness = asyncio.create_task(self._follow_readiness())
        try:
            await self._lives()
        finally:
            readiness.cancel()

    async def _comes_up(self) -> bool:
        probe = self._spec.get("startupProbe")
        if probe is None:
            return True
        for _ in range(probe["failureThreshold"]):
            if await self._passes(probe):
                return True
            await asyncio.sleep(probe["periodSeconds"])
        return self._shutting_down

    async def _lives(self) -> None:
        probe = self._spec.get("livenessProbe")
        failures = 0
        while probe is None or failures < probe["failureThreshold"] or self._shutting_down:
            await asyncio.sleep(probe["periodSeconds"] if probe else 1)
            failures = failures + 1 if probe is not None and not await self._passes(probe) else 0

    async def _follow_readiness(self) -> None:
        probe = self._spec.get("readinessProbe")
        failures = 0
        while True:
            passed = probe is None or await self._passes(probe)
            failures = 0 if passed else failures + 1
            if passed != self.condition.ready and (probe is None or passed or failures >= probe["failureThreshold"]):
                self.condition.ready = passed
                await self._changed()
            await asyncio.sleep(probe["periodSeconds"] if probe else 1)

    async def _passes(self, probe: Mapping[str, Any]) -> bool:
        """Probe once, over a new connection and without checking the certificate, as a kubelet does."""
        get = probe["httpGet"]
        ports = {port.get("name"): port["containerPort"] for port in self._spec.get("ports", [])}
        url = (
            f"{get.get('scheme', 'HTTP').lower()}://{self._address}:{ports.get(get['port'], get['port'])}{get['path']}"
        )
        try:
            async with httpx.AsyncClient(verify=False, trust_env=False, timeout=probe["timeoutSeconds"]) as client:  # noqa: S501 - see above
                answer = await client.get(url)
        except httpx.TransportError:
            return False
        return answer.status_code < httpx.codes.BAD_REQUEST


def usual_environment(temporary: Path) -> dict[str, str]:
    """The environment of an image's process; `temporary` is its `/tmp`."""
    return {"PATH": os.environ["PATH"], "HOME": str(temporary), "TMPDIR": str(temporary), "LANG": "C.UTF-8"}
