"""A child that is the tenant answers again and again; what the tenant does to it costs one look at most."""

from __future__ import annotations

import os
import pwd
import signal
import time
from collections.abc import Iterator
from typing import Any

import pytest
from ansible_collections.watchbill.fleet.plugins.module_utils._as_user import AsUserError
from ansible_collections.watchbill.fleet.plugins.module_utils._deputy import Deputy
from ansible_collections.watchbill.fleet.plugins.module_utils._layout import Account

NOBODY = pwd.getpwnam("nobody")
WHO = Account("nobody", NOBODY.pw_uid, NOBODY.pw_gid, "/nonexistent")

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="needs root to become somebody else")


def prepare() -> Any:
    count = [0]

    def work(what: str) -> Any:
        count[0] += 1
        if what == "hang":
            time.sleep(600)
        if what == "fail":
            raise RuntimeError("no")
        return [os.getpid(), count[0], *os.getresuid(), *os.getgroups()]

    return work


@pytest.fixture
def deputy() -> Iterator[Deputy]:
    deputy = Deputy(WHO, prepare)
    yield deputy
    deputy.close()


def test_one_child_answers_all_questions_as_the_tenant(deputy: Deputy) -> None:
    first, second = (deputy.ask("who", timeout=60) for _ in range(2))
    assert first[0] == second[0] != os.getpid()
    assert (first[1], second[1]) == (1, 2)
    assert first[2:] == [WHO.uid] * 3, "and has no other group"


def test_child_that_was_killed_between_two_questions_is_replaced(deputy: Deputy) -> None:
    child = deputy.ask("who", timeout=60)[0]
    os.kill(child, signal.SIGKILL)
    assert deputy.ask("who", timeout=60)[0] != child


def test_child_that_hangs_is_given_up_and_the_next_question_has_a_new_one(deputy: Deputy) -> None:
    with pytest.raises(AsUserError, match=r"none within 0\.2 s"):
        deputy.ask("hang", timeout=0.2)
    assert deputy.ask("who", timeout=60)[1] == 1


def test_failure_is_told_and_ends_nothing(deputy: Deputy) -> None:
    child = deputy.ask("who", timeout=60)[0]
    with pytest.raises(AsUserError, match="RuntimeError: no"):
        deputy.ask("fail", timeout=60)
    assert deputy.ask("who", timeout=60)[0] == child


def test_work_of_our_own_user_needs_no_child() -> None:
    own = Deputy(WHO._replace(uid=os.geteuid()), prepare)
    assert own.ask("who", timeout=60)[:2] == [os.getpid(), 1]
    assert own.ask("who", timeout=60)[1] == 2


def test_work_of_ones_own_that_fails_is_told_in_the_same_way_as_that_of_a_child() -> None:
    own = Account("self", os.geteuid(), os.getegid(), "/nonexistent")
    with pytest.raises(AsUserError, match="as self: FileNotFoundError: "):
        Deputy(own, lambda: os.lstat).ask("/nonexistent", timeout=60)
    with pytest.raises(AsUserError, match="as self: RuntimeError: no"):
        Deputy(own, prepare).ask("fail", timeout=60)
