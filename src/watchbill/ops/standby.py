"""A process that keeps the lines to hosts open between one `ps` and the next, as ssh keeps its connections.

Who asked hosts leaves it behind: a fork that has the fleet loaded, all lines open, all that a command imports, and a
socket in the private directory of ssh's own sockets (`watchbill.standby` asks there). A request is one line of JSON:

- ``{"command": [WORD, …], "limit": [HOST, …], "directory": …, "environment": …}``: this process looks at these hosts
  and answers `READY`. A line with three descriptors has to follow; then a fork of this process runs that command line,
  and the answer is `STARTED` and the exit code.
- ``{"end": true}``: let go of all hosts.

It reads the fleet again where a file of it changed, and ends after a minute without a request, or when its own program
has changed. WATCHBILL_STANDBY=0 does without it.
"""

from __future__ import annotations

import contextlib
import fcntl
import gc
import json
import os
import select
import signal
import socket
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from watchbill.errors import WatchbillError
from watchbill.ops.poller import Poller, readable
from watchbill.ops.status import Status
from watchbill.standby import ANSWER_SECONDS, PATIENCE_SECONDS, READY, STARTED, socket_path, switched_off

IDLE_SECONDS = 60.0
_REQUEST_SECONDS = 2.0
_LONGEST_REQUEST = 1 << 20

Command = Callable[[Sequence[str]], int]
"""What runs a command line of Watchbill and returns its exit code."""

# What the process that this one is a fork of has just found, by fleet file, lab and hosts.
_seen: dict[tuple[str, bool, tuple[str, ...]], Status] = {}
_waiting: list[tuple[Poller, Callable[[], None]]] = []


def just_seen(path: Path, limit: Sequence[str], lab: bool) -> Status | None:
    """Return what the process on standby has found for this command, None where none runs it; once."""
    return _seen.pop((os.path.realpath(path), lab, tuple(limit)), None)


def end(path: Path, lab: bool) -> None:
    """End the process on standby for this fleet file, where there is one; returns when it has let go of its hosts."""
    with contextlib.suppress(OSError, WatchbillError), socket.socket(socket.AF_UNIX) as line:
        line.settimeout(PATIENCE_SECONDS + ANSWER_SECONDS)
        line.connect(socket_path(path, lab))
        line.sendall(b'{"end": true}\n')
        line.recv(1)


def keep(poller: Poller, prepare: Callable[[], None]) -> None:
    """Let the lines of a poller outlive this process, where its entry point says so by `leave_behind`.

    `prepare` is called once by who is on standby, to import what commands need.

    Lines to this machine alone are not worth it: who logs out of a laptop leaves nothing of Watchbill behind there.
    """
    while _waiting:
        _waiting.pop()[0].close()
    if switched_off() or not poller.far:
        poller.close()
    else:
        _waiting.append((poller, prepare))


def leave_behind(run: Command) -> None:
    """Fork the process on standby for the poller that is to be kept; nothing where there is none, or one already.

    It runs command lines by `run`. Everything that was printed has to be flushed before.
    """
    if not _waiting:
        return
    poller, prepare = _waiting.pop()
    listener = _listen(socket_path(poller.target.path, poller.target.lab))
    if listener is None:
        return
    try:
        programs = _programs()
        detached, detaching = os.pipe()
        pid = os.fork()
    except OSError:  # the program is being replaced, or there are no more processes: then nobody stays
        listener.close()
        return
    if pid:
        listener.close()
        os.close(detaching)
        os.read(detached, 1)  # our caller's shell may try its lock as soon as we have ended
        os.close(detached)
        return
    try:
        os.close(detached)
        _detach()
        os.close(detaching)
        prepare()
        # Who left us behind may have ended long ago: what changed since is another program.
        _Standby(listener, poller, run, _programs() | programs).serve()
    finally:
        # Neither exit handlers nor buffers of the process that left us behind are ours.
        os._exit(0)


def _listen(path: str) -> socket.socket | None:
    """Return a socket at a path that nobody answers at; of several that come at once, one gets it."""
    directory = os.open(os.path.dirname(path), os.O_RDONLY | os.O_DIRECTORY)
    try:
        fcntl.flock(directory, fcntl.LOCK_EX)
        return _listener(path)
    finally:
        os.close(directory)


def _listener(path: str) -> socket.socket | None:
    listener = socket.socket(socket.AF_UNIX)
    try:
        with socket.socket(socket.AF_UNIX) as other:
            other.connect(path)
        listener.close()
        return None
    except OSError:
        pass  # nobody, or one that has died
    try:
        with contextlib.suppress(FileNotFoundError):
            os.unlink(path)
        listener.bind(path)
        listener.listen()
    except OSError:
        listener.close()
        return None
    return listener


def _detach() -> None:
    """Belong to no terminal, and hold nobody's pipe open, nor a lock that our caller's shell has."""
    os.setsid()
    os.chdir("/")
    nowhere = os.open(os.devnull, os.O_RDWR)
    for standard in range(3):
        os.dup2(nowhere, standard, inheritable=False)
    for name in os.listdir("/proc/self/fd"):
        # What Python opened itself, it lets nobody inherit.
        with contextlib.suppress(OSError):  # the one that listed this directory
            if int(name) > 2 and os.get_inheritable(int(name)):
                os.close(int(name))


class _Standby:
    """What serves requests, and what it knows of the commands that run."""

    def __init__(self, listener: socket.socket, poller: Poller, run: Command, programs: Mapping[str, int]) -> None:
        from watchbill.ops.target import target_of

        self._listener, self._poller, self._run = listener, poller, run
        # Whoever left it behind may have asked some hosts only.
        poller.target = target_of(poller.target.fleet, lab=poller.target.lab)
        self._file = os.path.realpath(poller.target.path)
        self._path = listener.getsockname()
        self._inode = os.stat(self._path).st_ino
        self._children: dict[int, _Child] = {}
        self._programs = programs
        # What is there now stays: commands share it with us, as long as nobody counts its references.
        gc.freeze()

    def serve(self) -> None:
        """Serve until nobody has asked for a while, somebody says so, or the program is another one."""
        while True:
            lines = {child.line.fileno(): child for child in self._children.values() if child.asks}
            watched = select.poll()  # unlike select(), it takes any number of hosts
            for descriptor in (self._listener.fileno(), *self._children, *lines):
                watched.register(descriptor, select.POLLIN)
            ready = watched.poll(None if self._children else IDLE_SECONDS * 1000)
            if not ready:
                self._leave()
                return
            for descriptor, _ in ready:
                if descriptor in self._children:
                    self._children.pop(descriptor).end(descriptor)
                elif descriptor in lines:
                    lines[descriptor].interrupt()
                elif not self._accept():
                    return

    def _leave(self) -> None:
        """Let go of the socket and of all hosts; once: the next one's socket may look like ours."""
        with contextlib.suppress(OSError):
            if os.stat(self._path).st_ino == self._inode:
                os.unlink(self._path)
        self._listener.close()
        self._poller.close()

    def _accept(self) -> bool:
        """Serve one request; return whether to go on, else it has let go of everything."""
        line, _ = self._listener.accept()
        # Whoever does not say what it wants, or leaves, and whoever asks for what is a mistake, asks hosts itself.
        with contextlib.ExitStack() as stack:
            stack.enter_context(contextlib.suppress(OSError, ValueError, LookupError, TypeError, WatchbillError))
            stack.callback(line.close)
            line.settimeout(_REQUEST_SECONDS)
            request = _received(line)
            if request.get("end") is True or self._is_outdated():
                self._leave()  # before who asked hears of it
                return False
            if readable(line.fileno()):
                return True  # it has nothing more to say, so it has left: a look that was slow kept it
            with contextlib.suppress(WatchbillError):  # whoever runs the command hears of it again, and says so
                self._see(tuple(request["limit"]))
            line.sendall(READY)
            _, streams, _, _ = socket.recv_fds(line, 1, 3)
            stack.callback(_close, streams)
            self._start(line, request, streams)
            stack.pop_all()
            _close(streams)
        return True

    def _is_outdated(self) -> bool:
        if os.path.realpath(self._poller.target.path) != self._file:
            return True  # by a link that leads to another fleet now
        try:
            return any(os.stat(file).st_mtime_ns != written for file, written in self._programs.items())
        except OSError:
            return True

    def _see(self, limit: tuple[str, ...]) -> None:
        """Keep what is found now for the fork that is made next. Raises WatchbillError."""
        target = self._poller.target
        _seen.clear()
        _seen[os.path.realpath(target.path), target.lab, limit] = self._look(limit)

    def _look(self, limit: Sequence[str]) -> Status:
        """Return what agents do, of these hosts or all, by the fleet file as it is now. Raises WatchbillError."""
        from watchbill.ops.target import target_of

        self._poller.refresh()
        target = self._poller.target
        return self._poller.look(hosts=target_of(target.fleet, limit=limit, lab=target.lab).hosts)

    def _start(self, line: socket.socket, request: Mapping[str, Any], streams: Sequence[int]) -> None:
        """Run a command line in a fork that takes the place of who asked. Raises OSError, LookupError, ValueError."""
        words, directory, environment = request["command"], request["directory"], request["environment"]
        standard = dict(zip(range(3), streams, strict=True))
        pid = os.fork()
        if pid:
            self._children[os.pidfd_open(pid)] = _Child(pid, line)
            return
        try:
            self._listener.close()
            _take_the_place(directory, environment, standard)
            line.sendall(STARTED % os.getpid())
            # Who ended it need not wait for us to notice: we may be waiting for a host.
            line.sendall(b"%d\n" % self._run(words))
        finally:
            os._exit(0)


class _Child:
    """A command that runs for somebody."""

    def __init__(self, pid: int, line: socket.socket) -> None:
        self.pid, self.line, self.asks = pid, line, True

    def interrupt(self) -> None:
        """Who asked has left: the command is of no use to anybody."""
        if self.asks:  # and so it is our child still, and not yet waited for
            self.asks = False
            os.kill(self.pid, signal.SIGINT)

    def end(self, handle: int) -> None:
        """Forget it: it has said how it ended, unless somebody killed it."""
        self.asks = False
        os.close(handle)
        os.waitpid(self.pid, 0)
        self.line.close()


def _received(line: socket.socket) -> dict[str, Any]:
    """Return a request. Raises OSError, ValueError or TypeError."""
    request = json.loads(line.makefile("rb").readline(_LONGEST_REQUEST))
    if not isinstance(request, dict):
        raise TypeError("a request is an object")
    return request


def _close(descriptors: Sequence[int]) -> None:
    for descriptor in descriptors:
        os.close(descriptor)


def _take_the_place(directory: str, environment: Mapping[str, str], standard: Mapping[int, int]) -> None:
    """Be where somebody else is, with its variables and its standard input, output and error."""
    for number, descriptor in standard.items():
        os.dup2(descriptor, number)
        os.close(descriptor)
    # They stay open until the process ends.
    sys.stdin = open(0, closefd=False, encoding=sys.stdin.encoding)  # noqa: SIM115
    sys.stdout = open(1, "w", closefd=False, encoding=sys.stdout.encoding)  # noqa: SIM115
    sys.stderr = open(2, "w", 1, closefd=False, encoding=sys.stderr.encoding, errors="backslashreplace")  # noqa: SIM115
    os.chdir(directory)
    for name in os.environ.keys() - environment.keys():
        del os.environ[name]
    os.environ.update(environment)
    time.tzset()
    signal.signal(signal.SIGINT, signal.default_int_handler)


def _programs() -> dict[str, int]:
    """Return when the files that this process was made of were written."""
    files = {module.__file__ for name, module in list(sys.modules.items()) if name.partition(".")[0] == "watchbill"}
    return {file: os.stat(file).st_mtime_ns for file in files if file}
