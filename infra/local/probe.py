"""Asks a service whether it is ready, over and over, on connections that each may reach another process of it."""

import json
import time
from collections.abc import Callable
from dataclasses import dataclass

import httpx

from infra.provider.step import Context

PAUSE_SECONDS = 0.1
ANSWER_SECONDS = 5.0
UNAUTHORIZED = 401


@dataclass(frozen=True)
class Probe:
    """A service's address and its current key."""

    endpoint: str
    key: str

    def version(self) -> str | None:
        """The model version of whichever process answers, None when it is not ready."""
        answer = self._ask("GET", "/readyz")
        if answer is None or answer.status_code != httpx.codes.OK:
            return None
        try:
            return str(answer.json()["model"]["version"])
        except (json.JSONDecodeError, KeyError, TypeError):
            return None

    def accepts_key(self) -> bool:
        """Whether the process that answers knows the key: an empty body is refused, but not as unauthorised."""
        answer = self._ask("POST", "/score")
        return answer is not None and answer.status_code != UNAUTHORIZED

    def _ask(self, method: str, path: str) -> httpx.Response | None:
        headers = {"Authorization": f"Bearer {self.key}", "Connection": "close"}
        try:
            # The certificate is the user's own and need not name the loopback address that is asked here.
            with httpx.Client(timeout=ANSWER_SECONDS, verify=False, trust_env=False) as client:  # noqa: S501 - see above
                return client.request(method, f"{self.endpoint}{path}", headers=headers)
        except httpx.HTTPError:
            return None


def wait_until(holds: Callable[[], bool], *, times: int, seconds: float, context: Context) -> bool:
    """Whether `holds` was true so many times in a row before `seconds` were over; raises `StepCancelledError`."""
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
