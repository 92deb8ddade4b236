"""Polls a service's readiness, each time over a new connection, which may reach a different process."""

import json
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from steps.provider.step import Context

PAUSE_SECONDS = 0.1
ANSWER_SECONDS = 5.0


@dataclass(frozen=True)
class Probe:
    """A service's address and its current key."""

    endpoint: str
    key: str

    def version(self) -> str | None:
        """The model version of the process that answers; None if it isn't ready."""
        try:
            return str(self._readiness()["model"]["version"])
        except (KeyError, TypeError):
            return None

    def accepts_key(self) -> bool:
        """Whether the process that answers is ready and accepts the key.

        A request for scores could tell as well, but the metrics would count it like a client's.
        """
        return self._readiness().get("key_accepted") is True

    def _readiness(self) -> dict[str, Any]:
        """The content of `/readyz`; empty if the process that answers isn't ready."""
        import httpx  # noqa: PLC0415 - it takes a third of a second, and only a service that changes is asked

        headers = {"Authorization": f"Bearer {self.key}", "Connection": "close"}
        try:
            # The certificate is the user's own, and may not be valid for the loopback address used here.
            with httpx.Client(timeout=ANSWER_SECONDS, verify=False, trust_env=False) as client:  # noqa: S501 - see above
                answer = client.get(f"{self.endpoint}/readyz", headers=headers)
            found = answer.json() if answer.is_success else {}
        except (httpx.HTTPError, json.JSONDecodeError):
            return {}
        return found if isinstance(found, dict) else {}


def wait_until(holds: Callable[[], bool], *, times: int, seconds: float, context: Context) -> bool:
    """Whether `holds` returned true `times` times in a row within `seconds`; raises `StepCancelledError`."""
    deadline = time.monotonic() + seconds
    row = 0
    while row < times:
        context.raise_if_cancelled()
        row = row + 1 if holds() else 0
        if time.monotonic() > deadline:
            return False
        if row == 0:
            time.sleep(PAUSE_SECONDS)
    return True
