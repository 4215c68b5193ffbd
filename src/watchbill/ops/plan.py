"""What differs between the fleet and its hosts, and what an apply made of it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from watchbill.errors import Problem
from watchbill.ops.actions import Action, LeftAlone, read_action, read_left_alone, summarize

if TYPE_CHECKING:
    from watchbill.ops.target import Target
    from watchbill.runner import OnEvent, PlaybookResult

FORMAT_VERSION = 1
# More than any honest host has to say; what is beyond is not read.
MOST_ACTIONS = 100_000


@dataclass(frozen=True)
class HostState:
    """What one host answered.

    `state` is ``asked`` (it answered), ``unknown`` (it could not be asked) or ``failed`` (it was asked and something
    went wrong); for the last two `reason` says why and `phase` names the task. `applied` says that an apply ran there;
    `generation` counts its applies. `problems` keep a host from being changed at all; what is `refused` stays undone
    while all else is done; `ignored` is drift that the policy leaves alone; `overrides` are operators' words in force.
    """

    host: str
    state: str
    reason: str | None = None
    phase: str | None = None
    digest: str | None = None
    generation: int | None = None
    applied: bool = False
    actions: tuple[Action, ...] = ()
    warnings: tuple[str, ...] = ()
    problems: tuple[Problem, ...] = ()
    refused: tuple[Problem, ...] = ()
    ignored: tuple[LeftAlone, ...] = ()
    overrides: tuple[Mapping[str, Any], ...] = ()

    @property
    def objections(self) -> tuple[Problem, ...]:
        """Everything that a host objects to."""
        return self.problems + self.refused

    @property
    def complete(self) -> bool:
        """Whether the host answered and nothing stands in the way."""
        return self.state == "asked" and not self.objections

    def to_json(self) -> dict[str, Any]:
        """Return the object that ``plan --json`` lists under ``hosts``."""
        return {
            "host": self.host,
            "state": self.state,
            "reason": self.reason,
            "digest": self.digest,
            "generation": self.generation,
            "applied": self.applied,
            "warnings": list(self.warnings),
            "problems": [problem.to_json() for problem in self.problems],
            "refused": [problem.to_json() for problem in self.refused],
        }


@dataclass(frozen=True)
class Plan:
    """All differences of a fleet, by host. `agents` is how many agents the hosts that were looked at shall have."""

    fleet: str
    hosts: tuple[HostState, ...]
    agents: int
    only_drift: bool = False

    @property
    def actions(self) -> tuple[Action, ...]:
        """Return the actions of all hosts; for `drift` only those that nobody asked for."""
        every = (action for host in self.hosts for action in host.actions)
        return tuple(action for action in every if not self.only_drift or (action.origin == "drift" and action.differs))

    @property
    def overrides(self) -> tuple[Mapping[str, Any], ...]:
        """Return the operators' words that are in force: ``host, agent, kind, who, why, at, until``."""
        return tuple(word for host in self.hosts for word in host.overrides)

    @property
    def ignored(self) -> tuple[LeftAlone, ...]:
        """Return the drift that the policy leaves alone."""
        return tuple(left for host in self.hosts for left in host.ignored)

    @property
    def changes_beside_drift(self) -> int:
        """How many differences `drift` leaves out because somebody asked for them."""
        return sum(a.origin == "change" and a.differs for h in self.hosts for a in h.actions) if self.only_drift else 0

    @property
    def complete(self) -> bool:
        """Whether every host answered and nothing stands in the way."""
        return all(host.complete for host in self.hosts)

    @property
    def differs(self) -> bool:
        """Whether anything but a waiting restart is to be done."""
        return any(action.differs for action in self.actions)

    @property
    def exit_code(self) -> int:
        """0 nothing differs, 1 some host could not be asked or refuses, 2 something differs."""
        return 1 if not self.complete else 2 if self.differs else 0

    def to_json(self) -> dict[str, Any]:
        """Return the object that ``plan --json`` and ``drift --json`` print."""
        return {
            "format_version": FORMAT_VERSION,
            "fleet": self.fleet,
            "complete": self.complete,
            "summary": summarize(self.actions) | {"ignored": len(self.ignored)} | host_counts(self.hosts),
            "hosts": [host.to_json() for host in self.hosts],
            "actions": [action.to_json() for action in self.actions],
            "ignored": [left.to_json() for left in self.ignored],
            "overrides": [dict(word) for word in self.overrides],
        }


def host_counts(hosts: tuple[HostState, ...]) -> dict[str, int]:
    """Return how many hosts there are and how many answered."""
    return {"hosts": len(hosts), "hosts_asked": sum(host.state != "unknown" for host in hosts)}


def plan(target: Target, *, diff: bool = False, on_event: OnEvent | None = None) -> Plan:
    """Look at every host of the target, change nothing, and return what differs.

    `diff` asks for the contents of files as well. Raises KeyboardInterrupt where somebody interrupted it: half a look
    is none.
    """
    return _observed(target, diff=diff, on_event=on_event, only_drift=False)


def drift(target: Target, *, diff: bool = False, on_event: OnEvent | None = None) -> Plan:
    """As `plan`, but only the differences that nobody asked for."""
    return _observed(target, diff=diff, on_event=on_event, only_drift=True)


def _observed(target: Target, *, diff: bool, on_event: OnEvent | None, only_drift: bool) -> Plan:
    from watchbill.connect import connections
    from watchbill.runner import run_playbook
    from watchbill.secret_sources import withheld

    connections(target.fleet, target.lab)  # what stands in the way of them is said by us, not by Ansible
    result = run_playbook(
        "observe",
        target.path,
        hosts=target.hosts,
        limited=target.limited,
        lab=target.lab,
        diff=diff,
        variables=withheld(target.fleet),
        on_event=on_event,
    )
    if result.interrupted:
        raise KeyboardInterrupt
    states = host_states(target, result)
    if only_drift:
        # What is refused is something that somebody asked for.
        states = tuple(replace(state, refused=()) for state in states)
    return Plan(target.fleet.name, states, len(target.agents()), only_drift)


def host_states(target: Target, result: PlaybookResult) -> tuple[HostState, ...]:
    """Return what each host of the target came to, in the order of their names."""
    return tuple(_host_state(host, result) for host in target.hosts)


def _host_state(host: str, result: PlaybookResult) -> HostState:
    """Return the state of one host: its last answer, and what ended the play for it."""
    answers = result.answers.get(host)
    state, reason, phase = "asked", None, None
    if host in result.unreachable:
        state, reason = "unknown", result.unreachable[host].message
    elif host in result.failed:
        failed = result.failed[host]
        state, reason, phase = "failed", failed.message, failed.task
    elif not answers:
        state, reason = "unknown", "interrupted" if result.interrupted else f"was not asked: {result.reason}"
    elif result.interrupted and answers[-1].get("differs") and not answers[-1].get("applied"):
        state, reason = "failed", "interrupted"
    if not answers:
        return HostState(host, state, reason, phase)
    try:
        last = _read_answer(host, answers[-1], state, reason, phase)
        earlier = [_read_answer(host, answer, state, reason, phase) for answer in answers[:-1]]
    except ValueError as error:
        return HostState(host, "unknown", f"its answer makes no sense: {error}", phase)
    return _with_what_was_done_before(last, earlier)


def _with_what_was_done_before(last: HostState, earlier: list[HostState]) -> HostState:
    """Return the last state with what earlier steps of the same apply did: letting go of an agent that moves is one."""
    told = {(action.kind, action.name) for action in last.actions}
    tried = [action for state in earlier if state.applied for action in state.actions]
    done = [
        action for action in tried if action.result in ("done", "failed") and (action.kind, action.name) not in told
    ]
    if last.applied:
        # No apply is planned again before the role runtimes has brought what its look found missing.
        looked = (action for state in earlier if not state.applied for action in state.actions)
        done += [replace(action, result="done") for action in looked if action.brings_runtime]
    return replace(last, actions=(*done, *last.actions)) if done else last


def _read_answer(host: str, answer: Mapping[str, Any], state: str, reason: str | None, phase: str | None) -> HostState:
    actions = answer.get("actions")
    if not isinstance(actions, list) or len(actions) > MOST_ACTIONS:
        raise ValueError("it has no list of actions, or too long a one")
    digest, generation = answer.get("digest"), answer.get("generation")
    pairs = zip(actions, _diffs(answer, actions), strict=True)
    return HostState(
        host=host,
        state=state,
        reason=reason,
        phase=phase,
        digest=digest if isinstance(digest, str) else None,
        generation=generation if isinstance(generation, int) else None,
        applied=answer.get("applied") is True,
        actions=tuple(read_action(host, action, diff) for action, diff in pairs),
        warnings=(*(str(warning) for warning in _listed(answer, "notices")), *_missing(answer)),
        problems=tuple(_problem(host, problem) for problem in _listed(answer, "problems")),
        refused=tuple(_problem(host, problem) for problem in _listed(answer, "refused")),
        ignored=tuple(read_left_alone(host, left) for left in _listed(answer, "ignored")),
        overrides=tuple(_override(host, word) for word in _listed(answer, "overrides")),
    )


def _override(host: str, data: Any) -> Mapping[str, Any]:
    from watchbill.ops.status import read_override

    word = read_override(data)
    if word is None or not isinstance(data.get("agent"), str):
        raise ValueError("an override names no agent, or no kind")
    return {"host": host, "agent": data["agent"], **word}


def _listed(answer: Mapping[str, Any], key: str) -> list[Any]:
    found = answer.get(key)
    if found is not None and not isinstance(found, list):
        raise ValueError(f"its {key} are no list")
    return found or []


def _missing(answer: Mapping[str, Any]) -> list[str]:
    """Return a warning about packages that a host needs and does not have, before an apply installs them."""
    preflight = answer.get("preflight")
    packages = preflight.get("packages_missing") if isinstance(preflight, Mapping) else None
    if not isinstance(packages, list) or not packages or answer.get("applied") is True:
        return []
    return [f"not installed: {', '.join(map(str, packages))}"]


def _diffs(answer: Mapping[str, Any], actions: list[Any]) -> list[Any]:
    """Return Ansible's form of each action's diff: the module gives one for every action, in the same order."""
    diffs = answer.get("diff")
    return diffs if isinstance(diffs, list) and len(diffs) == len(actions) else [None] * len(actions)


def _problem(host: str, data: Any) -> Problem:
    """Return what a host objects to: it says so in an object like ours, or in a sentence."""
    if isinstance(data, Mapping):
        return Problem(
            str(data.get("code") or "refused"),
            f"{host}: {data.get('message') or 'refused'}",
            str(data.get("hint") or ""),
        )
    return Problem("refused", f"{host}: {data}")
