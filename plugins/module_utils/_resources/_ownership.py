# Copyright: Watchbill contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Owners and modes of files and directories, by name where the account exists, by number where it does not."""

from __future__ import annotations

import grp
import os
import pwd
import stat
import typing as t


def owner_fields(status: os.stat_result) -> dict[str, t.Any]:
    """Return owner, group (names, or the number as text) and mode (four octal digits) of a status."""
    return {
        "owner": _user_name(status.st_uid),
        "group": _group_name(status.st_gid),
        "mode": f"{stat.S_IMODE(status.st_mode):04o}",
    }


def set_attributes(handle: int, desired: t.Mapping[str, t.Any]) -> None:
    """Give an open file or directory the mode of *desired*, and its owner and group; without those it stays ours.

    :raises KeyError: there is no such account.
    """
    if desired.get("owner") is not None:
        os.fchown(handle, pwd.getpwnam(desired["owner"]).pw_uid, grp.getgrnam(desired["group"]).gr_gid)
    # After the owner: a change of it takes set-id bits away.
    os.fchmod(handle, int(desired["mode"], 8))


def _user_name(uid: int) -> str:
    try:
        return pwd.getpwuid(uid).pw_name
    except KeyError:
        return str(uid)


def _group_name(gid: int) -> str:
    try:
        return grp.getgrgid(gid).gr_name
    except KeyError:
        return str(gid)
