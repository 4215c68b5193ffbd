# Copyright: Watchbill contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""A child that is another user and answers again and again: :func:`._as_user.call_as` without a fork for each call."""

from __future__ import annotations

import json
import os
import select
import time
import typing as t

from ._as_user import ANSWER_LIMIT, AsUserError, become, end_child
from ._layout import Account

Work = t.Callable[..., t.Any]
_CHUNK = 262_144


class Deputy:
    """Does one kind of work as *who*: in a child, which a tenant may stop or kill, or here where we are that user."""

    def __init__(self, who: Account, prepare: t.Callable[[], Work]) -> None:
        """Do nothing yet. *prepare* is called once, as that user, and returns the work."""
        self.who = who
        self._prepare = prepare
        self._here: Work | None = None
        self._child: tuple[int, int, int] | None = None

    def ask(self, *arguments: t.Any, timeout: float) -> t.Any:
        """Return what the work makes of *arguments*; both are plain data.

        :raises AsUserError: the work raised, or there was no whole answer of at most 8 MiB within *timeout* seconds.
        """
        if os.geteuid() == self.who.uid:
            self._here = self._here or self._prepare()
            try:
                return self._here(*arguments)
            except Exception as problem:
                raise AsUserError(f"as {self.who.name}: {type(problem).__name__}: {problem}") from problem
        # A child of an earlier question that has died meanwhile says nothing about this one.
        for last in (self._child is None, True):
            try:
                return self._asked(arguments, timeout)
            except BrokenPipeError as problem:
                if last:
                    raise AsUserError(f"no answer as {self.who.name}") from problem
        return None

    def _asked(self, arguments: tuple[t.Any, ...], timeout: float) -> t.Any:
        """Return the answer of the child.

        :raises BrokenPipeError: it has died.
        :raises AsUserError: as :meth:`ask`.
        """
        self._child = self._child or self._fork()
        try:
            os.write(self._child[2], json.dumps(arguments).encode() + b"\n")
            answer = json.loads(_line(self._child[1], timeout))
            error, value = answer["error"], answer["value"]
        except BrokenPipeError:
            self.close()
            raise
        except (OSError, ValueError, RecursionError, KeyError, TypeError) as problem:
            self.close()
            raise AsUserError(f"no answer as {self.who.name}: {problem}") from problem
        if error is not None:
            raise AsUserError(f"as {self.who.name}: {error}")
        return value

    def close(self) -> None:
        """End the child; the next question has a new one."""
        child, self._child = self._child, None
        if child is not None:
            os.close(child[1])
            os.close(child[2])
            end_child(child[0])

    def _fork(self) -> tuple[int, int, int]:
        """Return pid, the end to read answers from, and the end to write questions to."""
        answers, answer = os.pipe()
        question, questions = os.pipe()
        child = os.fork()
        if child == 0:
            try:
                become(self.who, (question, answer))
                _answer(question, answer, self._prepare())
            finally:
                os._exit(0)
        os.close(answer)
        os.close(question)
        return child, answers, questions


def _answer(question: int, answer: int, work: Work) -> None:
    """Answer until nobody can ask any more."""
    with os.fdopen(question, "rb") as questions:
        for line in questions:
            said: dict[str, t.Any] = {"error": None, "value": None}
            try:
                said["value"] = work(*json.loads(line))
            except Exception as error:  # noqa: BLE001 -- the parent raises it again
                said["error"] = f"{type(error).__name__}: {error}"
            data = json.dumps(said).encode() + b"\n"
            while data:
                data = data[os.write(answer, data) :]


def _line(reader: int, timeout: float) -> bytes:
    """Return one line, without its end.

    :raises ValueError: it does not come in time, or is too long.
    :raises BrokenPipeError: its writer has gone.
    """
    deadline = time.monotonic() + timeout
    taken = b""
    while not taken.endswith(b"\n"):
        left = deadline - time.monotonic()
        if left <= 0 or not select.select([reader], [], [], left)[0]:
            raise ValueError(f"none within {timeout:g} s")
        chunk = os.read(reader, _CHUNK)
        taken += chunk
        if not chunk:
            raise BrokenPipeError
        if len(taken) > ANSWER_LIMIT:
            raise ValueError(f"larger than {ANSWER_LIMIT} bytes")
    return taken
