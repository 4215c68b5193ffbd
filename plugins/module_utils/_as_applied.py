# Copyright: Watchbill contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Whether agents still are what the last apply left behind, seen cheaply enough for every ``ps``.

Files, generated units and links are compared, and foreign things on the names of an agent; what only a question about
each unit would show (limits in force, where a unit was loaded from) is left to ``watchbill drift``.
"""

from __future__ import annotations

import os
import time
import typing as t

from ._applied import read_applied, signature
from ._layout import Layout
from ._limits import hand_set_slice
from ._observe import TenantView, agent_of, printable, state_of
from ._resources import KINDS

MOST = 10
SETTLED_NS = 2 * 10**9
"""Who touches again what was touched longer ago gives it another time, however coarse the clock of its disk is."""
Difference = dict[str, t.Any]


class Applied:
    """What the last apply left on this host, and what is different now. Remembers what did not change meanwhile."""

    def __init__(self, layout: Layout) -> None:
        """Know where the manifest of *layout* is."""
        self._layout = layout
        self._manifest: tuple[t.Any, dict[str, list[dict[str, t.Any]]]] | None = None
        self._last: dict[str, t.Any] = {}
        self._on_disk_before: dict[str, tuple[t.Any, list[Difference]]] = {}

    def differences(self, tenant: str, view: TenantView) -> dict[str, list[Difference]] | None:
        """Return what differs at each agent of a tenant that was applied, by its name; at most ten each.

        Each is ``{"kind", "name", "fields", "words"}``. None where the manifest cannot be read.
        """
        resources = self._resources()
        if resources is None:
            return None
        found: dict[str, list[Difference]] = {}
        for resource in resources.get(tenant, ()):
            differences = found.setdefault(resource["agent"].split("/", 1)[1], [])
            if len(differences) < MOST:
                differences += self._difference(resource, view)
        ours = {self._layout.expand(r["name"]) for r in resources.get(tenant, ()) if r["kind"] in ("file", "directory")}
        for stray in view.strays:
            # Without root, our own units lie in the same directory.
            agent = None if stray["name"] in ours else agent_of(tenant, stray["name"])
            known = found.get(agent.split("/", 1)[1]) if agent else None
            if known is not None and len(known) < MOST:
                known.append(_foreign(tenant, stray))
        return found

    def last(self) -> dict[str, t.Any] | None:
        """Return ``generation``, ``applied_at`` and ``digest`` of the last apply, None where nobody may read them."""
        if self._resources() is None:
            return None
        return {field: self._last.get(field) for field in ("generation", "applied_at", "digest")}

    def _resources(self) -> dict[str, list[dict[str, t.Any]]] | None:
        """Return the resources of agents by tenant, read again when the file is another one."""
        try:
            known = signature(self._layout)
            if self._manifest is None or self._manifest[0] != known:
                by_tenant: dict[str, list[dict[str, t.Any]]] = {}
                self._last = read_applied(self._layout)
                for resource in self._last.pop("resources"):
                    if resource.get("agent") and not KINDS[resource["kind"]].logical:
                        by_tenant.setdefault(resource["tenant"], []).append(resource)
                self._manifest = known, by_tenant
                self._on_disk_before.clear()
            return self._manifest[1]
        except (OSError, ValueError, KeyError):
            # As an ordinary user of a host that root manages, or where an apply of another version left it.
            return None

    def _difference(self, resource: dict[str, t.Any], view: TenantView) -> list[Difference]:
        if resource["kind"] in ("file", "directory"):
            return self._on_disk(resource, view)
        return _compared(resource, state_of(self._layout, resource, view))

    def _on_disk(self, resource: dict[str, t.Any], view: TenantView) -> list[Difference]:
        """Compare again only when the inode was touched: nobody can set back the time of that."""
        path = self._layout.expand(resource["name"])
        now = time.time_ns()
        try:
            status = os.lstat(path)
        except OSError:
            return _compared(resource, None)
        inode = (status.st_ino, status.st_ctime_ns)
        known = self._on_disk_before.get(path)
        if known is not None and known[0] == inode:
            return known[1]
        found = _compared(resource, state_of(self._layout, resource, view))
        if now - status.st_ctime_ns > SETTLED_NS:
            self._on_disk_before[path] = inode, found
        return found


def _compared(resource: dict[str, t.Any], state: dict[str, t.Any] | None) -> list[Difference]:
    """Return how a resource differs from its state, at most one difference with all its fields."""
    kind = KINDS[resource["kind"]]
    found = {"present": [False, True]} if state is None else kind.differences(resource, state)
    if not found:
        return []
    words = "missing" if state is None else kind.words(found)
    return [{"kind": kind.name, "name": resource["name"], "fields": sorted(found), "words": words}]


def _foreign(tenant: str, stray: t.Mapping[str, str]) -> Difference:
    """Return a foreign thing on the names of an agent as the difference that a plan makes of it."""
    slice_name = hand_set_slice(stray["name"])
    if slice_name:
        words = "limits set by hand"
        return {"kind": "unit", "name": f"{tenant}/{slice_name}", "fields": ["limits"], "words": words}
    name = printable(stray["name"])
    return {"kind": "file", "name": name, "fields": ["present"], "words": f"foreign {stray['what']}"}
