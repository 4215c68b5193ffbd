"""``watchbill-host peers``: who is there now, for an agent that asks and for root."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.watchbill.fleet.plugins.module_utils._host_cli import main
from ansible_collections.watchbill.fleet.plugins.module_utils._host_commands import peers
from ansible_collections.watchbill.fleet.plugins.module_utils._layout import Layout

from tests.unit.half.rosters import agent, roster

ROSTER = roster(
    agent("coder0", project="shop", schedule="office"),
    agent("coder1", host="attic", enabled=False),
    agent("orchestrator", role="orchestrator", alias="Mos é\x1b"),
    agent("writer", team="site", role="enhancer"),
)


class Host:
    """A host with one tenant, and its own command line."""

    def __init__(self, layout: Layout, capsys: pytest.CaptureFixture[str]) -> None:
        self.layout = layout
        self.capsys = capsys
        self.write(ROSTER)

    def write(self, whole: dict[str, Any], tenant: str = "studio") -> None:
        path = Path(self.layout.roster(tenant))
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps(whole))

    def ask(self, *arguments: str) -> str:
        assert main(["peers", *arguments]) == 0
        return self.capsys.readouterr().out

    def refusal(self, *arguments: str) -> str:
        assert main(["peers", *arguments]) == 1
        said = self.capsys.readouterr()
        assert said.out == ""
        return said.err

    def names(self, *arguments: str) -> list[str]:
        return [row["name"] for row in json.loads(self.ask(*arguments, "--json"))]


@pytest.fixture
def host(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Host:
    layout = Layout.rootless(str(tmp_path), os.getuid())
    monkeypatch.setattr(peers, "layout_here", lambda: layout)
    monkeypatch.delenv("WATCHBILL_TENANT", raising=False)
    monkeypatch.delenv("WATCHBILL_AGENT", raising=False)
    return Host(layout, capsys)


@pytest.fixture
def as_coder0(host: Host, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WATCHBILL_TENANT", "studio")
    monkeypatch.setenv("WATCHBILL_AGENT", "coder0")


@pytest.mark.usefixtures("as_coder0")
def test_agent_sees_everybody_with_address_and_duty(host: Host) -> None:
    assert host.ask() == (
        "address                   role          team  schedule  alias  note\n"
        "desk:studio/coder0        coder         app   office    -      you\n"
        "attic:studio/coder1       coder         app   -         -      disabled\n"
        "desk:studio/orchestrator  orchestrator  app   -         Mos é  orchestrator\n"
        "desk:studio/writer        enhancer      site  -         -      enhancer\n"
    )


@pytest.mark.usefixtures("as_coder0")
def test_json_says_all_that_is_known(host: Host) -> None:
    assert json.loads(host.ask("--json"))[0] == {
        "address": "desk:studio/coder0",
        "tenant": "studio",
        "name": "coder0",
        "alias": None,
        "host": "desk",
        "team": "app",
        "role": "coder",
        "project": "shop",
        "schedule": "office",
        "enabled": True,
        "summary": "Changes code",
        "duty": None,
        "you": True,
    }


@pytest.mark.usefixtures("as_coder0")
def test_roster_is_read_anew_each_time(host: Host) -> None:
    assert "coder7" not in host.names()
    host.write(roster(agent("coder7")))
    assert host.names() == ["coder7"]


def test_filters_narrow_the_list_together(host: Host) -> None:
    assert host.names("--team", "site") == ["writer"]
    assert host.names("--role", "coder") == ["coder0", "coder1"]
    assert host.names("--role", "coder", "--team", "site") == []


def test_unknown_filter_names_what_there_is(host: Host) -> None:
    assert "there is no team 'ap' here; teams: app, site" in host.refusal("--team", "ap")
    assert "roles: coder, enhancer, orchestrator" in host.refusal("--role", "board")


def test_root_names_the_tenant_where_there_are_several(host: Host) -> None:
    assert len(host.names()) == 4
    host.write(roster(agent("guest"), tenant="guests"), "guests")
    assert "say which tenant, with --tenant TENANT: guests, studio" in host.refusal()
    assert host.names("--tenant", "guests") == ["guest"]


@pytest.mark.usefixtures("as_coder0")
def test_namesake_in_another_tenant_is_not_you(host: Host) -> None:
    host.write(roster(agent("coder0"), tenant="guests"), "guests")
    assert [row["you"] for row in json.loads(host.ask("--tenant", "guests", "--json"))] == [False]


@pytest.mark.parametrize("tenant", ["../studio", "", "a/b", "-"])
def test_tenant_that_is_no_name_becomes_no_path(host: Host, monkeypatch: pytest.MonkeyPatch, tenant: str) -> None:
    assert "is not the name of a tenant" in host.refusal("--tenant", tenant)
    monkeypatch.setenv("WATCHBILL_TENANT", tenant)
    assert "is not the name of a tenant" in host.refusal()


def test_roster_that_is_missing_or_damaged_is_one_line_and_a_way_out(host: Host) -> None:
    assert "no such tenant here" in host.refusal("--tenant", "guests")
    Path(host.layout.roster("studio")).write_text("{")
    assert "watchbill apply writes it again" in host.refusal()
