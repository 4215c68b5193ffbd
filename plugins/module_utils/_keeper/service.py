# Copyright: Watchbill contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Being a service: sd_notify(3) by hand, signals as something that poll can wait for."""

from __future__ import annotations

import _socket
import os
import signal
import typing as t


class Service:
    """Our side of systemd. Outside of it (no NOTIFY_SOCKET) every word goes nowhere."""

    def __init__(self) -> None:
        """Take the socket from the environment."""
        address = os.environ.get("NOTIFY_SOCKET", "")
        self._connection: _socket.socket | None = None
        if address:
            self._connection = _socket.socket(_socket.AF_UNIX, _socket.SOCK_DGRAM | _socket.SOCK_CLOEXEC)
            self._connection.connect("\0" + address[1:] if address.startswith("@") else address)
        limit = os.environ.get("WATCHDOG_USEC", "")
        self.watchdog_seconds = int(limit) / 1e6 / 3 if limit.isdigit() else 0.0
        """How often to say that we are alive, 0 for never."""
        self._status = ""

    def say(self, *lines: str) -> None:
        """Send lines such as ``READY=1``; a manager that is just restarting misses them."""
        if self._connection is not None:
            try:
                self._connection.send("\n".join(lines).encode())
            except (ConnectionError, FileNotFoundError, BlockingIOError):
                # The manager re-executes: it listens again in a moment, and the next word tells it all it needs.
                return

    def status(self, text: str) -> None:
        """Show *text* in ``systemctl status``, where it changed."""
        if text != self._status:
            self._status = text
            self.say("STATUS=" + text.replace("\n", " "))


class Signals:
    """SIGHUP, SIGTERM and SIGINT as bytes on a descriptor, in place of what they would do."""

    def __init__(self) -> None:
        """Catch them from now on."""
        self.descriptor, self._writer = os.pipe()
        os.set_blocking(self.descriptor, False)
        os.set_blocking(self._writer, False)
        for number in (signal.SIGHUP, signal.SIGTERM, signal.SIGINT):
            signal.signal(number, _ignore)
        signal.set_wakeup_fd(self._writer, warn_on_full_buffer=False)

    def taken(self) -> set[int]:
        """Return the numbers of the signals that came since the last call."""
        try:
            return set(os.read(self.descriptor, 512))
        except BlockingIOError:
            return set()


def _ignore(number: int, frame: t.Any) -> None:
    """Be there: Python writes the number into the wake-up descriptor only for signals that have a handler."""
