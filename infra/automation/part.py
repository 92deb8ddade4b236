"""Which part of a stack an update works on; the rest stays as it was made last, or is not made yet."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

PROJECT = "personalization"


@dataclass(frozen=True, kw_only=True)
class Part:
    """All of the stack, unless one of the two says less."""

    only: Sequence[str] = ()
    """The steps to bring up to date, by the last part of their types."""
    without: Sequence[str] = ()
    """Resource types to leave out, with everything that depends on them."""

    def options(self, stack: str) -> dict[str, Any]:
        """For the Automation API's `up`."""
        prefix = f"urn:pulumi:{stack}::{PROJECT}::**"
        return {
            "target": [f"{prefix}:{step}::**" for step in self.only] or None,
            "exclude": [f"{prefix}{kind}::**" for kind in self.without] or None,
            "exclude_dependents": bool(self.without) or None,
        }


ALL = Part()
