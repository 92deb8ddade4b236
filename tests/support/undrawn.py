"""Reports without plots, for tests of something else: drawing takes two seconds, more than all else in a small run.

The tests of the report draw them, and every run in a process of its own.
"""

from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from markupsafe import Markup

from training.report import page


@contextmanager
def undrawn() -> Iterator[None]:
    """Leave the plots of reports empty meanwhile."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(page, "_plots", lambda _data: defaultdict(Markup))
        yield
