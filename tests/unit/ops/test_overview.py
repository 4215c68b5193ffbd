"""One screen says who needs somebody, how teams do, what it costs, what drifted and what changes next."""

from __future__ import annotations

from typing import Any

import pytest

from tests.unit.published import violations
from watchbill.ops.overview import Overview, overview_of
from watchbill.ops.status import AgentStatus, LastApply, Status, Stray

SOON, LATER = "2999-01-01T00:00:00Z", "2999-01-02T00:00:00Z"


def agent(name: str, **fields: Any) -> AgentStatus:
    whole: dict[str, Any] = {"team": "app", "state": "idle", "healthy": True, "on_watch": True}
    return AgentStatus("studio", name, fields.pop("host", "desk"), **(whole | fields))


def seen(*agents: AgentStatus, **fields: Any) -> Overview:
    found = overview_of(Status(agents, ("attic", "desk"), **({"unknown": {}, "fleet": "trial"} | fields)))
    assert violations("overview", found.to_json()) == []
    return found


def test_those_who_wait_for_a_person_come_first_with_what_helps() -> None:
    found = seen(
        agent("a", state="limited", resets_at=SOON),
        agent("b", state="crashed", healthy=False, last_event={"event": "ended", "status": 1, "last_line": "no auth"}),
        agent("c", state="waiting-input", evidence="run: npm test"),
        agent("d"),
    )
    assert [(need.agent, need.why, need.command) for need in found.needs] == [
        ("studio/c", "run: npm test", "watchbill answer studio/c"),
        ("studio/b", "ended: exit 1: no auth", "watchbill logs studio/b"),
        ("studio/a", None, None),
    ]
    assert found.needs[2].until == SOON


def test_host_that_cannot_be_asked_is_one_line_and_not_one_for_each_agent() -> None:
    lost = agent("a", host="attic", state="unknown", healthy=None)
    found = seen(lost, agent("b"), unknown={"attic": "no route"})
    assert (found.needs, found.unknown_hosts, found.exit_code) == ((), {"attic": "no route"}, 1)


def test_team_counts_who_is_wanted_now() -> None:
    found = seen(
        agent("a", cost_today_usd=2.1, state="working"),
        agent("b", healthy=False),
        agent("c", state="off", healthy=None, on_watch=False, next_change=SOON, cost_today_usd=0.4),
        agent("shell", healthy=None, state="working"),
        agent("z", team="ops", state="off", healthy=None),
    )
    app, ops = found.teams
    assert (app.agents, app.wanted, app.healthy, app.unasked, app.working) == (4, 3, 1, 1, 2)
    assert (app.usd_today, app.next_change) == (2.5, SOON)
    assert (ops.agents, ops.wanted, ops.usd_today) == (1, 0, None)
    assert found.usd_today == 2.5


def test_changes_come_in_the_order_of_time_and_those_at_once_are_one() -> None:
    found = seen(
        agent("a", state="limited", resets_at=LATER),
        agent("b", next_change=SOON),
        agent("c", next_change=SOON),
        agent("d", on_watch=False, state="off", next_change=SOON),
        agent("e", next_change="2020-01-01T00:00:00Z"),
    )
    assert [(change.at, change.what, change.agents) for change in found.next_changes] == [
        (SOON, "off watch", ("studio/b", "studio/c")),
        (SOON, "on watch", ("studio/d",)),
        (LATER, "may work again", ("studio/a",)),
    ]


@pytest.mark.parametrize("at", [None, "2026-11-21T19:00:00+00:00"])
def test_last_apply_drift_and_strays_are_told(at: str | None) -> None:
    stray = Stray("desk", "ana", None, "tmux", "old", "claude", 7)
    drifted = agent("a", drift=True, differences=("file env: content",))
    found = seen(drifted, strays=(stray,), applied={"desk": LastApply(12, at), "attic": LastApply()})
    assert (found.generation if at else 12, found.applied_at) == (12, at)
    assert [(one.agent, one.differences) for one in found.drift] == [("studio/a", ("file env: content",))]
    assert found.to_json()["strays"][0]["name"] == "old"
