# Copyright: Watchbill contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What every agent of this host is doing, and what runs beside them.

Definitions are as root wrote them, heartbeats as tenants' keepers wrote them.

What a tenant can write is data from a stranger: it is read as the tenant, its types are checked and its texts are cut.
"""

from __future__ import annotations

import contextlib
import os
import time
import typing as t

from . import _observe
from ._as_applied import Applied, Difference
from ._as_user import AsUserError, call_as
from ._beside import Stray, agents_beside, units_beside
from ._deputy import Deputy
from ._eyes import Eyes
from ._hours import hours, problem, shown_override
from ._keeper.heartbeat import flat, printable
from ._layout import Account, Layout, account_by_uid
from ._plain_files import number, read_object
from ._rootless import lingers
from ._runtimes import RUNTIMES

Row = dict[str, t.Any]
STATES = ("off", "starting", "idle", "working", "waiting-input", "limited", "paused", "stuck", "crashed", "unknown")
ALIVE_SECONDS = 60.0
"""A keeper renews its heartbeat file every 20 s at least."""
LOOK_SECONDS = 6.0
"""How long a tenant may keep us: it can stop our child as well as its manager, and is not alone."""
PROGRAMS = tuple(sorted(runtime.program for runtime in RUNTIMES.values() if runtime.program))
MOST_LIMITS = 8


class TenantView(t.NamedTuple):
    """What was found at one tenant: last heartbeats, whether keepers come back at boot, ActiveState of units.

    ``again`` has the units that ended and that systemd is about to start again: they are ``activating``, too.
    ``beside`` are agents that are not ours, ``applied`` is what :class:`._as_applied.Applied` compares, None where
    nobody looked.
    """

    heartbeats: dict[str, t.Any]
    linked: dict[str, bool]
    units: dict[str, str]
    again: frozenset[str] = frozenset()
    beside: tuple[Stray, ...] = ()
    applied: _observe.TenantView | None = None


class Look(t.NamedTuple):
    """One row for every agent of a host, and what looks like an agent and is none of ours."""

    agents: list[Row]
    strays: list[Stray]
    applied: Row | None
    """Which apply was the last one here: its ``generation``, ``applied_at`` and ``digest``."""


class Host:
    """A host that is looked at once or again and again."""

    def __init__(self, layout: Layout) -> None:
        """Take where things are on it."""
        self._layout = layout
        self._applied = Applied(layout)
        self._eyes: dict[int, Deputy] = {}

    def look(self) -> Look:
        """Return every agent that has a definition here, sorted by tenant and name, and the strays.

        As an ordinary user of a host that root manages, only one's own agents are there.
        """
        rows: list[Row] = []
        strays: list[Stray] = []
        accounts: set[int] = set()
        for tenant in _entries(self._layout.agents):
            agents = {
                name: _definition(self._layout, tenant, name) for name in _entries(f"{self._layout.agents}/{tenant}")
            }
            who: Account | None = None
            view = TenantView({}, {}, {})
            # Of a tenant that cannot be looked at, no more is known than what root wrote.
            with contextlib.suppress(KeyError, AsUserError, PermissionError):
                who, view = self._seen(tenant, sorted(agents))
                accounts.add(who.uid)
            drift = self._differences(tenant, view)
            for name, definition in sorted(agents.items()):
                row = _row(self._layout, tenant, name, definition, view, who)
                rows.append({**row, "drift": (drift or {}).get(name)})
            strays += ({"user": who.name if who else None, "tenant": tenant, **stray} for stray in view.beside)
        return Look(rows, strays + self._of_operator(accounts), self._applied.last())

    def differences(self, tenant: str) -> dict[str, list[Difference]] | None:
        """Return what differs at each agent of one tenant, as :meth:`look` tells it; None where nobody can say.

        :raises AsUserError: the tenant keeps us from looking.
        :raises KeyError: it has no account.
        """
        return self._differences(tenant, self._seen(tenant, _entries(f"{self._layout.agents}/{tenant}"))[1])

    def _seen(self, tenant: str, agents: list[str]) -> tuple[Account, TenantView]:
        account = self._layout.account_of(tenant)
        return account, _look(self._layout, account, agents, self._eyes_of(account))

    def _differences(self, tenant: str, view: TenantView) -> dict[str, list[Difference]] | None:
        return self._applied.differences(tenant, view.applied) if view.applied else None

    def _eyes_of(self, who: Account) -> Deputy:
        if who.uid not in self._eyes:
            self._eyes[who.uid] = Deputy(who, lambda: Eyes(who, self._layout.mode, PROGRAMS))
        return self._eyes[who.uid]

    def close(self) -> None:
        """End the children that looked as tenants."""
        while self._eyes:
            self._eyes.popitem()[1].close()

    def _of_operator(self, known: t.Collection[int]) -> list[Stray]:
        """Return the agents that whoever asks runs under an account of their own."""
        by_sudo = os.environ.get("SUDO_UID", "")
        uid = int(by_sudo) if by_sudo.isdigit() else os.geteuid()
        if uid in known or self._layout.mode == "rootless":
            return []
        try:
            who = account_by_uid(uid)
            found = call_as(who, agents_beside, uid, PROGRAMS, (), timeout=LOOK_SECONDS)
        except (KeyError, AsUserError, PermissionError):
            return []
        return [{"user": who.name, "tenant": None, **stray} for stray in found]


def status(layout: Layout) -> list[Row]:
    """Return one row for every agent that has a definition here, see :meth:`Host.look`."""
    with contextlib.closing(Host(layout)) as host:
        return host.look().agents


def _look(layout: Layout, who: Account, agents: list[str], eyes: Deputy) -> TenantView:
    """Look at one tenant: one question to a child that is the tenant."""
    seen = eyes.ask(agents, timeout=LOOK_SECONDS)
    units: dict[str, str] = {}
    again: set[str] = set()
    if seen["units"] is not None:
        # What a manager has not loaded does not run.
        wanted = [f"watchbill-{role}@{agent}.service" for agent in agents for role in ("agent", "session")]
        units = {**dict.fromkeys(wanted, "inactive"), **{unit: state for unit, (state, _) in seen["units"].items()}}
        again = {unit for unit, (_, sub) in seen["units"].items() if sub.startswith("auto-restart")}
    beside = (*seen["beside"], *units_beside((unit for unit in units if units[unit] != "inactive"), agents))
    states = {unit: {"Id": unit, "ActiveState": state} for unit, state in units.items()}
    applied = _observe.TenantView(who, seen["heartbeats"], seen["fragments"], states, seen["strays"], "")
    return TenantView(seen["heartbeats"], seen["linked"], units, frozenset(again), beside, applied if units else None)


def _row(
    layout: Layout, tenant: str, name: str, definition: dict[str, t.Any], view: TenantView, who: Account | None
) -> Row:
    said = view.heartbeats.get(name)
    heartbeat = said if isinstance(said, dict) else {}
    unit = view.units.get(f"watchbill-session@{name}.service")
    keeper_unit = f"watchbill-agent@{name}.service"
    keeper = view.units.get(keeper_unit)
    down = keeper_unit in view.again or keeper in ("inactive", "failed", "deactivating")
    override = shown_override(layout, tenant, name, heartbeat.get("restart_done"))
    lingering = who is not None and lingers(who.name)
    row: Row = {
        "tenant": tenant,
        "name": name,
        "team": definition.get("team"),
        "host": definition.get("host"),
        "role": definition.get("role"),
        "runtime": definition.get("runtime"),
        "model": definition.get("model"),
        "source": printable(heartbeat.get("source"), 100),
        "session_id": printable(heartbeat.get("session_id"), 100),
        "unit": unit,
        "enabled": None
        if not view.units
        else lingering and view.linked.get(name, False) and definition.get("enabled") is True,
        "since": printable(heartbeat.get("since"), 40),
        "keeper": keeper,
        "user": who.name if who else None,
        "lingers": lingering,
        "override": override,
        "restarts": _integer(heartbeat.get("restarts")),
        "last_event": flat(heartbeat.get("last_event")),
        "pending_restart": heartbeat.get("pending_restart") is True,
        "evidence": printable(heartbeat.get("evidence")),
        "session_pid": _integer(heartbeat.get("session_pid")),
        "keeper_pid": _integer(heartbeat.get("keeper_pid")),
        "launch_digest": printable(heartbeat.get("launch_digest"), 64),
        "host_half": printable(heartbeat.get("host_half"), 64),
        "alias": definition.get("alias"),
        "runtime_version": definition.get("runtime_version"),
        **_said(heartbeat),
    }
    ended = override is not None and override["kind"] in ("stop", "off")
    row.update(condition(definition, heartbeat, unit, keeper, ended))
    said = heartbeat.get("schedule") if _is_alive(definition, heartbeat, keeper) else None
    row.update(hours(definition, override, said), note="keeper down" if down else problem(said))
    return row


def _said(heartbeat: dict[str, t.Any]) -> Row:
    """Return what an agent's own runtime said of its work and its provider, as far as it is of the right type."""
    limits = heartbeat.get("limits")
    messages = heartbeat.get("messages")
    return {
        **{field: printable(heartbeat.get(field), 1000) for field in ("beat_source", "conversation", "transcript")},
        "resets_at": printable(heartbeat.get("resets_at"), 40),
        **{field: number(heartbeat.get(field)) for field in ("context_percent", "cost_usd", "cost_today_usd")},
        "context_tokens": _integer(heartbeat.get("context_tokens")),
        "limits": [flat(limit) for limit in limits[:MOST_LIMITS]] if isinstance(limits, list) else None,
        "messages": flat(messages),
        "worktree": _worktree(heartbeat.get("worktree")),
    }


def _worktree(said: t.Any) -> Row | None:
    """Return what the keeper said of the agent's worktree, as far as it is of the right type."""
    if not isinstance(said, dict):
        return None
    texts = {field: printable(said.get(field), 1000) for field in ("path", "branch")}
    return {**texts, "dirty": said.get("dirty") is True, "unpushed": _integer(said.get("unpushed"))}


def condition(
    definition: dict[str, t.Any], heartbeat: dict[str, t.Any], unit: str | None, keeper: str | None, ended: bool
) -> Row:
    """Return ``state``, ``healthy`` and ``heartbeat_age_s``, with ages computed now and by CLOCK_BOOTTIME.

    A heartbeat counts only while its keeper lives; healthy is who answered, never who merely runs.

    :param ended: whether an operator said that no session shall run.
    """
    now = time.clock_gettime(time.CLOCK_BOOTTIME)
    # A session goes on as what it was started with, whatever its next one will be.
    runtime = RUNTIMES.get(str(heartbeat.get("runtime") or definition.get("runtime")))
    answers = runtime is None or runtime.answers_beats
    within = _healthy_within(definition)
    age = _age(now, heartbeat.get("beat_boottime"))
    state = heartbeat.get("state")
    alive = _is_alive(definition, heartbeat, keeper) and state in STATES
    if not alive:
        off = unit in ("inactive", "failed") and (ended or keeper in ("inactive", "failed"))
        state = "starting" if keeper == "activating" else "off" if off else "unknown"
    healthy: bool | None = alive and heartbeat.get("healthy") is True and age is not None and age <= within
    if not answers or state == "off":
        healthy = None
    return {"state": state, "healthy": healthy, "heartbeat_age_s": None if age is None else round(age, 1)}


def _is_alive(definition: dict[str, t.Any], heartbeat: dict[str, t.Any], keeper: str | None) -> bool:
    """Return whether a living keeper wrote this heartbeat a moment ago."""
    written = _age(time.clock_gettime(time.CLOCK_BOOTTIME), heartbeat.get("written_boottime"))
    longest = max(ALIVE_SECONDS, _healthy_within(definition))
    return keeper in ("active", "reloading") and written is not None and written <= longest


def _healthy_within(definition: dict[str, t.Any]) -> float:
    return number((definition.get("heartbeat") or {}).get("healthy_within")) or 0.0


def _age(now: float, at: t.Any) -> float | None:
    """Return how long ago *at* was; what claims to be from the future says nothing."""
    then = number(at)
    return None if then is None or then > now + 1 else max(0.0, now - then)


def _definition(layout: Layout, tenant: str, name: str) -> dict[str, t.Any]:
    try:
        return read_object(layout.agent_directory(tenant, name) + "/definition.json")
    except (OSError, ValueError):
        # Apply will find the same and repair it; until then nothing is known but the name.
        return {}


def _entries(directory: str) -> list[str]:
    try:
        return sorted(entry.name for entry in os.scandir(directory) if entry.is_dir(follow_symlinks=False))
    except (FileNotFoundError, PermissionError):
        return []


def _integer(value: t.Any) -> int | None:
    return value if isinstance(value, int) and number(value) is not None else None
