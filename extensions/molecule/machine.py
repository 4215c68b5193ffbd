"""What the checks of the scenarios ask a machine."""

from __future__ import annotations

import json
import shlex
import time
from dataclasses import dataclass
from typing import Any

from testinfra.host import Host

PATIENCE_SECONDS = 120


@dataclass(frozen=True)
class Account:
    """A user of a machine who runs agents. Commands run as that user, the way its own login would run them.

    `become`: we are root there, and not that user itself.
    """

    host: Host
    name: str
    uid: int
    become: bool = True

    def run(self, command: str) -> Any:
        """Return how a shell command of this user ended: `rc`, `stdout`, `stderr`."""
        become = f"runuser -u {self.name} -- " if self.become else ""
        script = shlex.quote(f"cd ~{self.name} && {command}")
        return self.host.run(f"{become}env XDG_RUNTIME_DIR=/run/user/{self.uid} sh -c {script}")

    def output(self, command: str) -> str:
        """Return what a command printed; one that fails is a failed check."""
        done = self.run(command)
        assert done.rc == 0, f"{self.name}: {command}\n{done.stdout}{done.stderr}"
        return str(done.stdout).rstrip("\n")

    def runtime(self, agent: str) -> str:
        """Return the directory of an agent's sockets and heartbeat."""
        return f"/run/user/{self.uid}/watchbill/{agent}"

    def unit(self, name: str) -> dict[str, str]:
        """Return what this user's systemd knows of a unit."""
        shown = self.output(f"systemctl --user show -p ActiveState,UnitFileState,FragmentPath {name}")
        return dict(line.split("=", 1) for line in shown.splitlines())

    def heartbeat(self, agent: str) -> dict[str, Any]:
        """Return what the keeper of an agent wrote last."""
        heartbeat: dict[str, Any] = json.loads(self.output(f"cat {self.runtime(agent)}/heartbeat.json"))
        return heartbeat

    def said_state(self, agent: str) -> str | None:
        """Return the state of an agent, None where no keeper has written one yet."""
        done = self.run(f"cat {self.runtime(agent)}/heartbeat.json")
        return str(json.loads(done.stdout)["state"]) if done.rc == 0 else None

    def pane(self, agent: str, variable: str) -> str:
        """Return a variable of the one pane of an agent's session, such as `pane_pid`."""
        panes = self.output(f"tmux -S {self.runtime(agent)}/tmux.sock list-panes -a -F '#{{{variable}}}'")
        assert panes.count("\n") == 0, f"{agent} has more than one pane: {panes}"
        return panes

    def environment(self, agent: str) -> dict[str, str]:
        """Return the environment of the program in the terminal of an agent."""
        variables = self.output(f"cat /proc/{self.pane(agent, 'pane_pid')}/environ").split("\0")
        return dict(variable.split("=", 1) for variable in variables if variable)

    def check_agent(self, agent: str, state: str) -> None:
        """Check that an agent is on watch: its units run, its program lives on a terminal, its state is known.

        A rollout is over when all has been started: the first answer of an agent comes when it comes.
        """
        deadline = time.monotonic() + PATIENCE_SECONDS
        while self.said_state(agent) != state and time.monotonic() < deadline:
            time.sleep(1)
        keeper, session = (self.unit(f"watchbill-{role}@{agent}.service") for role in ("agent", "session"))
        assert (keeper["ActiveState"], session["ActiveState"]) == ("active", "active"), agent
        assert self.pane(agent, "pane_dead") == "0", agent
        assert self.pane(agent, "pane_tty").startswith("/dev/pts/"), agent
        heartbeat = self.heartbeat(agent)
        assert heartbeat["agent"] == agent
        # Only a runtime that answers can be healthy; a plain program is known to run, and no more than that.
        healthy = True if state == "idle" else None
        assert (heartbeat["state"], heartbeat["healthy"]) == (state, healthy), heartbeat
