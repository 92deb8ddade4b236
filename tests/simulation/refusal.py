"""How the simulated cloud says no."""

from features.errors import PersonalizationError


class RefusedError(PersonalizationError):
    """An answer other than success, with Azure's status and code where they are known."""

    def __init__(self, status: int, code: str, message: str) -> None:
        """`status` is HTTP's, `code` the service's own word for the cause."""
        super().__init__(f'Status={status} Code="{code}" Message="{message}"')
        self.status = status
        self.code = code
        self.message = message
