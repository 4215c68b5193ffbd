"""Run the host half's own command on hosts, over SSH, and take no more from them than was asked for."""

from __future__ import annotations

import contextlib
import json
import os
import pwd
import selectors
import shlex
import signal
import subprocess
import tempfile
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeVar

from watchbill.errors import OperationError, visible

if TYPE_CHECKING:
    from watchbill.connect import Connection
    from watchbill.ops.target import Target

PROGRAM = "/usr/local/bin/watchbill-host"
ROOTLESS_PROGRAM = "~/.local/bin/watchbill-host"
MOST_BYTES = 16 * 1024 * 1024
MOST_CONNECTIONS = 32
TIMEOUT_SECONDS = 30.0
_SSH_FAILED = 255
_NOT_FOUND = 127

Answer = TypeVar("Answer")


@dataclass(frozen=True)
class Reply:
    """What a command on a host printed and how it ended."""

    return_code: int
    output: bytes
    errors: str


class HostError(OperationError):
    """A host could not be asked; `unreachable`: the connection failed, otherwise the host answered with an error."""

    def __init__(self, host: str, reason: str, *, hint: str = "", unreachable: bool = False) -> None:
        super().__init__(f"{host}: {reason}", hint, "unreachable" if unreachable else "host-failed")
        self.host = host
        self.reason = reason
        self.unreachable = unreachable


class NotInstalled(HostError):
    """A host has no host half yet: nothing was applied there."""

    def __init__(self, host: str) -> None:
        super().__init__(host, "watchbill is not there yet", hint=f"watchbill apply --limit {host}")


def connection_to(target: Target, host: str) -> Connection:
    """Return how to reach a host of the target."""
    from watchbill.connect import connection

    return connection(target.fleet, host, target.lab)


def command_line(target: Target, host: str, arguments: Sequence[str], *, terminal: bool = False) -> list[str]:
    """Return the argument list that runs ``watchbill-host ARGUMENTS`` on `host`, with a terminal there if asked for."""
    from watchbill.connect import ssh_arguments

    connection = connection_to(target, host)
    rootless = target.fleet.hosts[host].rootless
    become = connection.become and not rootless
    if connection.local:
        program = _own_program() if rootless else PROGRAM
        as_root = ["sudo", "-n", "--"] if become and os.geteuid() != 0 else []
        return [*as_root, program, *arguments]
    # The far shell expands the home directory; every argument is quoted for it.
    program = '"$HOME"/.local/bin/watchbill-host' if rootless else PROGRAM
    far = " ".join(part for part in ("sudo -n --" if become else "", program, shlex.join(arguments)) if part)
    return ["ssh", *(["-t"] if terminal else []), *ssh_arguments(connection), far]


def _own_program() -> str:
    """Return the host half of this very user. Not by $HOME: an agent has one of its own, and may ask as well."""
    return pwd.getpwuid(os.geteuid()).pw_dir + ROOTLESS_PROGRAM.removeprefix("~")


def drop_connection(target: Target, host: str) -> None:
    """Let ssh's master for a host take nobody any more: the next command connects anew, what goes over it goes on."""
    from watchbill.connect import ssh_arguments

    connection = connection_to(target, host)
    if not connection.local:
        command = ["ssh", "-O", "stop", *ssh_arguments(connection)]
        # It ends with an error where there is no master, and hangs where that does not answer: both are the end of it.
        with contextlib.suppress(subprocess.TimeoutExpired, OSError):
            subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, timeout=2, check=False)


def ask(
    target: Target,
    host: str,
    arguments: Sequence[str],
    *,
    timeout: float = TIMEOUT_SECONDS,
    failed_too: bool = False,
    source: bytes = b"",
) -> Any:
    """Return the JSON that ``watchbill-host ARGUMENTS`` prints on `host`; with `failed_too` also if it ends with 1.

    It reads `source` as its standard input.

    Raises NotInstalled, or HostError when the host cannot be reached, is too slow, says too much, or fails.
    """
    reply = run(host, command_line(target, host, arguments), timeout=timeout, source=source)
    if not (failed_too and reply.return_code == 1 and reply.output.lstrip()[:1] in (b"{", b"[")):
        check(host, reply)
    try:
        return json.loads(reply.output)
    except (ValueError, RecursionError):
        raise HostError(
            host, "its answer is no JSON", hint=f"watchbill apply --limit {host} brings its host half up to date"
        ) from None


def check(host: str, reply: Reply) -> None:
    """Raise NotInstalled or HostError when a command on a host did not end well."""
    if reply.return_code == 0:
        return
    reason = _last_line(reply.errors)
    if reply.return_code == _SSH_FAILED:
        raise HostError(host, reason or "cannot be reached", unreachable=True)
    # sudo ends with 1, not 127, for a program that does not exist.
    if reply.return_code == _NOT_FOUND or ("watchbill-host" in reason and "command not found" in reason):
        raise NotInstalled(host)
    raise HostError(host, _said(reply) or f"ended with {reply.return_code}")


def run(host: str, command: Sequence[str], *, timeout: float = TIMEOUT_SECONDS, source: bytes = b"") -> Reply:
    """Run a command to its end and return what it printed; it reads `source`.

    Raises HostError past `timeout` seconds or MOST_BYTES.
    """
    with tempfile.TemporaryFile() as read:
        read.write(source)
        read.seek(0)
        try:
            process = subprocess.Popen(
                command, stdin=read, stdout=subprocess.PIPE, stderr=subprocess.PIPE, start_new_session=True
            )
        except FileNotFoundError as error:
            raise missing(host, error) from None
    try:
        output, errors = _collect(host, process, time.monotonic() + timeout, timeout)
        return Reply(process.wait(timeout), output, errors.decode(errors="replace"))
    except subprocess.TimeoutExpired:
        raise HostError(host, f"did not end within {timeout:.0f} s", unreachable=True) from None
    finally:
        _end(process)


def _end(process: subprocess.Popen[bytes]) -> None:
    """Let nothing of a process go on that has not ended by itself."""
    for pipe in (process.stdout, process.stderr):
        if pipe is not None:
            pipe.close()
    if process.returncode is None:
        # Root's, by sudo on this machine: it ends because nobody reads it.
        with contextlib.suppress(PermissionError):
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()


def missing(host: str, error: FileNotFoundError) -> HostError:
    """Return what it means for a host that a program is not there on this machine."""
    if error.filename in (PROGRAM, _own_program()):
        return NotInstalled(host)
    return HostError(host, f"{error.filename} is not installed here")


def _collect(host: str, process: subprocess.Popen[bytes], deadline: float, timeout: float) -> tuple[bytes, bytes]:
    """Return both outputs of a process once it closed them."""
    taken: dict[str, bytearray] = {"output": bytearray(), "errors": bytearray()}
    with selectors.DefaultSelector() as selector:
        for name, pipe in (("output", process.stdout), ("errors", process.stderr)):
            if pipe is not None:
                selector.register(pipe, selectors.EVENT_READ, name)
        while selector.get_map():
            ready = selector.select(max(0.0, deadline - time.monotonic()))
            if not ready:
                raise HostError(host, f"did not answer within {timeout:.0f} s", unreachable=True)
            for key, _ in ready:
                chunk = os.read(key.fd, 65536)
                if not chunk:
                    selector.unregister(key.fileobj)
                taken[key.data] += chunk
                if len(taken[key.data]) > MOST_BYTES:
                    raise HostError(host, f"said more than {MOST_BYTES // 1024 // 1024} MiB")
    return bytes(taken["output"]), bytes(taken["errors"])


def on_every_host(hosts: Sequence[str], ask_one: Callable[[str], Answer]) -> dict[str, Answer | HostError]:
    """Return what `ask_one` returns for each host, asked at the same time; a HostError it raises stands for its
    answer.
    """

    def answer_or_error(host: str) -> Answer | HostError:
        try:
            return ask_one(host)
        except HostError as error:
            return error

    if not hosts:
        return {}
    with ThreadPoolExecutor(max_workers=min(MOST_CONNECTIONS, len(hosts))) as pool:
        return dict(zip(hosts, pool.map(answer_or_error, hosts), strict=True))


def _said(reply: Reply) -> str:
    """Return the reason that a command of the host half gave: an error object, or its last line."""
    for text in (reply.errors, reply.output.decode(errors="replace")):
        try:
            errors = json.loads(text)["errors"]
            return visible("; ".join(str(error["message"]) for error in errors))
        except (ValueError, KeyError, TypeError):
            continue
    return _last_line(reply.errors) or _last_line(reply.output.decode(errors="replace"))


def _last_line(text: str) -> str:
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    return visible(lines[-1])[:300] if lines else ""
