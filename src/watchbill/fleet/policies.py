"""Policies that cannot work: heartbeats without slack, restarts that never come, hosts that are not there."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from watchbill.fleet.document import Document
from watchbill.fleet.objects import AgentPolicy, Heartbeat, Schedule
from watchbill.fleet.roster import PolicySource, policies_of, policy_sources, resolve_policy, schedule_of
from watchbill.fleet.schedules import changes_by_time
from watchbill.fleet.translate import Path, Typed
from watchbill.fleet.words import shorten

MIN_INTERVALS = 5


def check(document: Document, typed: Typed, schedules: Mapping[str, Schedule]) -> None:
    """Add every problem of the policies to the document."""
    policies = policies_of(typed.spec)
    _heartbeats(document, typed, policies)
    _windows(document, typed, policies, schedules)
    _hosts(document, typed)


def _hosts(document: Document, typed: Typed) -> None:
    policy, known = typed.spec.policy, document.data.get("hosts")
    if not isinstance(known, dict):
        return
    named: list[tuple[Path, str]] = [(("policy", "canary", index), host) for index, host in enumerate(policy.canary)]
    for number, ignored in enumerate(policy.ignore):
        path: Path = ("policy", "ignore", number, "hosts")
        named.extend(((*path, index), host) for index, host in enumerate(ignored.hosts or []))
    for path, host in named:
        if host not in known:
            message = f'the policy names host "{shorten(host)}", which does not exist'
            hint = document.suggest_of("hosts", host, known)
            document.add(document.problem("unknown-host", message, path, hint=hint))


def _windows(
    document: Document, typed: Typed, policies: Sequence[AgentPolicy], schedules: Mapping[str, Schedule]
) -> None:
    """Check that who waits for a window to be restarted has one."""
    if not typed.has_all("policy", "teams", "roles", "schedules", "defaults"):
        return
    for place, entry, policy in zip(typed.places, typed.spec.roster, policies, strict=True):
        schedule = schedule_of(typed.spec, entry)
        if policy.restart != "at-window" or changes_by_time(schedules.get(schedule or "")):
            continue
        if schedule is not None and schedule not in schedules:
            continue  # it has its own problem
        sources = policy_sources(typed.spec, entry, place)
        source = next(source for source in sources if source.policy.restart == "at-window")
        has = f'its schedule "{schedule}" has none' if schedule else "it has no schedule"
        message = f'agent "{entry.name}" is restarted at-window, but {has}: it would never be'
        hint = "give it a schedule with windows, or another restart"
        document.add(document.problem("no-window", message, (*source.path, "restart"), hint=hint))
        return


def _heartbeats(document: Document, typed: Typed, policies: Sequence[AgentPolicy]) -> None:
    """Check, for the fleet and for every agent, that some beats may be lost before an agent counts as stuck."""
    if not typed.has_all("policy", "teams", "roles"):
        return
    reported: set[Path] = set()
    fleet = [PolicySource(("policy",), typed.spec.policy)]
    _heartbeat(document, resolve_policy(fleet).heartbeat, fleet, reported)
    for place, entry, policy in zip(typed.places, typed.spec.roster, policies, strict=True):
        _heartbeat(document, policy.heartbeat, policy_sources(typed.spec, entry, place), reported)


def _heartbeat(document: Document, beat: Heartbeat, sources: Iterable[PolicySource], reported: set[Path]) -> None:
    if beat.healthy_within >= MIN_INTERVALS * beat.interval:
        return
    # At fault is the strongest policy that says anything about the two.
    for source in sources:
        for key in ("healthy_within", "interval"):
            path: Path = (*source.path, "heartbeat", key)
            if getattr(source.policy.heartbeat, key) is not None:
                if path not in reported:
                    reported.add(path)
                    shown = f"healthy_within {beat.healthy_within:g}s is less than {MIN_INTERVALS} times the interval"
                    message = f"{shown} {beat.interval:g}s: a few late beats would make an agent stuck"
                    hint = f"at least {MIN_INTERVALS * beat.interval:g}s, or a shorter interval"
                    document.add(document.problem("tight-heartbeat", message, path, hint=hint))
                return
