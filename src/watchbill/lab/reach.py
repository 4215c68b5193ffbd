"""Talking to machines: with the lab's own key, to the host keys the lab itself made, and nothing else."""

from __future__ import annotations

import contextlib
import os
import socket
import subprocess
import time
from collections.abc import Callable, Sequence

from watchbill.errors import OperationError
from watchbill.lab.commands import PATH
from watchbill.lab.record import LabTarget

BOOT_ID = "cat /proc/sys/kernel/random/boot_id"
_ATTEMPT_SECONDS = 0.25
# Machines share the processors of this one with all that runs here: one that is slow has not vanished.
_CONNECT_SECONDS = 20
_ANSWER_SECONDS = 30
# A machine that vanished does not say goodbye: without these, ssh would wait for hours. A login says nothing either for
# as long as the user's systemd takes to start.
_NOTICE_DEATH = ("-o", "ServerAliveInterval=1", "-o", "ServerAliveCountMax=60")


def ssh_arguments(target: LabTarget, *options: str) -> list[str]:
    """Return the ssh command up to and including the machine; the caller's own ssh configuration takes no part."""
    settings = {
        "UserKnownHostsFile": target.known_hosts,
        "GlobalKnownHostsFile": "/dev/null",
        "StrictHostKeyChecking": "yes",
        "IdentitiesOnly": "yes",
        "IdentityAgent": "none",
        "BatchMode": "yes",
        "ConnectTimeout": _CONNECT_SECONDS,
        "LogLevel": "ERROR",
    }
    chosen = [part for name, value in settings.items() for part in ("-o", f"{name}={value}")]
    where = ["-p", str(target.port), "-l", target.user, "--", target.address]
    return ["ssh", "-F", "/dev/null", *chosen, "-i", str(target.private_key), *options, *where]


def ask(target: LabTarget, command: str, seconds: float) -> subprocess.CompletedProcess[str]:
    """Run a command on a machine and return how it ended. Raises OperationError when it takes longer than `seconds`."""
    try:
        return subprocess.run(
            [*ssh_arguments(target, *_NOTICE_DEATH), command],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            errors="replace",
            timeout=seconds,
            check=False,
            env={**os.environ, "PATH": PATH},
        )
    except subprocess.TimeoutExpired as error:
        raise OperationError(f"{target.host} did not answer within {seconds:.0f} s", code="machine-silent") from error


def answers(target: LabTarget) -> bool:
    """Return whether sshd greets: a connection alone may be one the kernel accepted for it."""
    try:
        with socket.create_connection((target.address, target.port), timeout=_ATTEMPT_SECONDS) as connection:
            connection.settimeout(_CONNECT_SECONDS)
            return connection.recv(4) == b"SSH-"
    except OSError:
        return False


def wait_until_up(target: LabTarget, seconds: float, alive: Callable[[], bool], other_than: str | None = None) -> str:
    """Wait until a machine has booted and return its boot id; with `other_than`, until it has booted *again*.

    Raises OperationError when the machine ends (`alive` says so) or needs longer than `seconds`.
    """
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if not alive():
            raise OperationError(f"{target.host} ended before it answered", code="machine-ended")
        if not answers(target):
            # A refusal comes at once, so the next attempt waits a moment; there is no event to wait for across the
            # network.
            time.sleep(0.05)
            continue
        with contextlib.suppress(OperationError):
            # systemd says when the boot is over, degraded or not: before that, logins of tenants may still be refused.
            answer = ask(target, f"{BOOT_ID}; systemctl is-system-running --wait", _ANSWER_SECONDS)
            boot_id, _, state = answer.stdout.strip().partition("\n")
            if state in ("running", "degraded") and boot_id != other_than:
                return boot_id
    raise OperationError(f"{target.host} did not come up within {seconds:.0f} s", code="machine-silent")


def shell_arguments(target: LabTarget, command: Sequence[str]) -> list[str]:
    """Return the whole ssh command for a person: a shell on a terminal, or the command that was given."""
    return [*ssh_arguments(target), *command] if command else ssh_arguments(target, "-t")
