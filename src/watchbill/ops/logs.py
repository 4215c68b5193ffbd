"""What happened to an agent, as its keeper wrote it down."""

from __future__ import annotations

import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import IO, TYPE_CHECKING

from watchbill.ops.remote import HostError, Reply, check, command_line, missing, run
from watchbill.ops.status import find_agent

if TYPE_CHECKING:
    from watchbill.ops.target import Target

MOST_LINES = 100_000
# A line that is longer than this is handed on in pieces: a host cannot fill our memory with one.
LONGEST_LINE = 65_536


def logs(target: Target, reference: str, *, lines: int = 50, as_json: bool = False) -> list[str]:
    """Return the last `lines` lines of an agent's log, oldest first.

    Raises OperationError when its host cannot be asked.
    """
    agent = find_agent(target, reference)
    reply = run(agent.host, command_line(target, agent.host, _arguments(agent.tenant, agent.name, lines, as_json)))
    check(agent.host, reply)
    return reply.output.decode(errors="replace").splitlines()


@contextmanager
def following(target: Target, reference: str, *, lines: int = 50, as_json: bool = False) -> Iterator[Iterator[str]]:
    """Yield an iterator over the last `lines` lines of an agent's log and then over each new one, for as long as it is
    wanted. Raises OperationError, at the end of the lines, when the host cannot be asked.
    """
    agent = find_agent(target, reference)
    arguments = [*_arguments(agent.tenant, agent.name, lines, as_json), "--follow"]
    command, pipe = command_line(target, agent.host, arguments), subprocess.PIPE
    try:
        process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=pipe, stderr=pipe)
    except FileNotFoundError as error:
        raise missing(agent.host, error) from None
    try:
        if process.stdout is None or process.stderr is None:
            raise HostError(agent.host, "gives no output")
        yield _lines(agent.host, process, process.stdout, process.stderr)
    finally:
        process.terminate()
        process.wait()


def _lines(host: str, process: subprocess.Popen[bytes], output: IO[bytes], errors: IO[bytes]) -> Iterator[str]:
    last_words = bytearray()

    def listen() -> None:
        while line := errors.readline(LONGEST_LINE):
            last_words[:] = (last_words + line)[-LONGEST_LINE:]

    listener = threading.Thread(target=listen, daemon=True)
    listener.start()
    while line := output.readline(LONGEST_LINE):
        yield line.decode(errors="replace").rstrip("\n")
    listener.join()
    check(host, Reply(process.wait(), b"", last_words.decode(errors="replace")))


def _arguments(tenant: str, name: str, lines: int, as_json: bool) -> list[str]:
    return ["logs", f"{tenant}/{name}", "-n", str(min(lines, MOST_LINES)), *(["--json"] if as_json else [])]
