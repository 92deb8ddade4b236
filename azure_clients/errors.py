"""What Azure may refuse, without an SDK."""

from features.errors import PersonalizationError


class ManagerRefusedError(PersonalizationError):
    """A call that Azure answered with an error. `status` is the HTTP status, None where nothing answered."""

    def __init__(self, sentence: str, *, status: int | None = None, code: str = "") -> None:
        """`code` is Azure's own word for the cause, empty where it gave none."""
        super().__init__(sentence)
        self.status = status
        self.code = code
