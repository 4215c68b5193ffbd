"""The alarm rings when the wall clock says so, and when somebody changes what the wall clock says."""

from __future__ import annotations

import errno
import sys
import time

import pytest
from ansible_collections.watchbill.fleet.plugins.module_utils._keeper.alarm import Alarm
from ansible_collections.watchbill.fleet.plugins.module_utils._keeper.processes import wait_readable


def test_it_rings_at_its_instant_and_is_quiet_once_set_again() -> None:
    alarm = Alarm()
    instant = time.time() + 0.2
    assert alarm.set(instant)
    assert alarm.descriptor is not None
    assert wait_readable(alarm.descriptor, 60)
    assert time.time() >= instant
    assert alarm.set(time.time() + 3600)
    assert not wait_readable(alarm.descriptor, 0)


@pytest.mark.parametrize("instant", [0.0, 1.0, -5.0])
def test_instant_that_has_passed_rings_at_once(instant: float) -> None:
    alarm = Alarm()
    alarm.set(instant)
    assert alarm.descriptor is not None
    assert wait_readable(alarm.descriptor, 60)


def test_it_is_silent_without_an_instant() -> None:
    alarm = Alarm()
    assert alarm.set(None)
    assert alarm.descriptor is None, "most agents need none"
    alarm.set(time.time() + 0.05)
    alarm.set(None)
    assert alarm.descriptor is not None
    assert not wait_readable(alarm.descriptor, 0.2)


def test_instant_beyond_every_clock_can_be_waited_for() -> None:
    assert Alarm().set(9e12)


def test_clock_that_was_set_is_told_by_the_kernel() -> None:
    """As timerfd_settime does it; no test may set the clock of its machine."""
    alarm = Alarm()
    answers = [0, errno.ECANCELED, errno.EINVAL]
    alarm._settime = lambda at: answers.pop(0)
    assert alarm.set(5.0)
    assert not alarm.set(5.0)
    with pytest.raises(OSError, match="Invalid argument"):
        alarm.set(5.0)


def test_keeper_lives_without_an_alarm_where_there_is_none(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "ctypes", None)
    alarm = Alarm()
    assert alarm.set(time.time())
    assert alarm.set(time.time())
    assert alarm.descriptor is None
