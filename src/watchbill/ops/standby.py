"""A process that keeps the lines to hosts open between one `ps` and the next, as ssh keeps its connections.

Who asked hosts leaves it behind: a fork that has the fleet loaded, all lines open, and a socket in the private
directory of ssh's own sockets. It reads the fleet again where a file of it changed, and ends after a minute without a
question. WATCHBILL_STANDBY=0 does without it.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import select
import socket
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from watchbill import __version__
from watchbill.connect import control_directory
from watchbill.errors import WatchbillError
from watchbill.ops.poller import PATIENCE_SECONDS
from watchbill.ops.status import AgentStatus, LastApply, Status, Stray

if TYPE_CHECKING:
    from watchbill.ops.poller import Poller

IDLE_SECONDS = 60.0
_SWITCH = "WATCHBILL_STANDBY"
_REQUEST_SECONDS = 2.0
_LONGEST_REQUEST = 65_536
# What else decides whom ssh reaches, and as whom: another one is not for who asks from there.
_ENVIRONMENT = ("SSH_", "XDG_", "WATCHBILL_", "HOME=", "PATH=", "USER=")

_waiting: list[Poller] = []


def ask(path: Path, limit: Sequence[str], lab: bool, meanwhile: Callable[[], None] | None = None) -> Status | None:
    """Return what the process on standby for this fleet file finds, None where there is none or it cannot tell.

    `meanwhile` is called while it looks.
    """
    if os.environ.get(_SWITCH) == "0":
        return None
    try:
        answer = _asked(path, lab, {"limit": list(limit)}, meanwhile)
        return _read(json.loads(answer)) if answer else None
    except (OSError, ValueError, LookupError, TypeError, WatchbillError):
        return None


def end(path: Path, lab: bool) -> None:
    """End the process on standby for this fleet file, where there is one; returns when it has let go of its hosts."""
    with contextlib.suppress(OSError, WatchbillError):
        _asked(path, lab, {"end": True})


def _asked(path: Path, lab: bool, request: Mapping[str, Any], meanwhile: Callable[[], None] | None = None) -> bytes:
    """Return the whole answer. Raises OSError where nobody answers."""
    with socket.socket(socket.AF_UNIX) as line:
        line.settimeout(PATIENCE_SECONDS + _REQUEST_SECONDS)
        line.connect(_socket_path(path, lab))
        line.sendall(json.dumps(request).encode() + b"\n")
        if meanwhile is not None:
            meanwhile()
        return b"".join(iter(lambda: line.recv(1 << 18), b""))


def keep(poller: Poller) -> None:
    """Let the lines of a poller outlive this process, where its entry point says so by `leave_behind`.

    Lines to this machine alone are not worth it: who logs out of a laptop leaves nothing of Watchbill behind there.
    """
    while _waiting:
        _waiting.pop().close()
    if os.environ.get(_SWITCH) == "0" or not poller.far:
        poller.close()
    else:
        _waiting.append(poller)


def leave_behind() -> None:
    """Fork the process on standby for the poller that is to be kept; nothing where there is none, or one already.

    Everything that was printed has to be flushed before.
    """
    if not _waiting:
        return
    poller = _waiting.pop()
    listener = _listen(_socket_path(poller.target.path, poller.target.lab))
    if listener is None:
        return
    if os.fork():
        return
    try:
        _detach()
        _serve(listener, poller)
    finally:
        # Neither exit handlers nor buffers of the process that left us behind are ours.
        os._exit(0)


def _socket_path(path: Path, lab: bool) -> str:
    environment = sorted(f"{name}={value}" for name, value in os.environ.items() if f"{name}=".startswith(_ENVIRONMENT))
    identity = [__version__, sys.executable, __file__, os.path.realpath(path), str(lab), *environment]
    name = hashlib.sha256("\0".join(identity).encode(errors="surrogateescape")).hexdigest()[:24]
    return str(control_directory() / name)


def _listen(path: str) -> socket.socket | None:
    """Return a socket at a path that nobody answers at."""
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


def _serve(listener: socket.socket, poller: Poller) -> None:
    from watchbill.ops.target import target_of

    path = listener.getsockname()
    # Whoever left it behind may have asked some hosts only.
    poller.target = target_of(poller.target.fleet, lab=poller.target.lab)
    mine = os.stat(path).st_ino
    ended = False
    while not ended and select.select([listener], [], [], IDLE_SECONDS)[0]:
        line, _ = listener.accept()
        # Whoever does not say what it wants, or leaves, and whoever asks for what is a mistake, asks hosts itself.
        with line, contextlib.suppress(OSError, ValueError, WatchbillError):
            line.settimeout(_REQUEST_SECONDS)
            request = json.loads(line.makefile("rb").readline(_LONGEST_REQUEST))
            ended = isinstance(request, dict) and request.get("end") is True
            if ended:
                poller.close()
            else:
                poller.refresh()
                found = poller.look(hosts=_hosts(poller, request))
                line.sendall(json.dumps(_written(found)).encode())
    poller.close()
    with contextlib.suppress(OSError):
        if os.stat(path).st_ino == mine:
            os.unlink(path)


def _hosts(poller: Poller, request: Any) -> tuple[str, ...]:
    from watchbill.ops.target import target_of

    limit = request.get("limit") if isinstance(request, dict) else None
    return target_of(poller.target.fleet, limit=limit or (), lab=poller.target.lab).hosts


def _written(status: Status) -> dict[str, Any]:
    return {
        "fleet": status.fleet,
        "agents": [agent.to_json() for agent in status.agents],
        "hosts": status.hosts,
        "unknown": dict(status.unknown),
        "not_applied": status.not_applied,
        "notices": dict(status.notices),
        "strays": [stray.to_json() for stray in status.strays],
        "applied": {host: [one.generation, one.at] for host, one in status.applied.items()},
    }


def _read(said: Mapping[str, Any]) -> Status:
    return Status(
        agents=tuple(AgentStatus(**row) for row in said["agents"]),
        hosts=tuple(said["hosts"]),
        unknown=said["unknown"],
        not_applied=tuple(said["not_applied"]),
        notices={host: tuple(notices) for host, notices in said["notices"].items()},
        strays=tuple(Stray(**stray) for stray in said["strays"]),
        applied={host: LastApply(*one) for host, one in said["applied"].items()},
        fleet=said["fleet"],
    )
