"""Another try for what a network spoils now and then: a connection that is cut in the middle, a mirror that is busy."""

from __future__ import annotations

import time
from collections.abc import Callable

from watchbill.errors import OperationError

PAUSES = (2.0, 10.0)
"""Seconds before the second try, and before the third."""


class PassingError(OperationError):
    """A failure that may be over in a moment."""


def persistently(work: Callable[[], None]) -> None:
    """Do something; after a PassingError it is tried twice more. Raises what the last try raises."""
    for pause in PAUSES:
        try:
            work()
        except PassingError:
            time.sleep(pause)
        else:
            return
    work()
