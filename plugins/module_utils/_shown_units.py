# Copyright: Watchbill contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Units as ``systemctl show`` tells them; those of the system are asked for here."""

from __future__ import annotations

import subprocess

from . import _limits
from ._as_user import ANSWER_SECONDS, run_patiently

LIMIT_PROPERTIES = ",".join(_limits.PROPERTIES.values())


def parse_show(text: str) -> dict[str, dict[str, str]]:
    """Return the blocks of ``systemctl show`` as ``{Id: {property: value}}``."""
    units = {}
    for block in text.split("\n\n"):
        properties = dict(line.split("=", 1) for line in block.splitlines() if "=" in line)
        if "Id" in properties:
            units[properties["Id"]] = properties
    return units


def shown(properties: str, units: list[str]) -> dict[str, dict[str, str]]:
    """Return what the system's manager shows of *units*, by name; nothing where no systemd runs.

    :raises TimeoutError: it does not answer in time, which says nothing about them.
    """
    return parse_show(output_of("systemctl", "show", "--property=" + properties, *units)) if units else {}


def shown_limits(slices: list[str]) -> dict[str, dict[str, str]]:
    """Return what the system's manager shows of the limits of *slices*, by name.

    :raises TimeoutError: it does not answer in time.
    """
    return shown(f"Id,DropInPaths,{LIMIT_PROPERTIES}", slices)


def output_of(*arguments: str) -> str:
    """Return what a program printed, or nothing where it is missing or fails: absence is what the caller reports.

    :raises TimeoutError: it does not end in time.
    """
    try:
        return run_patiently(arguments, ANSWER_SECONDS).stdout
    except subprocess.TimeoutExpired as error:
        raise TimeoutError(f"{' '.join(arguments[:2])}: no answer within {ANSWER_SECONDS:g} s") from error
    except OSError:
        return ""
