"""Errors of Azure. Imports no SDK."""

from features.errors import PersonalizationError

UNAUTHENTICATED = 401
FORBIDDEN = 403
TOKEN_ATTEMPTS = 3
"""After this many rejected tokens, a call fails."""


class ManagerRefusedError(PersonalizationError):
    """Azure rejected a call. `status` is the HTTP status, None if there was no response."""

    def __init__(self, sentence: str, *, status: int | None = None, code: str = "") -> None:
        """`code` is Azure's error code, empty if there is none."""
        super().__init__(sentence)
        self.status = status
        self.code = code
