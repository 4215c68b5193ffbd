"""Differences between what a host is and what it shall be, as a host answered them.

An answer comes from another machine: its words are taken for text and its verbs for what they are, nothing more.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

VERBS = ("create", "update", "delete", "move", "restart", "repair", "pending")
ORIGINS = ("change", "drift")
DISRUPTIONS = ("none", "live", "restart", "replace", "delete")
_RUNTIME = re.compile(r".*/lib/watchbill/runtimes/[^/]+/[^/]+")
RESULTS = ("done", "failed", "skipped")


@dataclass(frozen=True)
class Action:
    """One difference and what is, or was, done about it.

    `diff` maps a field to [from, to]; `texts` has a file's contents before and after where they were asked for.
    `result` and `error` are None until an apply tried it. What is `refused` is not tried.
    """

    host: str
    kind: str
    name: str
    tenant: str | None
    agent: str | None
    action: str
    disruption: str
    origin: str
    reason: str
    diff: Mapping[str, Any] = field(default_factory=dict)
    needs_prune: bool = False
    result: str | None = None
    error: str | None = None
    texts: tuple[str, str] | None = None
    refused: bool = False

    @property
    def brings_runtime(self) -> bool:
        """Whether this is the directory of a runtime, which a role brings before an apply."""
        return self.kind == "directory" and _RUNTIME.fullmatch(self.name) is not None

    @property
    def differs(self) -> bool:
        """Whether this is a difference: a restart that waits for its time is none."""
        return self.action != "pending"

    def to_json(self) -> dict[str, Any]:
        """Return the object that ``plan --json`` lists."""
        texts = {} if self.texts is None else {"texts": list(self.texts)}
        return {
            "host": self.host,
            "kind": self.kind,
            "name": self.name,
            "tenant": self.tenant,
            "agent": self.agent,
            "action": self.action,
            "disruption": self.disruption,
            "origin": self.origin,
            "reason": self.reason,
            "diff": dict(self.diff),
            "needs_prune": self.needs_prune,
            "refused": self.refused,
            "result": self.result,
            "error": self.error,
        } | texts


def read_action(host: str, data: Any, shown: Any = None) -> Action:
    """Return an action out of the answer of `host`, with the texts in `shown`, Ansible's form of its diff.

    Raises ValueError for something that is no action.
    """
    if not isinstance(data, Mapping):
        raise ValueError("an action is not an object")  # noqa: TRY004 - what a host says is data, not a type
    diff = _pairs(data.get("diff"))
    return Action(
        host=host,
        kind=_text(data, "kind"),
        name=_text(data, "name"),
        tenant=_text_or_none(data, "tenant"),
        agent=_text_or_none(data, "agent"),
        action=_one_of(data, "action", VERBS),
        disruption=_one_of(data, "disruption", DISRUPTIONS),
        origin=_one_of(data, "origin", ORIGINS),
        reason=_text_or_none(data, "reason") or "",
        diff=diff,
        needs_prune=data.get("needs_prune") is True,
        result=None if data.get("result") is None else _one_of(data, "result", RESULTS),
        error=_text_or_none(data, "error"),
        texts=_texts(diff, shown) if data.get("kind") == "file" else None,
        refused=data.get("refused") is True,
    )


@dataclass(frozen=True)
class LeftAlone:
    """Drift that `policy.ignore` leaves alone; `path`, `reason` and the last day, `until`, are those of the rule."""

    host: str
    kind: str
    name: str
    field: str
    path: str
    reason: str
    until: str | None

    def to_json(self) -> dict[str, Any]:
        """Return the object that ``plan --json`` lists under ``ignored``."""
        return asdict(self)


def read_left_alone(host: str, data: Any) -> LeftAlone:
    """Return what `host` says that it left alone. Raises ValueError for something else."""
    if not isinstance(data, Mapping):
        raise ValueError("an ignored difference is not an object")  # noqa: TRY004 - as above
    words = {name: _text(data, name) for name in ("kind", "name", "field", "path", "reason")}
    return LeftAlone(host, until=_text_or_none(data, "until"), **words)


def summarize(actions: Iterable[Action]) -> dict[str, int]:
    """Return how many actions there are by verb and, without those that only wait, by origin."""
    verbs: Counter[str] = Counter()
    origins: Counter[str] = Counter()
    pruned = 0
    for action in actions:
        verbs[action.action] += 1
        if action.differs:
            origins[action.origin] += 1
            pruned += action.needs_prune
    return (
        {verb: verbs[verb] for verb in VERBS}
        | {origin: origins[origin] for origin in ORIGINS}
        | {"needs_prune": pruned}
    )


def _pairs(value: Any) -> dict[str, list[Any]]:
    """Return a diff's fields that have a value before and one after."""
    if not isinstance(value, Mapping):
        return {}
    return {str(name): pair for name, pair in value.items() if isinstance(pair, list) and len(pair) == 2}


def _texts(diff: Mapping[str, Any], shown: Any) -> tuple[str, str] | None:
    """Return the contents of a file before and after, where they were asked for: otherwise there are fields only."""
    before, after = (shown.get("before"), shown.get("after")) if isinstance(shown, Mapping) else (None, None)
    if not isinstance(before, str) or not isinstance(after, str):
        return None
    fields = "".join(f"{name}: {pair[0]}\n" for name, pair in sorted(diff.items()))
    return None if before == fields else (before, after)


def _text(data: Mapping[str, Any], key: str) -> str:
    value = data.get(key)
    if not isinstance(value, str) or not value:
        raise ValueError(f"a difference has no {key}")
    return value


def _text_or_none(data: Mapping[str, Any], key: str) -> str | None:
    value = data.get(key)
    return value if isinstance(value, str) else None


def _one_of(data: Mapping[str, Any], key: str, known: tuple[str, ...]) -> str:
    value = data.get(key)
    if not isinstance(value, str) or value not in known:
        raise ValueError(f"an action has the unknown {key} {value!r}")
    return value
