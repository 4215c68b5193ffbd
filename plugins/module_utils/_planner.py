# Copyright: Watchbill contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What has to happen on one host: a pure function on plain data, three-way.

``desired`` is what the fleet says, ``observed`` what the host is, ``last`` what the last apply left behind. What the
file asks for is a *change*; a difference that nobody asked for is *drift*, which the policy may leave alone. An agent
that was applied as protected is not deleted. Nothing here looks at a host or a clock.
"""

from __future__ import annotations

import typing as t

from ._ignored import Ignoring
from ._resources import KINDS, Kind

Resource = dict[str, t.Any]
Observed = t.Optional[dict[str, t.Any]]

ACTIONS = ("create", "update", "delete", "move", "restart", "repair", "pending")
PRUNE_POLICIES = ("ask", "auto", "never")


def key_of(resource: Resource) -> str:
    """Return the name of a resource within its host: ``kind:name``."""
    return f"{resource['kind']}:{resource['name']}"


def secret_key(resource: Resource) -> str:
    """Return by what name the value of a secret travels: ``tenant/name``."""
    return f"{resource['tenant']}/{resource['secret']}"


def sort_key(resource: t.Mapping[str, t.Any]) -> tuple[int, str]:
    """Return what resources and actions are ordered by: kind first, then name."""
    return KINDS[resource["kind"]].order, resource["name"]


class Plan(t.NamedTuple):
    """Actions in order, and the differences that the policy leaves alone."""

    actions: list[dict[str, t.Any]]
    ignored: list[dict[str, t.Any]]


def plan(
    desired: list[Resource],
    observed: t.Mapping[str, Observed],
    last: list[Resource],
    policy: t.Mapping[str, t.Any],
    moves: t.Mapping[str, str],
    strays: list[dict[str, t.Any]],
    today: str,
) -> Plan:
    """Return the actions that make *observed* into *desired*, sorted, the same bytes for the same input.

    :param observed: state by resource key; a missing key or None says "not there".
    :param last: resources as the last apply left them; what is in it and not in *desired* is to be deleted.
    :param policy: ``{"prune": ask|auto|never, "ignore": [...], "protect": bool}``, the last two optional; ``never``
        leaves what left the file alone, without a word; without ``protect`` protected agents are deleted as others.
    :param moves: agents (``tenant/name``) that the fleet now places on another host, by that host's name.
    :param strays: foreign things on names that are Watchbill's, ``{"name", "tenant", "what"}``; each is removed. With
        ``slice`` it sets limits of that unit by hand, and is part of that difference.
    :param today: the day in UTC, ``2027-01-31``, that says which rules of ``ignore`` are over.
    """
    wanted = {key_of(resource): resource for resource in desired}
    had = {key_of(resource): resource for resource in last}
    leaving = _Leaving(desired, last, policy, moves)
    ignoring = Ignoring(policy.get("ignore", ()), today)
    actions = []
    for key in sorted(wanted.keys() | had.keys()):
        resource = wanted.get(key)
        kind = KINDS[key.split(":", 1)[0]]
        if resource is None:
            action = leaving.departure(kind, had[key], observed.get(key))
        else:
            action = _arrival_or_difference(kind, resource, had.get(key), observed.get(key), ignoring)
        if action is not None:
            actions.append(action)
    limited_anew = {a["name"] for a in actions if a["action"] != "repair" or "limits" in a["diff"]}
    actions.extend(_stray_action(stray) for stray in strays if not _is_left_alone(stray, limited_anew, ignoring))
    return Plan(sorted(actions, key=sort_key), ignoring.used())


def _action(resource: t.Mapping[str, t.Any], verb: str, **more: t.Any) -> dict[str, t.Any]:
    action = {
        "kind": resource["kind"],
        "name": resource["name"],
        "tenant": resource.get("tenant"),
        "agent": resource.get("agent"),
        "action": verb,
        "disruption": "none",
        "origin": "change",
        "reason": "",
        "diff": {},
        "needs_prune": False,
    }
    action.update(more)
    return action


def installations(
    missing: t.Iterable[t.Mapping[str, str]], before: t.Collection[tuple[str, str]]
) -> list[dict[str, t.Any]]:
    """Return what the role runtimes is going to do before an apply, so that a look shows it.

    :param missing: runtimes that are wanted and not installed: ``runtime``, ``version``, ``path``.
    :param before: runtime and version of those that were wanted already: somebody took these away.
    """
    actions = []
    for one in missing:
        resource = {"kind": "directory", "name": one["path"]}
        what = f"runtime {one['runtime']} {one['version']}"
        if (one["runtime"], one["version"]) in before:
            diff = {"present": [False, True]}
            actions.append(_action(resource, "repair", origin="drift", reason=f"{what} is missing", diff=diff))
        else:
            actions.append(_action(resource, "create", reason=what))
    return actions


def _stray_action(stray: t.Mapping[str, t.Any]) -> dict[str, t.Any]:
    # A repair, not a deletion: nothing of ours goes, so neither prune nor max_delete has a say.
    reason = "limits set by hand" if stray.get("slice") else f"foreign {stray['what']} on a name that is Watchbill's"
    return _action(
        {"kind": "file", "name": stray["name"], "tenant": stray.get("tenant"), "agent": stray.get("agent")},
        "repair",
        origin="drift",
        disruption="live",
        reason=reason,
        diff={"present": [True, False]},
        stray=True,
    )


def _is_left_alone(stray: t.Mapping[str, t.Any], limited_anew: set[str], ignoring: Ignoring) -> bool:
    """Return whether a foreign thing may stay: by a rule about it, or about the limits that it sets by hand.

    Limits that are to be others now cannot have it beside them: they would not come into force.
    """
    slice_name = stray.get("slice")
    if slice_name and slice_name not in limited_anew and ignoring.leaves("unit", slice_name, "limits"):
        return True
    return ignoring.leaves("file", stray["name"], "present")


class _Leaving:
    """What happens to things that left the file."""

    def __init__(
        self, desired: list[Resource], last: list[Resource], policy: t.Mapping[str, t.Any], moves: t.Mapping[str, str]
    ) -> None:
        self.prune = policy["prune"]
        self.moves = moves
        self.staying = {_owner(resource) for resource in desired}
        self.kept: set[str] = set()
        if policy.get("protect", True):
            protected = {resource["name"] for resource in last if resource.get("protect")}
            self.kept = protected - self.staying - moves.keys()
        # An agent cannot stay without its tenant.
        self.kept |= {name.split("/", 1)[0] for name in self.kept}

    def departure(self, kind: Kind, resource: Resource, state: Observed) -> dict[str, t.Any] | None:
        """Return the action for something that is not wanted, or None when it is gone already or is to be kept."""
        if state is None:
            return None
        target = self.moves.get(str(resource.get("agent")))
        if target is not None:
            diff = {"host": ["", target]}
            return _action(resource, "move", disruption="replace", reason=f"moves to {target}", diff=diff)
        owner = _owner(resource)
        if owner is not None and owner in self.staying and kind.name not in ("agent", "user"):
            # No deletion of anything that people wrote down: a setting of its owner, who stays.
            return _action(resource, "delete", disruption="live", reason=kind.parting(resource))
        if self.prune == "never":
            return None
        if owner in self.kept:
            reason = "left the file, but is protected"
            return _action(resource, "delete", disruption="delete", reason=reason, refused=True)
        reason = "left the file" + (", its home stays" if kind.name in ("agent", "user") else "")
        return _action(resource, "delete", disruption="delete", reason=reason, needs_prune=self.prune != "auto")


def _owner(resource: Resource) -> str | None:
    """Return the agent, else the tenant, that something belongs to; what is the host's own has neither."""
    return resource.get("agent") or resource.get("tenant")


def _arrival_or_difference(
    kind: Kind, resource: Resource, had: Resource | None, state: Observed, ignoring: Ignoring
) -> dict[str, t.Any] | None:
    """Return the action for a wanted resource, or None when all is as planned."""
    if state is None:
        if had is None:
            return _action(resource, "create", reason=kind.describe(resource))
        # As below: what is to be another thing from now on is made, whoever took the old one away.
        if not kind.differences(resource, had) and ignoring.leaves(kind.name, resource["name"], "present"):
            return None
        return _action(resource, "repair", origin="drift", reason="missing", diff={"present": [False, True]})
    if kind.logical:
        return _logical_difference(kind, resource, had, state)
    differences = kind.differences(resource, state)
    if had is None:
        reason = "taken over: " + kind.words(differences)
        return _difference(kind, resource, "update", differences, origin="change", reason=reason)
    asked = kind.differences(resource, had)
    # Only what nobody asked for: a wish in the file is carried out, whatever somebody did by hand before.
    ignored = {
        field for field in differences if field not in asked and ignoring.leaves(kind.name, resource["name"], field)
    }
    differences = {field: pair for field, pair in differences.items() if field not in ignored}
    reason = kind.words(differences)
    if not kind.differences(had, state).keys() - ignored:
        return _difference(kind, resource, "update", differences, origin="change", reason=reason)
    reason += " (the file changed as well)" if asked else ""
    return _difference(kind, resource, "repair", differences, origin="drift", reason=reason)


def _difference(
    kind: Kind, resource: Resource, verb: str, differences: dict[str, list[t.Any]], **more: t.Any
) -> dict[str, t.Any] | None:
    if not differences:
        return None
    return _action(resource, verb, diff=differences, disruption=kind.disruption(resource, differences), **more)


def _logical_difference(
    kind: Kind, resource: Resource, had: Resource | None, state: dict[str, t.Any]
) -> dict[str, t.Any] | None:
    """Compare with what was applied: such a resource has no bytes of its own, its files and units carry it out."""
    if had is None:
        return _action(resource, "create", reason=kind.describe(resource))
    differences = kind.differences(resource, had)
    if differences:
        disruption = kind.disruption(resource, differences, state)
        verb = "restart" if disruption == "restart" else "update"
        return _action(resource, verb, disruption=disruption, reason=kind.words(differences), diff=differences)
    waiting = kind.waiting(resource, state)
    if waiting:
        return _action(resource, "pending", disruption="restart", reason=waiting)
    return None


def summary(actions: t.Iterable[t.Mapping[str, t.Any]]) -> dict[str, int]:
    """Count actions by verb and, without those that only wait, by origin."""
    counts = dict.fromkeys((*ACTIONS, "change", "drift", "needs_prune"), 0)
    for action in actions:
        counts[action["action"]] += 1
        if action["action"] != "pending":
            counts[action["origin"]] += 1
            counts["needs_prune"] += bool(action["needs_prune"])
    return counts


def deletions(actions: t.Iterable[t.Mapping[str, t.Any]]) -> int:
    """Count what ``max_delete`` counts: agents, tenants, and owned objects that belong to neither."""
    return sum(
        1
        for action in actions
        if action["action"] == "delete"
        and not action.get("refused")
        and (action["kind"] in ("agent", "user") or not (action["agent"] or action["tenant"]))
    )


def would_change(actions: t.Iterable[t.Mapping[str, t.Any]], prune: bool, release: bool) -> bool:
    """Return whether an apply with these options would carry out any of *actions*."""
    if release:
        return any(action["action"] == "move" for action in actions)
    return any(
        action["action"] != "pending" and (prune or not action["needs_prune"]) and not action.get("refused")
        for action in actions
    )


def differs(actions: t.Iterable[t.Mapping[str, t.Any]]) -> bool:
    """Return whether anything but pending restarts is in the plan."""
    return any(action["action"] != "pending" for action in actions)
