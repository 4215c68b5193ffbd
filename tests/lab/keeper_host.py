"""One machine with many agents and quick heartbeats, seen from where its keepers are."""

from __future__ import annotations

import json
import shlex
from dataclasses import dataclass
from typing import Any

from ansible_collections.watchbill.fleet.plugins.module_utils._runtimes import RUNTIMES

from tests.lab.command_line import PATIENCE, eventually
from tests.lab.conftest import Lab

UID = 20001
AS_STUDIO = f"setpriv --reuid={UID} --regid={UID} --clear-groups env XDG_RUNTIME_DIR=/run/user/{UID} HOME=/home/studio"
RUNTIME = f"/run/user/{UID}/watchbill"
STATE = "/home/studio/.local/state/watchbill"
pasted = RUNTIMES["stub"].pasted
"""Makes of a prompt what a stub gets by paste."""


@dataclass(frozen=True)
class KeeperHost:
    """Host `desk` of a lab, and what tests do to its agents."""

    lab: Lab
    host: str = "desk"

    def do(self, command: str, check: bool = True) -> str:
        """Run a command as root and return what it printed."""
        return self.lab.ssh(self.host, command, check=check).stdout

    def as_tenant(self, command: str) -> str:
        """Run a command as the tenant and return what it printed."""
        return self.do(f"{AS_STUDIO} sh -c {shlex.quote(command)}")

    def row(self, agent: str) -> dict[str, Any]:
        """Return what `watchbill-host status` says about an agent."""
        return self.rows([agent])[agent]

    def rows(self, agents: list[str] | None = None) -> dict[str, dict[str, Any]]:
        """Return what `watchbill-host status` says, by agent."""
        names = " ".join(f"studio/{agent}" for agent in agents or ())
        rows = json.loads(self.do(f"watchbill-host status --json {names}"))
        return {row["name"]: row for row in rows}

    def heartbeat(self, agent: str) -> dict[str, Any]:
        """Return an agent's heartbeat file."""
        said: dict[str, Any] = json.loads(self.do(f"cat {RUNTIME}/{agent}/heartbeat.json"))
        return said

    def events(self, agent: str) -> list[dict[str, Any]]:
        """Return an agent's events, oldest first."""
        return [json.loads(line) for line in self.do(f"cat {STATE}/{agent}/events.jsonl").splitlines()]

    def pid(self, role: str, agent: str) -> int:
        """Return the main process of an agent's keeper (`agent`) or session."""
        unit = f"watchbill-{role}@{agent}.service"
        return int(self.as_tenant(f"systemctl --user show --property=MainPID --value {unit}"))

    def boottime(self) -> float:
        """Return the clock that heartbeats are written by, in seconds."""
        return float(self.do("cut -d ' ' -f 1 /proc/uptime"))

    def type(self, agent: str, text: str) -> None:
        """Type a line into an agent's terminal."""
        self.as_tenant(f"tmux -N -S {RUNTIME}/{agent}/tmux.sock send-keys -t agent {shlex.quote(text)} Enter")

    def screen(self, agent: str) -> str:
        """Return what an agent's terminal shows."""
        return self.as_tenant(f"tmux -N -S {RUNTIME}/{agent}/tmux.sock capture-pane -p -t agent -S -200")

    def until(self, agent: str, seconds: float = PATIENCE, **wanted: Any) -> dict[str, Any]:
        """Wait until an agent's row has these fields; return the row.

        `seconds` are for what has a promise. What passes again by itself may have passed between two looks.
        """
        seen: list[dict[str, Any]] = []

        def holds() -> bool:
            seen.append(self.row(agent))
            return all(seen[-1][name] == value for name, value in wanted.items())

        eventually(holds, f"{agent}: {wanted}", seconds)
        return seen[-1]
