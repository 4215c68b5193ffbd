"""How codex 0.169.0 is started: its words, its settings, its hooks, and what it is told. The lab has the real thing."""

from __future__ import annotations

import json
import os
import pwd
import tomllib
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.watchbill.fleet.plugins.module_utils._runtimes import RUNTIMES, Conversation, World
from ansible_collections.watchbill.fleet.plugins.module_utils._runtimes._codex_config import toml
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.unit.keeper.bench import definition
from tests.unit.runtimes.worlds import world_in

CODEX = RUNTIMES["codex"]


@pytest.fixture
def world(tmp_path: Path) -> World:
    directory = tmp_path / "settings"
    directory.mkdir()
    write_settings(directory, {})
    return world_in(
        tmp_path,
        "codex",
        argv=["codex", "--model", "gpt-6.1-sol"],
        environment={"HOME": str(tmp_path)},
        working_directory="/srv/shop",
        prompt="/run/user/20001/watchbill/coder0/prompt.md",
        settings=str(directory),
        state="/home/studio/.local/state/watchbill/coder0",
    )


def write_settings(directory: Path, theirs: dict[str, Any], program: str = "/usr/local/bin/watchbill-host") -> None:
    told = {**definition(runtime="codex"), "settings": theirs, "program": program}
    for name, body in CODEX.settings(told).items():
        (directory / name).write_bytes(body)


def config_of(world: World) -> dict[str, Any]:
    """Return the configuration on the command line of a session, as codex reads it."""
    words = CODEX.launch(world).argv
    return tomllib.loads("\n".join(after for word, after in pairwise(words) if word == "-c"))


def test_session_is_one_process_that_asks_nothing_at_its_start(world: World) -> None:
    start = CODEX.launch(world)
    assert start.argv[:3] == ["codex", "--model", "gpt-6.1-sol"]
    assert start.argv[-3:] == ["--no-daemon", "--cd", "/srv/shop"]
    config = config_of(world)
    assert config["projects"] == {"/srv/shop": {"trust_level": "trusted"}}
    assert config["check_for_update_on_startup"] is False
    assert config["notice"] == {"hide_rate_limit_model_nudge": True}
    assert "model_provider" not in config


def command(line: str, **more: Any) -> dict[str, Any]:
    return {"type": "command", "command": line, **more}


@pytest.mark.parametrize(
    ("event", "group", "reckoned"),
    [
        (
            "Stop",
            {"hooks": [command("/usr/local/bin/watchbill-host hook codex Stop", timeout=30)]},
            "2c82d6db20b2fe1cd2d19a95612da07cc2890d90cefd4e72a4986abded8afbcd",
        ),
        (
            "PreToolUse",
            {"matcher": "^Bash$", "hooks": [command("notify 'ä'")]},
            "60e90d3dd96a95a2619e58b20b4c6a7811f5bad9a849b88f332e391d6bf4f68a",
        ),
        (
            "Interrupt",
            {"hooks": [command("x", timeout=30)]},
            "a5c004c961226f9446832ffd4713c9a952b1b2be25a24b433950f2394329255b",
        ),
    ],
)
def test_hooks_are_trusted_by_the_hash_that_codex_reckons(
    world: World, event: str, group: dict[str, Any], reckoned: str
) -> None:
    """The hashes are those that `hooks/list` of `codex app-server` 0.169.0 said."""
    write_settings(Path(world.settings), {"hooks": {event: [group]}})
    hooks = config_of(world)["hooks"]
    assert hooks[event][0] == group
    label = {"Stop": "stop", "PreToolUse": "pre_tool_use", "Interrupt": "interrupt"}[event]
    trust = {"enabled": True, "trusted_hash": f"sha256:{reckoned}"}
    assert hooks["state"][f"/<session-flags>/config.toml:{label}:0:0"] == trust


def test_settings_of_the_fleet_are_kept_but_cannot_silence_the_agent(world: World) -> None:
    mine = {"hooks": [command("mine")]}
    theirs = {
        "approval_policy": "never",
        "model_provider": "house",
        "model_providers": {"house": {"base_url": "http://10.0.0.1/v1", "http_headers": {"X-Team": "app"}}},
        "projects": {"/srv/shop": {"trust_level": "untrusted"}},
        "tui": {"animations": True, "terminal_title": []},
        "features": {"hooks": False, "plugins": False, "shell_snapshot": True},
        "hooks": {"Stop": [mine], "state": {"/<session-flags>/config.toml:stop:1:0": {"enabled": False}}},
        "log_dir": "/tmp",
        "model_reasoning_effort": None,
    }
    write_settings(Path(world.settings), theirs)
    config = config_of(world)
    assert config["approval_policy"] == "never"
    assert config["model_providers"] == theirs["model_providers"]
    assert config["projects"] == theirs["projects"]
    assert config["features"] == {"hooks": True, "plugins": False, "shell_snapshot": False}
    assert config["log_dir"] == world.state + "/codex-log"
    assert [group["hooks"][0]["command"] for group in config["hooks"]["Stop"]] == [
        "mine",
        "/usr/local/bin/watchbill-host hook codex Stop",
    ]
    assert all(state["enabled"] for state in config["hooks"]["state"].values())
    assert "model_reasoning_effort" not in config


@pytest.mark.parametrize(
    "strange",
    [
        {"hooks": []},
        {"hooks": {"Stop": {"hooks": 1}}},
        {"hooks": {"Stop": [3, {"hooks": {}}, {"hooks": [4, {"command": "x", "timeout": "soon"}]}]}},
        {"shell_environment_policy": 5, "tui": 6, "features": None},
    ],
)
def test_settings_of_a_strange_form_are_left_for_codex_to_complain_of(world: World, strange: dict[str, Any]) -> None:
    write_settings(Path(world.settings), strange)
    hooks = config_of(world)["hooks"]
    assert hooks["Stop"][-1]["hooks"][0]["command"] == "/usr/local/bin/watchbill-host hook codex Stop"


def test_part_of_a_key_comes_before_the_whole_that_replaces_it(world: World) -> None:
    write_settings(Path(world.settings), {"tui.terminal_title": []})
    words = [word for word in CODEX.launch(world).argv if word.startswith("tui")]
    assert words == [
        "tui.terminal_title=[]",
        'tui={"animations" = false, "terminal_title" = ["activity", "run-state"]}',
    ]


PLAIN = st.recursive(
    st.booleans() | st.integers(-(2**63), 2**63 - 1) | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=12,
)


@settings(deadline=None)
@given(PLAIN)
def test_plain_data_means_the_same_in_toml(value: Any) -> None:
    assert tomllib.loads(f"value = {toml(value)}")["value"] == value


def test_key_in_the_environment_is_a_sign_in_of_its_own(world: World) -> None:
    environment = {**world.environment, "OPENAI_API_KEY": "sk-x"}
    config = config_of(world._replace(environment=environment))
    provider = config["model_providers"][config["model_provider"]]
    assert (provider["env_key"], provider["base_url"]) == ("OPENAI_API_KEY", "https://api.openai.com/v1")
    assert "sk-x" not in json.dumps(config)


def test_who_signed_in_is_not_replaced_by_a_key(world: World) -> None:
    Path(world.home, ".codex").mkdir()
    Path(world.home, ".codex", "auth.json").write_text("{}")
    environment = {**world.environment, "OPENAI_API_KEY": "sk-x"}
    assert "model_provider" not in config_of(world._replace(environment=environment))


def test_log_has_only_what_is_asked_for_and_tools_of_the_agent_do_not_see_it(world: World) -> None:
    assert CODEX.launch(world).environment["RUST_LOG"] == "codex_core::responses_retry=warn"
    assert config_of(world)["shell_environment_policy"] == {"exclude": ["RUST_LOG"]}


def test_log_that_the_fleet_wants_is_for_codex_and_the_tools_of_the_agent(world: World) -> None:
    loud = world._replace(environment={**world.environment, "RUST_LOG": "info"})
    assert CODEX.launch(loud).environment["RUST_LOG"] == "info,codex_core::responses_retry=warn"
    assert "shell_environment_policy" not in config_of(loud)


def test_conversation_goes_on_where_its_rollout_is_there(world: World, tmp_path: Path) -> None:
    rollout = tmp_path / "rollout.jsonl"
    before = world._replace(conversation=Conversation("01a1ff9c", str(rollout)))
    assert "resume" not in CODEX.launch(before).argv
    rollout.write_bytes(b'{"type":"event_msg","payload":{"type":"task_started","turn_id":"1"}}\n')
    assert CODEX.launch(before).argv[-4:] == ["--cd", "/srv/shop", "resume", "01a1ff9c"]


def test_prompt_of_the_session_is_what_codex_reads_first(world: World) -> None:
    mine = Path(world.home, ".codex", "AGENTS.md")
    for _ in range(2):
        CODEX.launch(world)
        assert os.readlink(mine) == world.prompt
    assert sorted(path.name for path in mine.parent.iterdir()) == ["AGENTS.md", "rules"]


def test_what_agents_reach_each_other_with_needs_nobodys_word(world: World) -> None:
    CODEX.launch(world)
    (rules,) = Path(world.home, ".codex", "rules").iterdir()
    assert '"watchbill-host", ["peers", "send", "messages", "unsend"]' in rules.read_text()


def test_what_somebody_wrote_in_its_place_is_kept_beside_it(world: World) -> None:
    mine = Path(world.home, ".codex", "AGENTS.md")
    mine.parent.mkdir()
    mine.write_text("remember this")
    CODEX.launch(world)
    assert mine.is_symlink()
    assert mine.with_name("AGENTS.md.before-watchbill").read_text() == "remember this"


def test_home_of_codex_is_where_the_fleet_says(world: World, tmp_path: Path) -> None:
    elsewhere = str(tmp_path / "elsewhere")
    start = CODEX.launch(world._replace(environment={**world.environment, "CODEX_HOME": elsewhere}))
    assert start.environment["CODEX_HOME"] == elsewhere
    assert os.readlink(elsewhere + "/AGENTS.md") == world.prompt


def test_hooks_without_root_run_the_program_in_the_tenants_home_not_in_the_agents(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_settings(Path(world.settings), {}, "~/.local/bin/watchbill-host")
    account = pwd.struct_passwd(("studio", "x", 20001, 20001, "", "/home/studio", "/bin/sh"))
    monkeypatch.setattr(pwd, "getpwuid", lambda uid: account)
    (group,) = config_of(world)["hooks"]["Stop"]
    assert group["hooks"][0]["command"] == "/home/studio/.local/bin/watchbill-host hook codex Stop"
