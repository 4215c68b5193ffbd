# Copyright: Watchbill contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What has to happen on one host: a pure function on plain data, three-way.

``desired`` is what the fleet says, ``observed`` what the host is, ``last`` what the last apply left behind. What the
file asks for is a *change*; a difference that nobody asked for is *drift*. Nothing here looks at a host or a clock.
"""

from __future__ import annotations

import typing as t

from ._resources import KINDS, Kind

Resource = dict[str, t.Any]
Observed = t.Optional[dict[str, t.Any]]

ACTIONS = ("create", "update", "delete", "move", "restart", "repair", "pending")
PRUNE_POLICIES = ("ask", "auto", "never")


def key_of(resource: Resource) -> str:
    """Return the name of a resource within its host: ``kind:name``."""
    return f"{resource['kind']}:{resource['name']}"


def sort_key(resource: t.Mapping[str, t.Any]) -> tuple[int, str]:
    """Return what resources and actions are ordered by: kind first, then name."""
    return KINDS[resource["kind"]].order, resource["name"]


def plan(
    desired: list[Resource],
    observed: t.Mapping[str, Observed],
    last: list[Resource],
    policy: t.Mapping[str, t.Any],
    moves: t.Mapping[str, str],
    strays: list[dict[str, t.Any]],
) -> list[dict[str, t.Any]]:
    """Return the actions that make *observed* into *desired*, sorted, the same bytes for the same input.

    :param observed: state by resource key; a missing key or None says "not there".
    :param last: resources as the last apply left them; what is in it and not in *desired* is to be deleted.
    :param policy: ``{"prune": ask|auto|never}``; ``never`` leaves what left the file alone, without a word.
    :param moves: agents (``tenant/name``) that the fleet now places on another host, by that host's name.
    :param strays: foreign things on names that are Watchbill's, ``{"name", "tenant", "what"}``; each is removed.
    """
    wanted = {key_of(resource): resource for resource in desired}
    had = {key_of(resource): resource for resource in last}
    actions = [_stray_action(stray) for stray in strays]
    for key in sorted(wanted.keys() | had.keys()):
        resource = wanted.get(key)
        kind = KINDS[key.split(":", 1)[0]]
        if resource is None:
            action = _departure(had[key], observed.get(key), policy, moves)
        else:
            action = _arrival_or_difference(kind, resource, had.get(key), observed.get(key))
        if action is not None:
            actions.append(action)
    return sorted(actions, key=sort_key)


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


def _stray_action(stray: t.Mapping[str, t.Any]) -> dict[str, t.Any]:
    # A repair, not a deletion: nothing of ours goes, so neither prune nor max_delete has a say.
    return _action(
        {"kind": "file", "name": stray["name"], "tenant": stray.get("tenant"), "agent": stray.get("agent")},
        "repair",
        origin="drift",
        disruption="live",
        reason=f"foreign {stray['what']} on a name that is Watchbill's",
        diff={"present": [True, False]},
        stray=True,
    )


def _departure(
    resource: Resource, state: Observed, policy: t.Mapping[str, t.Any], moves: t.Mapping[str, str]
) -> dict[str, t.Any] | None:
    """Return what happens to something that left the file, or None when it is gone already or is to be kept."""
    if state is None:
        return None
    target = moves.get(str(resource.get("agent")))
    if target is not None:
        return _action(resource, "move", disruption="replace", reason=f"moves to {target}", diff={"host": ["", target]})
    if policy["prune"] == "never":
        return None
    reason = "left the file" + (", its home stays" if resource["kind"] in ("agent", "user") else "")
    return _action(resource, "delete", disruption="delete", reason=reason, needs_prune=policy["prune"] != "auto")


def _arrival_or_difference(
    kind: Kind, resource: Resource, had: Resource | None, state: Observed
) -> dict[str, t.Any] | None:
    """Return the action for a wanted resource, or None when all is as planned."""
    if state is None:
        if had is None:
            return _action(resource, "create", reason=kind.describe(resource))
        return _action(resource, "repair", origin="drift", reason="missing", diff={"present": [False, True]})
    if kind.logical:
        return _logical_difference(kind, resource, had, state)
    differences = kind.differences(resource, state)
    if not differences:
        return None
    more = {"diff": differences, "disruption": kind.disruption(resource, differences)}
    if had is None:
        return _action(resource, "update", reason="taken over: " + kind.words(differences), **more)
    if not kind.differences(had, state):
        return _action(resource, "update", reason=kind.words(differences), **more)
    reason = kind.words(differences)
    if kind.differences(resource, had):
        reason += " (the file changed as well)"
    return _action(resource, "repair", origin="drift", reason=reason, **more)


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
        and (action["kind"] in ("agent", "user") or not (action["agent"] or action["tenant"]))
    )


def would_change(actions: t.Iterable[t.Mapping[str, t.Any]], prune: bool, release: bool) -> bool:
    """Return whether an apply with these options would carry out any of *actions*."""
    if release:
        return any(action["action"] == "move" for action in actions)
    return any(action["action"] != "pending" and (prune or not action["needs_prune"]) for action in actions)


def differs(actions: t.Iterable[t.Mapping[str, t.Any]]) -> bool:
    """Return whether anything but pending restarts is in the plan."""
    return any(action["action"] != "pending" for action in actions)
