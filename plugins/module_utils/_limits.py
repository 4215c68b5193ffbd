# Copyright: Watchbill contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What a tenant or an agent may take of a machine: in a manifest, in the words of systemd, and in those of people.

Limits are ``{"memory": bytes, "cpu": percent of one processor, "tasks": number}``; what is not in it is not limited.
"""

from __future__ import annotations

import re
import typing as t

Limits = t.Mapping[str, t.Any]

PROPERTIES = {"memory": "MemoryMax", "cpu": "CPUQuotaPerSecUSec", "tasks": "TasksMax"}
"""What ``systemctl show`` calls them."""
SETTINGS = {"memory": "MemoryMax", "cpu": "CPUQuota", "tasks": "TasksMax"}
"""What unit files and ``systemctl set-property`` call them."""
DROP_IN = "10-watchbill.conf"
"""Our drop-in of a tenant's slice: after systemd's ``10-defaults.conf``, before what root sets by hand (``50-…``)."""
UNLIMITED = 2**64 - 1
MICROSECONDS = {
    "us": 1,
    "ms": 1000,
    "s": 1_000_000,
    "min": 60_000_000,
    "h": 3600_000_000,
    "d": 86400_000_000,
}
# systemctl set-property keeps each setting in a file of its own, in a directory that nobody else writes to.
HAND_SET = re.compile(
    r"/(?:user|system)\.control/((?:watchbill|user-[0-9]+)[^/]*\.slice)\.d(?:/50-(?:{})\.conf)?\Z".format(
        "|".join(SETTINGS.values())
    )
)


def in_force(properties: t.Mapping[str, str]) -> dict[str, t.Any]:
    """Return the limits that a manager shows for a slice; None where there is none, or nothing that we understand."""
    return {
        "memory": _number(properties.get(PROPERTIES["memory"], "")),
        "cpu": _percent(properties.get(PROPERTIES["cpu"], "")),
        "tasks": _number(properties.get(PROPERTIES["tasks"], "")),
    }


def differences(desired: Limits, observed: Limits) -> list[Limits]:
    """Return [observed, desired] of the limits that *desired* has an opinion on, nothing where they are the same."""
    seen = {name: observed.get(name) for name in desired}
    return [] if seen == desired else [seen, desired]


def words(before: Limits, after: Limits) -> str:
    """Return what changes, as people write it: ``memory 512M → 1G, tasks – → 100``."""  # noqa: RUF002
    names = [name for name in PROPERTIES if before.get(name) != after.get(name)]
    return ", ".join(f"{name} {_amount(name, before.get(name))} → {_amount(name, after.get(name))}" for name in names)


def as_written(limits: Limits) -> str:
    """Return limits as they stand in a fleet file: ``memory 512M, cpu 50%``."""
    return ", ".join(f"{name} {_amount(name, limits[name])}" for name in PROPERTIES if name in limits)


def as_settings(limits: Limits) -> list[str]:
    """Return limits as ``systemctl set-property`` takes them; None takes one off."""
    none = {"memory": "infinity", "cpu": "", "tasks": "infinity"}
    unit = {"cpu": "%"}
    return [
        f"{SETTINGS[name]}=" + (none[name] if value is None else f"{value}{unit.get(name, '')}")
        for name, value in sorted(limits.items())
    ]


def hand_set_slice(path: str) -> str | None:
    """Return the slice whose limits the drop-in at *path* (or the directory around it) sets, None for other paths.

    Only what ``systemctl set-property`` writes counts: whoever tunes a limit by hand does it with that.
    """
    match = HAND_SET.search(path)
    return match.group(1) if match else None


def _number(text: str) -> int | None:
    if not re.fullmatch(r"[0-9]{1,20}", text):
        return None
    return None if int(text) >= UNLIMITED else int(text)


def _percent(text: str) -> float | None:
    """Return the percent of one processor that ``500ms`` or ``2min 3.450000s`` of every second are."""
    spans = re.findall(r"([0-9]{1,9}(?:\.[0-9]{1,6})?)(us|ms|s|min|h|d)(?: |\Z)", text)
    if not spans:
        return None
    percent = round(sum(float(number) * MICROSECONDS[unit] for number, unit in spans)) / 10_000
    return int(percent) if percent == int(percent) else percent


def _amount(name: str, value: t.Any) -> str:
    if value is None:
        return "–"  # noqa: RUF001 -- the sign for "none" in tables
    if name == "cpu":
        return f"{value:g}%"
    if name == "memory":
        for unit, size in (("T", 2**40), ("G", 2**30), ("M", 2**20), ("K", 2**10)):
            if value and value % size == 0:
                return f"{value // size}{unit}"
    return str(value)
