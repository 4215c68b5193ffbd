# Copyright: Watchbill contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Whether the kernel enforces the limits that a manager shows: a host without the controllers only remembers them."""

from __future__ import annotations

import os
import typing as t

from ._layout import Layout

CGROUPS = "/sys/fs/cgroup"
CONTROLLERS = {"memory": ("memory", "memory.max"), "cpu": ("cpu", "cpu.max"), "tasks": ("pids", "pids.max")}
"""Controller of each limit, and its file in a version 2 hierarchy."""


def notices(layout: Layout, resources: t.Iterable[dict[str, t.Any]], cgroups: str = CGROUPS) -> list[str]:
    """Return that limits are not enforced, where that is so; slices that do not run yet say nothing.

    :param cgroups: where the hierarchies are mounted.
    """
    missing: set[str] = set()
    for resource in resources:
        if resource["kind"] == "unit" and "limits" in resource:
            missing |= _not_enforced(layout, resource, cgroups)
    if not missing:
        return []
    named = ", ".join(sorted(missing))
    return [f"limits of {named} are set and not enforced on this host: that takes the controllers of cgroup v2"]


def _not_enforced(layout: Layout, resource: dict[str, t.Any], cgroups: str) -> set[str]:
    """Return the limits of one slice that the kernel knows nothing of."""
    try:
        uid = layout.account_of(resource["tenant"]).uid
    except KeyError:
        return set()
    group = f"user.slice/user-{uid}.slice"
    of_tenant = resource["scope"] == "system"
    if not of_tenant:
        name = resource["name"].split("/", 1)[1]
        group += f"/user@{uid}.service/watchbill.slice" + ("" if name == "watchbill.slice" else f"/{name}")
    unified = cgroups if os.path.exists(f"{cgroups}/cgroup.controllers") else f"{cgroups}/unified"
    if not os.path.isdir(f"{unified}/{group}"):
        return set()
    missing = set()
    for limit in resource["limits"]:
        controller, file = CONTROLLERS[limit]
        # The system's manager can limit in the old hierarchies, too; it gives user managers none of those.
        in_old_one = of_tenant and os.path.isdir(f"{cgroups}/{controller}/{group}")
        if not (in_old_one or os.path.exists(f"{unified}/{group}/{file}")):
            missing.add(limit)
    return missing
