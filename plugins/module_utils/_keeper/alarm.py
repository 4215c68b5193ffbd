# Copyright: Watchbill contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Being woken at an instant of the wall clock, when somebody sets that clock, and after the machine was suspended."""

from __future__ import annotations

import errno
import math
import os
import time
import typing as t

# Of timerfd_settime(2), as in <sys/timerfd.h>.
ABSTIME, CANCEL_ON_SET = 1, 2
LATEST = 2**31 - 1


class Alarm:
    """A timer that poll can wait for. Where there can be none (no libffi, no such call) nothing ever rings.

    A timeout of poll is late after a suspend, whose time its clock does not count, and knows nothing of a clock that
    was set. The kernel cancels this timer then, which is an event. Python has it from 3.13 on; ctypes costs a keeper
    0.5 MB and is loaded for the first instant only: most agents are always on watch.
    """

    def __init__(self) -> None:
        """Wait for nothing."""
        self.descriptor: int | None = None
        self._settime: t.Callable[[float], int] | None = None
        self._possible = True

    def set(self, instant: float | None) -> bool:
        """Ring at *instant* (seconds since the epoch) and when the clock is set before, not at all with None.

        Whatever rang before is forgotten. Returns whether the clock was left alone since the last call: if not, whoever
        reckoned with it has to do so again.
        """
        if instant is not None and self._settime is None and self._possible:
            self._open()
        if self._settime is None:
            return True
        # Nothing is 0, which would mean never.
        number = self._settime(0.0 if instant is None else max(1e-6, min(instant, LATEST)))
        if number not in (0, errno.ECANCELED):
            raise OSError(number, os.strerror(number))
        return number == 0

    def _open(self) -> None:
        try:
            import ctypes

            library = ctypes.CDLL(None, use_errno=True)
            descriptor = library.timerfd_create(time.CLOCK_REALTIME, os.O_NONBLOCK | os.O_CLOEXEC)
        except (ImportError, OSError, AttributeError):
            descriptor = -1
        if descriptor < 0:
            self._possible = False
            return
        timer_specification = ctypes.c_long * 4

        def settime(at: float) -> int:
            whole = math.ceil(at * 1e6)
            value = timer_specification(0, 0, whole // 1_000_000, whole % 1_000_000 * 1000)
            failed = library.timerfd_settime(descriptor, ABSTIME | CANCEL_ON_SET, value, None)
            return ctypes.get_errno() if failed else 0

        self.descriptor, self._settime = descriptor, settime
