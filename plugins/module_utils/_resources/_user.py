# Copyright: Watchbill contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Kind ``user``: the Linux account of a tenant."""

from __future__ import annotations

import grp
import os
import pwd
import select
import signal
import subprocess
import typing as t

from .._beside import processes_of
from ._kind import Differences, Kind

PROGRAMS = ("/watchbill-host", "/watchbill-host.pyz")
ENDING_SECONDS = 5.0


class UserKind(Kind):
    """An account with a uid, a group of the same name and number, a home and a shell."""

    name = "user"
    order = 0
    fields = ("uid", "home", "shell")

    def describe(self, desired: dict[str, t.Any]) -> str:
        """Return the uid, which is what tenants are told apart by."""
        return f"uid {desired['uid']}"

    def disruption(
        self, desired: dict[str, t.Any], differences: Differences, observed: dict[str, t.Any] | None = None
    ) -> str:
        """Another uid or home makes it another account."""
        return "replace" if "uid" in differences or "home" in differences else "none"

    @staticmethod
    def observe(name: str) -> dict[str, t.Any] | None:
        """Return uid, home and shell of an account, or None."""
        try:
            entry = pwd.getpwnam(name)
        except KeyError:
            return None
        return {"uid": entry.pw_uid, "home": entry.pw_dir, "shell": entry.pw_shell}

    @staticmethod
    def create(desired: dict[str, t.Any]) -> None:
        """Add the account with its own group; an existing home (of a tenant that came back) is kept as it is.

        :raises subprocess.CalledProcessError: groupadd or useradd refused.
        """
        uid = str(desired["uid"])
        name = desired["name"]
        if not _left_over(name, desired["uid"]):
            _run("groupadd", "--gid", uid, name)
        home_exists = os.path.lexists(desired["home"])
        try:
            _run(
                "useradd",
                *("--uid", uid, "--gid", uid, "--home-dir", desired["home"], "--shell", desired["shell"]),
                "--no-create-home" if home_exists else "--create-home",
                name,
            )
        except subprocess.CalledProcessError:
            _run("groupdel", name)
            raise

    @staticmethod
    def update(desired: dict[str, t.Any], differences: Differences) -> None:
        """Set the shell. A changed uid or home is refused: files on the host belong to the old one.

        :raises ValueError: uid or home differ.
        :raises subprocess.CalledProcessError: usermod refused.
        """
        for field in ("uid", "home"):
            if field in differences:
                raise ValueError(
                    f"the {field} of user {desired['name']} is {differences[field][0]}, not {desired[field]}: "
                    "Watchbill does not renumber or move accounts"
                )
        _run("usermod", "--shell", desired["shell"], desired["name"])

    @staticmethod
    def delete(name: str) -> None:
        """Remove the account; its home and what is in it stay.

        :raises subprocess.CalledProcessError: userdel refused.
        """
        _end_lookers(pwd.getpwnam(name).pw_uid)
        _run("userdel", name)


def _left_over(name: str, gid: int) -> bool:
    """Return whether an apply that was killed has made the group already: the same number, and nobody in it."""
    try:
        group = grp.getgrnam(name)
    except KeyError:
        return False
    return group.gr_gid == gid and not group.gr_mem


def _run(*arguments: str) -> None:
    subprocess.run(arguments, check=True, stdin=subprocess.DEVNULL, capture_output=True, encoding="utf-8")


def _end_lookers(uid: int) -> None:
    """End the children of ``watchbill-host status`` that look around as this user while somebody watches the host.

    userdel refuses to remove an account that has a process; any other process of it is a reason to.
    """
    for pid, process in processes_of(uid, ()).items():
        if "status" not in process.words or not any(word.endswith(PROGRAMS) for word in process.words):
            continue
        try:
            looker = os.pidfd_open(pid)
        except ProcessLookupError:
            continue  # it ended by itself
        try:
            signal.pidfd_send_signal(looker, signal.SIGKILL)
            select.select([looker], [], [], ENDING_SECONDS)
        finally:
            os.close(looker)
