"""What happened to an agent: its keeper's events, the journal of its units, its transcript."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from watchbill.ops.override import operator
from watchbill.ops.remote import check, command_line, run
from watchbill.ops.status import find_agent
from watchbill.ops.stream import lines_of

if TYPE_CHECKING:
    from watchbill.ops.target import Target

MOST_LINES = 100_000


def logs(
    target: Target, reference: str, *, lines: int = 50, as_json: bool = False, transcript: bool = True
) -> list[str]:
    """Return the last `lines` lines of an agent's log, oldest first; without `transcript` none of what was said.

    Raises OperationError when its host cannot be asked.
    """
    agent = find_agent(target, reference)
    words = [*_arguments(agent.tenant, agent.name, lines, as_json), *([] if transcript else ["--no-transcript"])]
    reply = run(agent.host, command_line(target, agent.host, words))
    check(agent.host, reply)
    return reply.output.decode(errors="replace").splitlines()


@contextmanager
def following(target: Target, reference: str, *, lines: int = 50, as_json: bool = False) -> Iterator[Iterator[str]]:
    """Yield an iterator over the last `lines` lines of an agent's log and then over each new one, for as long as it is
    wanted. Raises OperationError, at the end of the lines, when the host cannot be asked.
    """
    agent = find_agent(target, reference)
    arguments = [*_arguments(agent.tenant, agent.name, lines, as_json), "--follow"]
    with lines_of(agent.host, command_line(target, agent.host, arguments)) as found:
        yield found


def _arguments(tenant: str, name: str, lines: int, as_json: bool) -> list[str]:
    words = ["logs", f"{tenant}/{name}", "-n", str(min(lines, MOST_LINES)), "--who", operator()]
    return [*words, *(["--json"] if as_json else [])]
