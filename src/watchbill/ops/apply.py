"""Make hosts what the fleet says."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from watchbill.errors import OperationError
from watchbill.ops.actions import Action, summarize
from watchbill.ops.plan import FORMAT_VERSION, HostState, host_counts, host_states
from watchbill.standby import INTERRUPTED

if TYPE_CHECKING:
    from watchbill.ops.target import Target
    from watchbill.runner import OnEvent


@dataclass(frozen=True)
class Applied:
    """What an apply did, by host. `seconds` is how long it took; `prune` whether deletions were allowed."""

    fleet: str
    hosts: tuple[HostState, ...]
    agents: int
    prune: bool
    seconds: float
    interrupted: bool = False

    @property
    def actions(self) -> tuple[Action, ...]:
        """Return the actions of all hosts with what became of each."""
        return tuple(action for host in self.hosts for action in host.actions)

    @property
    def done(self) -> tuple[Action, ...]:
        """Return what was changed."""
        return tuple(action for action in self.actions if action.result == "done")

    @property
    def failed(self) -> tuple[Action, ...]:
        """Return what could not be changed."""
        return tuple(action for action in self.actions if action.result == "failed")

    @property
    def waiting(self) -> tuple[Action, ...]:
        """Return the restarts that wait for their time."""
        return tuple(action for action in self.actions if action.action == "pending")

    @property
    def kept(self) -> tuple[Action, ...]:
        """Return the deletions that were planned but not allowed."""
        return tuple(action for action in self.actions if action.needs_prune and action.result != "done")

    @property
    def complete(self) -> bool:
        """Whether every host answered, refused nothing and failed at nothing."""
        return all(host.complete for host in self.hosts) and not self.failed and not self.interrupted

    @property
    def exit_code(self) -> int:
        """0 done, 1 something was refused, failed or could not be reached, 130 interrupted."""
        return INTERRUPTED if self.interrupted else 0 if self.complete else 1

    def to_json(self) -> dict[str, Any]:
        """Return the object that ``apply --json`` prints."""
        counts = {"done": len(self.done), "failed": len(self.failed), "kept": len(self.kept)}
        return {
            "format_version": FORMAT_VERSION,
            "fleet": self.fleet,
            "complete": self.complete,
            "interrupted": self.interrupted,
            "seconds": round(self.seconds, 1),
            "summary": summarize(self.actions) | counts | host_counts(self.hosts),
            "hosts": [host.to_json() for host in self.hosts],
            "actions": [action.to_json() for action in self.actions],
        }


def apply(target: Target, *, prune: bool = False, diff: bool = False, on_event: OnEvent | None = None) -> Applied:
    """Change the hosts of the target until they are as the fleet says, and return what was done.

    Deletions happen only with `prune`. Nothing is asked here. A host that fails does not keep the others from being
    changed. Raises OperationError, with nothing changed, where the value of a secret that a host lacks cannot be had.
    """
    from watchbill.connect import connections
    from watchbill.runner import run_playbook
    from watchbill.secret_sources import SecretServer

    began = time.monotonic()
    connections(target.fleet, target.lab)  # what stands in the way of them is said by us, not by Ansible
    with SecretServer(target.fleet) as secrets:
        result = run_playbook(
            "site",
            target.path,
            hosts=target.hosts,
            limited=target.limited,
            lab=target.lab,
            extra_vars={"watchbill_prune": prune},
            diff=diff,
            variables=secrets.variables,
            on_event=on_event,
        )
    if secrets.errors and not any(answer.get("applied") for told in result.answers.values() for answer in told):
        raise _refusal(secrets.errors)
    return Applied(
        fleet=target.fleet.name,
        hosts=host_states(target, result),
        agents=len(target.agents()),
        prune=prune,
        seconds=time.monotonic() - began,
        interrupted=result.interrupted,
    )


def _refusal(errors: Mapping[str, OperationError]) -> OperationError:
    """Return the error for all secrets that could not be fetched."""
    found = [errors[name] for name in sorted(errors)]
    message = "; ".join(error.message for error in found)
    return OperationError(f"{message}. Nothing was changed", "; ".join(error.hint for error in found), found[0].code)
