# Copyright: Watchbill contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What is different without root: what must be there before, what cannot be promised, what people are told."""

from __future__ import annotations

import os

from ._as_user import run_as
from ._layout import Account

LINGER = "/var/lib/systemd/linger"


def lingers(name: str) -> bool:
    """Return whether the user manager of *name* runs from boot on, without a login."""
    return os.path.exists(f"{LINGER}/{name}")


def enable_own_linger(who: Account) -> None:
    """Ask systemd to keep the rootless user's manager from boot on; where that is not allowed, notices say so.

    :raises AsUserError: loginctl could not be started.
    """
    if not lingers(who.name):
        run_as(who, ("loginctl", "--no-ask-password", "enable-linger"))


def notices(name: str, lingering: bool) -> list[str]:
    """Return what a plan and ``ps`` say about a host whose agents run as the plain user *name*."""
    said = [
        f"rootless: agents run as {name}; nothing keeps them from {name}'s files, each other, their own definitions"
    ]
    if not lingering:
        said.append(f"linger is off: agents end with the last login of {name} (as root: loginctl enable-linger {name})")
    return said
