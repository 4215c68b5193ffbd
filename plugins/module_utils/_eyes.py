# Copyright: Watchbill contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What ``status`` sees of a tenant, as the tenant: heartbeats, units, links, and what runs beside its agents."""

from __future__ import annotations

import os
import typing as t

from ._as_user import AsUserError, has_manager, systemctl_user
from ._beside import agents_beside
from ._layout import Account, Layout
from ._manager_bus import list_units
from ._tenant import look_at_heartbeat, strays_in, unit_digests, unit_directories

OUR_UNITS = ("watchbill-agent@*.service", "watchbill-session@*.service")
SOCKET_SECONDS = 1.0
MANAGER_SECONDS = 4.0
"""Of the time that a tenant has: its manager may not answer, and its files are news all the same."""


class Eyes:
    """Looks at one tenant, once or again and again; what did not change meanwhile is not read again."""

    def __init__(self, who: Account, mode: str, programs: t.Sequence[str]) -> None:
        """Know whom to look at, and which programs are agents."""
        self._who, self._mode, self._programs = who, mode, programs
        self._runtime = Layout.runtime_directory(who.uid)
        self._units = self._runtime + "/systemd/generator.early"
        if mode == "rootless":
            self._units = who.home + "/.config/systemd/user"
        self._directories = unit_directories(who.home, self._runtime)
        self._heartbeats: dict[str, tuple[t.Any, dict[str, t.Any] | None]] = {}

    def __call__(self, agents: list[str]) -> dict[str, t.Any]:
        """Return what is there now; ``units`` is None where a manager runs and does not answer."""
        wants = self._units + "/default.target.wants/watchbill-agent@{}.service"
        # Units first: a keeper that is active by then has written the heartbeat that is read after it.
        units = self._states() if has_manager(self._who) else {}
        return {
            "heartbeats": {agent: self._heartbeat(agent) for agent in agents},
            "linked": {agent: os.path.lexists(wants.format(agent)) for agent in agents},
            "fragments": unit_digests(self._units),
            "strays": strays_in(self._directories),
            "beside": agents_beside(self._who.uid, self._programs, agents),
            "units": units,
        }

    def _heartbeat(self, agent: str) -> dict[str, t.Any] | None:
        """Return a heartbeat, read again only where it is another file: a keeper writes none twice."""
        directory = Layout.agent_runtime(self._who.uid, agent)
        try:
            status = os.lstat(directory + "/heartbeat.json")
        except OSError:
            return None
        signature = [status.st_ino, status.st_ctime_ns, status.st_size]
        known = self._heartbeats.get(agent)
        if known is None or known[0] != signature:
            known = self._heartbeats[agent] = signature, look_at_heartbeat(directory)
        return known[1]

    def _states(self) -> dict[str, tuple[str, str]] | None:
        """Return ActiveState and SubState of our units, by name."""
        if self._mode == "rootless":
            # Managers of people who log in were seen to say nothing on this socket.
            return self._shown()
        try:
            found = list_units(self._runtime + "/systemd/private", self._who.uid, OUR_UNITS, SOCKET_SECONDS)
            return {unit: (state.active, state.sub) for unit, state in found.items()}
        except (OSError, ValueError):
            # It does not speak as we expect, or not to us: its own program knows how.
            return self._shown()

    def _shown(self) -> dict[str, tuple[str, str]] | None:
        question = ("list-units", "--all", "--full", "--plain", "--no-legend", *OUR_UNITS)
        try:
            shown = systemctl_user(self._who, *question, timeout=MANAGER_SECONDS)
        except AsUserError:
            return None
        # UNIT LOAD ACTIVE SUB DESCRIPTION; some versions put a dot before what failed.
        lines = [line.replace("\N{BLACK CIRCLE}", " ").split(None, 4) for line in shown.splitlines()]
        return {words[0]: (words[2], words[3]) for words in lines if len(words) >= 4}
