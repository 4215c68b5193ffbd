# Copyright: Watchbill contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What a host is: the state of every resource that is wanted or was applied, and what does not belong there."""

from __future__ import annotations

import os
import re
import time
import typing as t

from . import _limits, _tenant
from ._as_user import AsUserError, call_as, has_manager, systemctl_user
from ._layout import Account, Layout
from ._on_watch import session_wanted
from ._planner import key_of
from ._resources._directory import DirectoryKind
from ._resources._file import FileKind
from ._resources._user import UserKind
from ._shown_units import LIMIT_PROPERTIES, parse_show, shown, shown_limits

UNIT_PROPERTIES = "Id,ActiveState,FragmentPath,NeedDaemonReload"
DIGEST = re.compile(r"[0-9a-f]{64}\Z")
ALIVE = ("active", "activating", "reloading")
State = t.Optional[dict[str, t.Any]]


class TenantView(t.NamedTuple):
    """One tenant on this host as it was seen."""

    account: Account
    heartbeats: dict[str, t.Any]
    fragments: dict[str, str]
    units: dict[str, dict[str, str]]
    strays: list[dict[str, str]]
    error: str


class Observation(t.NamedTuple):
    """States by resource key, strays, and the tenants behind them."""

    states: dict[str, State]
    strays: list[dict[str, t.Any]]
    tenants: dict[str, TenantView]
    warnings: list[str]
    unseen: dict[str, str]
    """Tenants whose manager runs and could not be asked, with the reason: None says nothing about their units."""


def observe(layout: Layout, resources: t.Iterable[dict[str, t.Any]]) -> Observation:
    """Return what is now true of *resources*; reads only, as root for root's files and as the tenant for a tenant's.

    :raises TimeoutError: the system's manager does not answer in time.
    """
    by_key = {key_of(resource): resource for resource in resources}
    tenants = _tenants(layout, by_key.values())
    managers = _managers([resource for resource in by_key.values() if is_manager(resource)], tenants)
    slices = _tenant_slices([resource for resource in by_key.values() if is_tenant_slice(resource)], tenants)
    timers = _timers([resource for resource in by_key.values() if of_system(resource) and is_timer(resource)])
    states: dict[str, State] = {}
    for key, resource in by_key.items():
        states[key] = _state(layout, resource, tenants, {**managers, **slices, **timers})
    strays = _strays(layout, by_key.values(), tenants)
    warnings = [f"tenant {name}: {view.error}" for name, view in sorted(tenants.items()) if view.error]
    idle = {by_key[f"unit:{name}"]["tenant"] for name, state in managers.items() if state and not state["active"]}
    unseen = {name: view.error for name, view in tenants.items() if view.error and name not in idle}
    return Observation(states, strays, tenants, warnings, unseen)


def of_system(resource: dict[str, t.Any]) -> bool:
    """Return whether a resource is a unit of the system: a tenant's user manager, its slice or its timer."""
    return resource["kind"] == "unit" and resource.get("scope") == "system"


def is_manager(resource: dict[str, t.Any]) -> bool:
    """Return whether a resource is a tenant's user manager."""
    return of_system(resource) and resource["name"].startswith("user@")


def is_timer(resource: dict[str, t.Any]) -> bool:
    """Return whether a resource is the timer that looks for drift at a tenant's agents."""
    name: str = resource["name"]
    return resource["kind"] == "unit" and name.endswith(".timer")


def is_tenant_slice(resource: dict[str, t.Any]) -> bool:
    """Return whether a resource is the slice of all that a tenant runs."""
    return of_system(resource) and not is_manager(resource) and not is_timer(resource)


def _state(
    layout: Layout, resource: dict[str, t.Any], tenants: dict[str, TenantView], system_units: dict[str, State]
) -> State:
    kind, name = resource["kind"], resource["name"]
    if kind == "user":
        return UserKind.observe(name)
    if kind == "directory":
        return DirectoryKind.observe(layout.expand(name))
    if kind == "file":
        return FileKind.observe(layout.expand(name), "secret" in resource)
    if of_system(resource):
        return system_units.get(name)
    view = tenants.get(resource["tenant"])
    if view is None:
        return None
    if kind == "unit":
        return (_slice_state if "limits" in resource else _unit_state)(layout, resource, view)
    agent = resource["agent"].split("/", 1)[1]
    return _session_state(layout, resource["tenant"], agent, view, kind)


def state_of(layout: Layout, resource: dict[str, t.Any], view: TenantView) -> State:
    """Return what is now true of one resource of a tenant that was looked at, None where it is not there."""
    return _state(layout, resource, {resource["tenant"]: view}, {})


# -- tenants ---------------------------------------------------------------------------------------------------------


def _tenants(layout: Layout, resources: t.Iterable[dict[str, t.Any]]) -> dict[str, TenantView]:
    """Return a view of every tenant that has an account here, with one fork and one systemctl call each."""
    agents: dict[str, set[str]] = {}
    others: dict[str, set[str]] = {}
    for resource in resources:
        tenant = resource.get("tenant")
        if tenant is None:
            continue
        known = agents.setdefault(tenant, set())
        if resource.get("agent"):
            known.add(resource["agent"].split("/", 1)[1])
        if resource.get("scope") == "user" and (resource.get("limits") or is_timer(resource)):
            others.setdefault(tenant, set()).add(resource["name"].split("/", 1)[1])
    views = {}
    for tenant, names in sorted(agents.items()):
        try:
            who = layout.account_of(tenant)
        except KeyError:
            continue
        views[tenant] = _view(layout, who, sorted(names), sorted(others.get(tenant, ())))
    return views


def _view(layout: Layout, who: Account, agents: list[str], others: list[str]) -> TenantView:
    # Units first: a keeper that is active by then has written the heartbeat that is read after it.
    try:
        units, error_of_manager = (_show(who, agents, others) if has_manager(who) else {}), ""
    except AsUserError as error:
        units, error_of_manager = {}, str(error)
    try:
        seen = call_as(who, _tenant.look, who.uid, who.home, agents)
        if layout.mode == "rootless":
            seen["fragments"] = _tenant.unit_digests(who.home + "/.config/systemd/user")
    except AsUserError as error:
        return TenantView(who, {}, {}, {}, [], str(error))
    return TenantView(who, seen["heartbeats"], seen["fragments"], units, seen["strays"], error_of_manager)


def _show(who: Account, agents: list[str], others: list[str]) -> dict[str, dict[str, str]]:
    """Return systemd's properties of every unit of these agents, and of these slices and timers, by unit name."""
    names = [f"watchbill-{role}@{agent}.service" for agent in agents for role in ("agent", "session")] + others
    if not names:
        return {}
    properties = f"{UNIT_PROPERTIES},{LIMIT_PROPERTIES}" if others else UNIT_PROPERTIES
    return parse_show(systemctl_user(who, "show", "--property=" + properties, *names))


def _unit_state(layout: Layout, resource: dict[str, t.Any], view: TenantView) -> State:
    unit = resource["name"].split("/", 1)[1]
    fragment = view.fragments.get(unit)
    properties = view.units.get(unit, {})
    active = properties.get("ActiveState") in ALIVE
    if fragment is None and not active:
        return None
    path = properties.get("FragmentPath", "")
    if fragment and path and _unit_directory(layout) not in path:
        fragment = "foreign"
    if layout.mode == "rootless" and fragment and properties.get("NeedDaemonReload") == "yes":
        fragment = "not loaded"
    state: dict[str, t.Any] = {"fragment": fragment, "active": active}
    if resource.get("active") and not is_timer(resource):
        agent = resource["agent"].split("/", 1)[1]
        state["enabled"] = _comes_back(layout, view, unit)
        # A keeper that does not run yet cannot run the wrong program; that it does not run is said by `active`.
        running = properties.get("ActiveState") in ("active", "reloading")
        state["host_half"] = _digest_in(view, agent, "host_half") if running else resource.get("host_half")
    return state


def _slice_state(layout: Layout, resource: dict[str, t.Any], view: TenantView) -> State:
    """Return file and limits of a slice. Without a file of ours it is there as well, but limits nobody."""
    unit = resource["name"].split("/", 1)[1]
    fragment = view.fragments.get(unit)
    if fragment is None:
        return None
    properties = view.units.get(unit)
    state: dict[str, t.Any] = {"fragment": fragment}
    if properties is not None:
        if properties.get("FragmentPath") and _unit_directory(layout) not in properties["FragmentPath"]:
            state["fragment"] = "foreign"
        state["limits"] = _limits.in_force(properties)
    return state


def _unit_directory(layout: Layout) -> str:
    """Return by which part of its path a unit is known to come from us."""
    return "/systemd/generator.early/" if layout.mode == "system" else "/.config/systemd/user/"


def _comes_back(layout: Layout, view: TenantView, unit: str) -> bool:
    directory = Layout.runtime_directory(view.account.uid) + "/systemd/generator.early"
    if layout.mode == "rootless":
        directory = view.account.home + "/.config/systemd/user"
    # A link is only looked at, never followed, so root may ask; the tenant could only lie about its own agent.
    return os.path.lexists(f"{directory}/default.target.wants/{unit}")


def _session_state(layout: Layout, tenant: str, agent: str, view: TenantView, kind: str) -> State:
    session = view.units.get(f"watchbill-session@{agent}.service", {})
    keeper = view.units.get(f"watchbill-agent@{agent}.service", {})
    running = session.get("ActiveState") in ("active", "activating")
    keeper_active = keeper.get("ActiveState") in ALIVE
    heartbeat = view.heartbeats.get(agent) or {}
    exists = bool(heartbeat) or running or keeper_active
    if not exists and not os.path.isdir(layout.agent_directory(tenant, agent)):
        return None
    if kind == "session":
        wanted = None if keeper_active else session_wanted(layout, tenant, agent, time.time())
        return {"running": running, "keeper_active": keeper_active, "wanted": wanted}
    return {
        "running": running,
        "launch": _digest_in(view, agent, "launch_digest"),
        "state": heartbeat.get("state"),
    }


def _digest_in(view: TenantView, agent: str, field: str) -> str | None:
    """Return a digest out of a heartbeat, None for anything else that the tenant may have written there."""
    value = (view.heartbeats.get(agent) or {}).get(field)
    return value if isinstance(value, str) and DIGEST.match(value) else None


# -- user managers ---------------------------------------------------------------------------------------------------


def _managers(resources: list[dict[str, t.Any]], tenants: dict[str, TenantView]) -> dict[str, State]:
    """Return linger, activity and search path of every ``user@UID.service``, with one systemctl call."""
    names = [resource["name"] for resource in resources]
    units = shown("Id,ActiveState,MainPID", names)
    states: dict[str, State] = {}
    for resource in resources:
        name, tenant = resource["name"], resource["tenant"]
        if tenant not in tenants:
            states[name] = None
            continue
        properties = units.get(name, {})
        active = properties.get("ActiveState") in ALIVE
        state: dict[str, t.Any] = {"linger": os.path.exists(f"/var/lib/systemd/linger/{tenant}"), "active": active}
        # What the process was started with, not what systemctl would start it with now: those differ after an edit.
        state["unit_path"] = _environment_of(properties.get("MainPID", "0")) if active else resource.get("unit_path")
        states[name] = state
    return states


def _environment_of(pid: str) -> str | None:
    try:
        with open(f"/proc/{int(pid)}/environ", "rb") as stream:
            entries = stream.read().split(b"\0")
    except OSError:
        return None
    for entry in entries:
        if entry.startswith(b"SYSTEMD_UNIT_PATH="):
            # The process is the tenant's: it may have written over this.
            return printable(entry.split(b"=", 1)[1][:4096].decode("utf-8", "replace"))
    return None


def _tenant_slices(resources: list[dict[str, t.Any]], tenants: dict[str, TenantView]) -> dict[str, State]:
    """Return the limits of every ``user-UID.slice`` with a drop-in of ours in force, with one systemctl call."""
    states: dict[str, State] = {}
    for name, properties in shown_limits([resource["name"] for resource in resources]).items():
        if f"/{name}.d/{_limits.DROP_IN}" in properties.get("DropInPaths", ""):
            states[name] = {"limits": _limits.in_force(properties)}
    return {r["name"]: states.get(r["name"]) if r["tenant"] in tenants else None for r in resources}


def _timers(resources: list[dict[str, t.Any]]) -> dict[str, State]:
    """Return whether each of the system's timers runs, and which file was loaded for it, with one systemctl call."""
    names = [resource["name"] for resource in resources]
    units = shown(UNIT_PROPERTIES, names)
    return {name: _timer_state(units.get(name, {})) for name in names}


def _timer_state(properties: t.Mapping[str, str]) -> State:
    active = properties.get("ActiveState") in ALIVE
    path = properties.get("FragmentPath", "")
    if not path and not active:
        return None
    loaded = (FileKind.observe(path) or {}).get("sha256") if path else None
    return {"active": active, "fragment": "not loaded" if properties.get("NeedDaemonReload") == "yes" else loaded}


# -- what does not belong here ---------------------------------------------------------------------------------------


def _strays(
    layout: Layout, resources: t.Iterable[dict[str, t.Any]], tenants: dict[str, TenantView]
) -> list[dict[str, t.Any]]:
    ours = {layout.expand(resource["name"]) for resource in resources if resource["kind"] in ("file", "directory")}
    found: list[dict[str, t.Any]] = []
    for tenant, view in sorted(tenants.items()):
        for stray in view.strays:
            slice_name = _limits.hand_set_slice(stray["name"])
            more = {"slice": f"{tenant}/{slice_name}"} if slice_name else {}
            found.append({**stray, **more, "tenant": tenant, "agent": agent_of(tenant, stray["name"])})
    found.extend(stray for r in resources if is_tenant_slice(r) for stray in _set_by_hand(r))
    if layout.mode == "system":
        found.extend(_tenant.strays_in(_tenant.SYSTEM_UNIT_DIRECTORIES))
        if os.path.lexists(_tenant.FOREIGN_GENERATOR):
            found.append({"name": _tenant.FOREIGN_GENERATOR, "what": "generator"})
    found.extend(_foreign_definitions(layout.agents, ours))
    # A name is for people and programs; only `path` is what is on the disk, whatever a tenant put into it.
    named = ({**stray, "path": stray["name"], "name": printable(stray["name"])} for stray in found)
    unique = {stray["name"]: stray for stray in named if stray["path"] not in ours}
    return [unique[name] for name in sorted(unique)]


def _set_by_hand(resource: dict[str, t.Any]) -> list[dict[str, t.Any]]:
    """Return the drop-ins with which root set limits of a tenant's slice beside ours."""
    found: list[dict[str, t.Any]] = []
    for control in ("/etc/systemd/system.control", "/run/systemd/system.control"):
        directory = f"{control}/{resource['name']}.d"
        names = os.listdir(directory) if os.path.isdir(directory) else []
        paths = [f"{directory}/{name}" for name in names if _limits.hand_set_slice(f"{directory}/{name}")]
        found.extend({"name": path, "what": "drop-in"} for path in paths)
        if names and len(paths) == len(names):
            found.append({"name": directory, "what": "directory"})
    more = {"tenant": resource["tenant"], "slice": resource["name"], "owner": "root"}
    return [{**stray, **more} for stray in found]


def printable(text: str) -> str:
    """Return *text* with everything escaped that is no printable character: controls, line ends, broken UTF-8."""
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in text)


def agent_of(tenant: str, path: str) -> str | None:
    """Return the agent (``tenant/name``) on whose names a path is, None for one on nobody's."""
    match = re.search(r"/watchbill-(?:(?:agent|session)@([a-z0-9-]+)\.service|((?:[a-z0-9]|\\x2d)+)\.slice)", path)
    return "{}/{}".format(tenant, (match.group(1) or match.group(2)).replace("\\x2d", "-")) if match else None


def _foreign_definitions(directory: str, ours: set[str]) -> list[dict[str, str]]:
    """Return what lies among the definitions without being one: the generator would make units of it."""
    found: list[dict[str, str]] = []
    for root, directories, files in os.walk(directory):
        found.extend({"name": f"{root}/{name}", "what": "file"} for name in files if f"{root}/{name}" not in ours)
        found.extend(
            {"name": f"{root}/{name}", "what": "directory"} for name in directories if f"{root}/{name}" not in ours
        )
    return found
