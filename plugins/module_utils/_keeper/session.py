# Copyright: Watchbill contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The session of one agent: a tmux server in a unit of its own, reached through systemctl and tmux."""

from __future__ import annotations

import _socket
import contextlib
import os
import signal
import time
import typing as t

from .processes import CommandError, Runner, run, wait_readable

SYSTEMCTL_SECONDS = 100.0
"""More than systemd gives the unit to start: what is given up earlier would be begun anew, and never done."""
TMUX_SECONDS = 5.0
READY_SECONDS = 30.0
"""How long a new server may take, on a machine where a hundred of them start. One that ends is noticed at once."""
RETRY_SECONDS = 0.02
PANE = "%0"
"""The first pane of a tmux server: the one that tmux.conf made for the agent."""
PANE_FORMAT = (
    "#{pane_id} #{pane_pid} #{?pane_dead_signal,-,#{pane_dead_status}} #{?pane_dead_signal,#{pane_dead_signal},-}"
)
NARROW = "@watchbill-narrow"
AND_BACK = {"columns": ("-L", "-R"), "rows": ("-U", "-D")}
"""How tmux takes one of them from a window, and gives it back."""
PROBE_SECONDS = 2.0
SCREEN_LINES = 200
LOOKS = 5
"""How often tmux is asked how a program ended: each takes some milliseconds."""


class SessionError(Exception):
    """A session could not be looked at, started or stopped."""


class Found(t.NamedTuple):
    """A running session: the tmux server's pid, a pidfd (readable at its end), systemd's invocation id."""

    pid: int
    descriptor: int
    session_id: str


class Pane(t.NamedTuple):
    """The agent's own program: its pid, and how it ended where tmux knows. ``status`` is None after a signal."""

    pid: int
    status: int | None
    signal: str | None

    @property
    def ended(self) -> bool:
        """Whether tmux knows that the program ended."""
        return self.status is not None or self.signal is not None


class Drawn(t.NamedTuple):
    """When a program wrote to its terminal last, in seconds since the epoch, and the title that it gave it.

    ``at`` is None where nothing was written after the second in which the terminal was made.
    """

    at: int | None
    title: str


class Session:
    """One agent's session unit. Every method blocks for as long as systemd and tmux need."""

    def __init__(
        self, agent: str, runtime_directory: str, prepare: t.Callable[[], None] = lambda: None, runner: Runner = run
    ) -> None:
        """Know where the session of *agent* is; nothing is asked yet.

        :param prepare: called before every start, to make sure of what the session needs.
        """
        self.unit = f"watchbill-session@{agent}.service"
        self.socket = runtime_directory + "/tmux.sock"
        self._prepare = prepare
        self._run = runner

    def find(self) -> Found | None:
        """Return the session that runs, None where none does or it is about to end.

        :raises SessionError: systemd does not answer.
        """
        shown = self._systemctl("show", "--property=ActiveState,MainPID,InvocationID", self.unit)
        properties = dict(line.split("=", 1) for line in shown.splitlines() if "=" in line)
        pid = properties.get("MainPID", "0")
        if properties.get("ActiveState") not in ("active", "activating") or not pid.isdigit() or pid == "0":
            return None
        try:
            return Found(int(pid), os.pidfd_open(int(pid)), properties.get("InvocationID", ""))
        except ProcessLookupError:
            return None

    def start(self) -> Found:
        """Start the session and return it with the agent's program in it.

        :raises SessionError: systemd or tmux says no.
        """
        # The socket of a former server would answer nobody, and would look as if the new one was ready.
        try:
            self._prepare()
            with contextlib.suppress(FileNotFoundError):
                os.unlink(self.socket)
        except OSError as error:
            raise SessionError(f"the runtime directory: {error}") from error
        found = None
        try:
            self._systemctl("start", self.unit)
            found = self.find()
            if found is None:
                raise SessionError(f"{self.unit} ended at once ({self.result() or 'no reason known'})")
            self._await_socket(found)
            self.pane(READY_SECONDS)
        except SessionError:
            if found is not None:
                os.close(found.descriptor)
            # What is late must not run on with nobody following it.
            with contextlib.suppress(SessionError):
                self.stop()
            raise
        return found

    def stop(self) -> None:
        """End the session, with all processes in it: asked first, killed after the unit's TimeoutStopSec.

        :raises SessionError: systemd does not answer.
        """
        self._systemctl("stop", self.unit)

    def pane(self, timeout: float = TMUX_SECONDS) -> Pane | None:
        """Return the agent's pane, None where the server does not have it any more.

        ``start-server`` makes a server that never had a client read its configuration; ``-N`` keeps tmux from starting
        a server of its own, outside the unit.

        :raises SessionError: the server does not answer within *timeout* seconds, because it is stopped or gone.
        """
        listing = self._tmux("start-server", ";", "list-panes", "-a", "-F", PANE_FORMAT, timeout=timeout)
        for line in listing.splitlines():
            pane_id, pid, status, number = [*line.split(" "), "", "", ""][:4]
            if pane_id == PANE and pid.isdigit():
                return Pane(int(pid), int(status) if status.isdigit() else None, _signal_name(number))
        return None

    def ended_pane(self, found: Found) -> Pane | None:
        """Return the pane of a program that ended, with how it ended where tmux finds out.

        tmux 3.3a misses about one SIGCHLD in three of programs that end within a moment; another one makes it look.

        :raises SessionError: the server does not answer.
        """
        pane = None
        for _ in range(LOOKS):
            with contextlib.suppress(ProcessLookupError):
                os.kill(found.pid, signal.SIGCHLD)
            pane = self.pane()
            if pane is None or pane.ended:
                break
        return pane

    def screen(self) -> str:
        """Return the last 200 lines of the agent's terminal.

        :raises SessionError: the server does not answer.
        """
        return self._tmux("capture-pane", "-p", "-t", PANE, "-S", f"-{SCREEN_LINES}").rstrip()

    def narrow(self, by: str) -> None:
        """Take one of the ``columns`` or ``rows`` from the terminal, unless a former keeper did and was killed then.

        :raises SessionError: the server does not answer.
        """
        command = f"set-option -w -t {PANE} {NARROW} 1 ; resize-window -t {PANE} {AND_BACK[by][0]} 1"
        self._tmux("if-shell", "-F", "-t", PANE, f"#{{{NARROW}}}", "", command, timeout=PROBE_SECONDS)

    def widen(self, by: str) -> None:
        """Give the terminal its size again.

        :raises SessionError: the server does not answer.
        """
        command = f"resize-window -t {PANE} {AND_BACK[by][1]} 1 ; set-option -w -t {PANE} -u {NARROW}"
        self._tmux("if-shell", "-F", "-t", PANE, f"#{{{NARROW}}}", command, "", timeout=PROBE_SECONDS)

    def drawn(self) -> Drawn:
        """Return what the agent's program did to its terminal last.

        :raises SessionError: the server does not answer.
        """
        # To tmux, that it made the window is activity as well.
        wanted = "#{window_activity} #{session_created} #{pane_title}"
        said = self._tmux("display-message", "-p", "-t", PANE, wanted, timeout=PROBE_SECONDS)
        at, made, title = [*said.split(" ", 2), "", ""][:3]
        drew = at.isdigit() and made.isdigit() and int(at) > int(made)
        return Drawn(int(at) if drew else None, title.strip())

    def result(self) -> str:
        """Return systemd's word for how the unit ended (``success``, ``signal``, ``oom-kill`` …), else nothing."""
        try:
            return self._systemctl("show", "--property=Result", "--value", self.unit).strip()
        except SessionError:
            return ""

    def _await_socket(self, found: Found) -> None:
        """Return when the tmux server accepts connections. It offers no event for that, so it is asked every 20 ms."""
        deadline = time.monotonic() + READY_SECONDS
        while not self._accepts():
            if wait_readable(found.descriptor, RETRY_SECONDS):
                raise SessionError("tmux ended before it was ready: see the session's journal")
            if time.monotonic() > deadline:
                raise SessionError(f"tmux was not ready within {READY_SECONDS:g} s")

    def _accepts(self) -> bool:
        connection = _socket.socket(_socket.AF_UNIX, _socket.SOCK_STREAM | _socket.SOCK_CLOEXEC)
        try:
            connection.connect(self.socket)
        except (FileNotFoundError, ConnectionRefusedError):
            return False
        finally:
            connection.close()
        return True

    def _systemctl(self, *arguments: str) -> str:
        try:
            return self._run(["systemctl", "--user", "--no-pager", "--no-ask-password", *arguments], SYSTEMCTL_SECONDS)
        except CommandError as error:
            raise SessionError(str(error)) from error

    def _tmux(self, *arguments: str, timeout: float = TMUX_SECONDS) -> str:
        try:
            return self._run(["tmux", "-N", "-S", self.socket, *arguments], timeout)
        except CommandError as error:
            raise SessionError(str(error)) from error


def _signal_name(text: str) -> str | None:
    """Return a signal's name; tmux 3.3 says its number."""
    if text in ("", "-"):
        return None
    try:
        return signal.Signals(int(text)).name
    except ValueError:
        return text
