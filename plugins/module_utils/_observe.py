# Copyright: Watchbill contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What a host is: the state of every resource that is wanted or was applied, and what does not belong there."""

from __future__ import annotations

import os
import re
import subprocess
import time
import typing as t

from . import _tenant
from ._as_user import AsUserError, call_as, has_manager, systemctl_user
from ._layout import Account, Layout
from ._overrides import OverrideError, read_override, stop_in_force
from ._planner import key_of
from ._resources._directory import DirectoryKind
from ._resources._file import FileKind
from ._resources._user import UserKind

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
    """Return what is now true of *resources*; reads only, as root for root's files and as the tenant for a tenant's."""
    by_key = {key_of(resource): resource for resource in resources}
    tenants = _tenants(layout, by_key.values())
    managers = _managers([resource for resource in by_key.values() if is_manager(resource)], tenants)
    states: dict[str, State] = {}
    for key, resource in by_key.items():
        states[key] = _state(layout, resource, tenants, managers)
    strays = _strays(layout, by_key.values(), tenants)
    warnings = [f"tenant {name}: {view.error}" for name, view in sorted(tenants.items()) if view.error]
    idle = {by_key[f"unit:{name}"]["tenant"] for name, state in managers.items() if state and not state["active"]}
    unseen = {name: view.error for name, view in tenants.items() if view.error and name not in idle}
    return Observation(states, strays, tenants, warnings, unseen)


def is_manager(resource: dict[str, t.Any]) -> bool:
    """Return whether a resource is a tenant's user manager, which is a unit of the system."""
    return resource["kind"] == "unit" and resource.get("scope") == "system"


def _state(
    layout: Layout, resource: dict[str, t.Any], tenants: dict[str, TenantView], managers: dict[str, State]
) -> State:
    kind, name = resource["kind"], resource["name"]
    if kind == "user":
        return UserKind.observe(name)
    if kind == "directory":
        return DirectoryKind.observe(layout.expand(name))
    if kind == "file":
        return FileKind.observe(layout.expand(name))
    if is_manager(resource):
        return managers.get(name)
    view = tenants.get(resource["tenant"])
    if view is None:
        return None
    if kind == "unit":
        return _unit_state(layout, resource, view)
    agent = resource["agent"].split("/", 1)[1]
    return _session_state(layout, resource["tenant"], agent, view, kind)


# -- tenants ---------------------------------------------------------------------------------------------------------


def _tenants(layout: Layout, resources: t.Iterable[dict[str, t.Any]]) -> dict[str, TenantView]:
    """Return a view of every tenant that has an account here, with one fork and one systemctl call each."""
    agents: dict[str, set[str]] = {}
    for resource in resources:
        tenant = resource.get("tenant")
        if tenant is None:
            continue
        known = agents.setdefault(tenant, set())
        if resource.get("agent"):
            known.add(resource["agent"].split("/", 1)[1])
    views = {}
    for tenant, names in sorted(agents.items()):
        try:
            who = layout.account_of(tenant)
        except KeyError:
            continue
        views[tenant] = _view(layout, who, sorted(names))
    return views


def _view(layout: Layout, who: Account, agents: list[str]) -> TenantView:
    try:
        seen = call_as(who, _tenant.look, who.uid, who.home, agents)
        if layout.mode == "rootless":
            seen["fragments"] = _tenant.unit_digests(who.home + "/.config/systemd/user")
    except AsUserError as error:
        return TenantView(who, {}, {}, {}, [], str(error))
    try:
        units, error_of_manager = (_show(who, agents) if has_manager(who) else {}), ""
    except AsUserError as error:
        units, error_of_manager = {}, str(error)
    return TenantView(who, seen["heartbeats"], seen["fragments"], units, seen["strays"], error_of_manager)


def _show(who: Account, agents: list[str]) -> dict[str, dict[str, str]]:
    """Return systemd's properties of every unit of these agents, by unit name."""
    names = [f"watchbill-{role}@{agent}.service" for agent in agents for role in ("agent", "session")]
    if not names:
        return {}
    return parse_show(systemctl_user(who, "show", "--property=" + UNIT_PROPERTIES, *names))


def parse_show(text: str) -> dict[str, dict[str, str]]:
    """Return the blocks of ``systemctl show`` as ``{Id: {property: value}}``."""
    units = {}
    for block in text.split("\n\n"):
        properties = dict(line.split("=", 1) for line in block.splitlines() if "=" in line)
        if "Id" in properties:
            units[properties["Id"]] = properties
    return units


def _unit_state(layout: Layout, resource: dict[str, t.Any], view: TenantView) -> State:
    unit = resource["name"].split("/", 1)[1]
    fragment = view.fragments.get(unit)
    properties = view.units.get(unit, {})
    active = properties.get("ActiveState") in ALIVE
    if fragment is None and not active:
        return None
    path = properties.get("FragmentPath", "")
    expected = "/systemd/generator.early/" if layout.mode == "system" else "/.config/systemd/user/"
    if fragment and path and expected not in path:
        fragment = "foreign"
    if layout.mode == "rootless" and fragment and properties.get("NeedDaemonReload") == "yes":
        fragment = "not loaded"
    state: dict[str, t.Any] = {"fragment": fragment, "active": active}
    if resource.get("active"):
        agent = resource["agent"].split("/", 1)[1]
        state["enabled"] = _comes_back(layout, view, unit)
        # A keeper that does not run yet cannot run the wrong program; that it does not run is said by `active`.
        running = properties.get("ActiveState") in ("active", "reloading")
        state["host_half"] = _digest_in(view, agent, "host_half") if running else resource.get("host_half")
    return state


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
        return {"running": running, "keeper_active": keeper_active, "stopped": _is_stopped(layout, tenant, agent)}
    return {
        "running": running,
        "launch": _digest_in(view, agent, "launch_digest"),
        "state": heartbeat.get("state"),
    }


def _is_stopped(layout: Layout, tenant: str, agent: str) -> bool:
    try:
        return stop_in_force(read_override(layout, tenant, agent), time.time()) is not None
    except OverrideError:
        # Not read, it stops nobody: its keeper says so in its events.
        return False


def _digest_in(view: TenantView, agent: str, field: str) -> str | None:
    """Return a digest out of a heartbeat, None for anything else that the tenant may have written there."""
    value = (view.heartbeats.get(agent) or {}).get(field)
    return value if isinstance(value, str) and DIGEST.match(value) else None


# -- user managers ---------------------------------------------------------------------------------------------------


def _managers(resources: list[dict[str, t.Any]], tenants: dict[str, TenantView]) -> dict[str, State]:
    """Return linger, activity and search path of every ``user@UID.service``, with one systemctl call."""
    if not resources:
        return {}
    names = [resource["name"] for resource in resources]
    shown = parse_show(output_of("systemctl", "show", "--property=Id,ActiveState,MainPID", *names))
    states: dict[str, State] = {}
    for resource in resources:
        name, tenant = resource["name"], resource["tenant"]
        if tenant not in tenants:
            states[name] = None
            continue
        properties = shown.get(name, {})
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


# -- what does not belong here ---------------------------------------------------------------------------------------


def _strays(
    layout: Layout, resources: t.Iterable[dict[str, t.Any]], tenants: dict[str, TenantView]
) -> list[dict[str, t.Any]]:
    ours = {layout.expand(resource["name"]) for resource in resources if resource["kind"] in ("file", "directory")}
    found: list[dict[str, t.Any]] = []
    for tenant, view in sorted(tenants.items()):
        found.extend({**stray, "tenant": tenant, "agent": _agent_of(tenant, stray["name"])} for stray in view.strays)
    if layout.mode == "system":
        found.extend(_tenant.strays_in(_tenant.SYSTEM_UNIT_DIRECTORIES))
        if os.path.lexists(_tenant.FOREIGN_GENERATOR):
            found.append({"name": _tenant.FOREIGN_GENERATOR, "what": "generator"})
    found.extend(_foreign_definitions(layout.agents, ours))
    # A name is for people and programs; only `path` is what is on the disk, whatever a tenant put into it.
    named = ({**stray, "path": stray["name"], "name": printable(stray["name"])} for stray in found)
    unique = {stray["name"]: stray for stray in named if stray["path"] not in ours}
    return [unique[name] for name in sorted(unique)]


def printable(text: str) -> str:
    """Return *text* with everything escaped that is no printable character: controls, line ends, broken UTF-8."""
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in text)


def _agent_of(tenant: str, path: str) -> str | None:
    match = re.search(r"/watchbill-(?:agent|session)@([a-z0-9-]+)\.service", path)
    return f"{tenant}/{match.group(1)}" if match else None


def _foreign_definitions(directory: str, ours: set[str]) -> list[dict[str, str]]:
    """Return what lies among the definitions without being one: the generator would make units of it."""
    found: list[dict[str, str]] = []
    for root, directories, files in os.walk(directory):
        found.extend({"name": f"{root}/{name}", "what": "file"} for name in files if f"{root}/{name}" not in ours)
        found.extend(
            {"name": f"{root}/{name}", "what": "directory"} for name in directories if f"{root}/{name}" not in ours
        )
    return found


# -- the host itself -------------------------------------------------------------------------------------------------


def output_of(*arguments: str) -> str:
    """Return what a program printed, or nothing where it is missing or fails: absence is what the caller reports."""
    try:
        done = subprocess.run(
            arguments, stdin=subprocess.DEVNULL, capture_output=True, encoding="utf-8", timeout=20, check=False
        )
    except (OSError, subprocess.TimeoutExpired):
        return ""
    return done.stdout
