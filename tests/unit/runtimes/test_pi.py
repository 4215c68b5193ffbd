"""The pi adapter: root's settings, and how a session starts and goes on. The lab has the real thing."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from ansible_collections.watchbill.fleet.plugins.module_utils._runtimes import RUNTIMES, Conversation, World
from ansible_collections.watchbill.fleet.plugins.module_utils._runtimes._delivery import Post

from tests.unit.runtimes.worlds import world_in

PI = RUNTIMES["pi"]
MESSAGE = "01JD0000000000000000000000"
PROVIDERS = {"providers": {"lab": {"baseUrl": "http://10.0.0.1/v1", "api": "openai-completions", "models": []}}}


@pytest.fixture
def world(tmp_path: Path) -> World:
    home, settings = tmp_path / "home", tmp_path / "settings"
    home.mkdir()
    settings.mkdir()
    argv = ["pi", "--model", "openai-codex/gpt-5.5:high"]
    return world_in(tmp_path, "pi", argv=argv, home=str(home), settings=str(settings))


def install(world: World, **settings: object) -> None:
    """Write what root would."""
    for path in Path(world.settings).iterdir():
        path.unlink()
    for name, content in PI.settings({"settings": settings}).items():
        Path(world.settings, name).write_bytes(content)


def spoken(world: World, *lines: object) -> World:
    """Return the world after a conversation that stored these lines."""
    transcript = Path(world.home, "conversation.jsonl")
    transcript.write_text("".join(json.dumps(line) + "\n" for line in lines))
    return world._replace(conversation=Conversation("conversation-1", str(transcript)))


def began(world: World) -> dict[str, object]:
    return {"type": "session", "version": 3, "id": "conversation-1", "cwd": world.working_directory}


def test_settings_of_the_fleet_are_kept_but_not_telemetry() -> None:
    files = PI.settings({"settings": {"models": PROVIDERS, "theme": "light", "enableInstallTelemetry": True}})
    assert json.loads(files["settings.json"]) == {"theme": "light", "enableInstallTelemetry": False}
    assert json.loads(files["models.json"]) == PROVIDERS


def test_model_with_its_thinking_level_and_the_pinned_program_are_the_fleets() -> None:
    argv = PI.argv({"model": "openai-codex/gpt-5.5:high", "executable": "/opt/pi"})
    assert argv == ["/opt/pi", "--model", "openai-codex/gpt-5.5:high"]


def test_first_session_begins_with_extension_and_prompt_and_asks_nobody_on_the_internet(world: World) -> None:
    install(world)
    start = PI.launch(world)
    extension = f"{world.settings}/pi_extension.mjs"
    assert start.argv == [*world.argv, "--extension", extension, "--append-system-prompt", "/run/prompt.md"]
    assert Path(extension).is_file()
    assert start.environment == {"PI_OFFLINE": "1", "PI_TELEMETRY": "0"}
    assert PI.launch(world._replace(environment={"PI_OFFLINE": "0"})).environment == {"PI_TELEMETRY": "0"}


def test_pi_reads_roots_settings_and_what_a_person_had_is_kept(world: World) -> None:
    directory = Path(world.home, ".pi", "agent")
    directory.mkdir(parents=True)
    (directory / "settings.json").write_text('{"theme": "mine"}')
    install(world, theme="fleet", models=PROVIDERS)
    for _ in range(2):
        PI.launch(world)
        assert json.loads((directory / "settings.json").read_text())["theme"] == "fleet"
        assert json.loads((directory / "models.json").read_text()) == PROVIDERS
        assert json.loads((directory / "settings.json.own").read_text()) == {"theme": "mine"}


def test_what_pi_writes_into_its_settings_is_no_drift_and_gone_with_the_next_session(world: World) -> None:
    install(world, theme="fleet")
    PI.launch(world)
    mine = Path(world.home, ".pi", "agent", "settings.json")
    mine.write_text('{"theme": "mine"}')
    assert json.loads(Path(world.settings, "settings.json").read_text())["theme"] == "fleet"
    PI.launch(world)
    assert json.loads(mine.read_text())["theme"] == "fleet"
    assert not Path(f"{mine}.own").exists()


def test_providers_that_left_the_fleet_are_gone_and_those_of_a_person_stay(world: World) -> None:
    models = Path(world.home, ".pi", "agent", "models.json")
    install(world, models=PROVIDERS)
    PI.launch(world)
    install(world)
    PI.launch(world)
    assert not models.is_symlink()
    models.write_text("{}")
    PI.launch(world)
    assert models.read_text() == "{}"


@pytest.mark.parametrize("directory", ["~/elsewhere", "{home}/elsewhere"])
def test_settings_are_put_where_the_environment_says_that_pi_reads_them(world: World, directory: str) -> None:
    install(world)
    PI.launch(world._replace(environment={"PI_CODING_AGENT_DIR": directory.format(home=world.home)}))
    assert Path(world.home, "elsewhere", "settings.json").is_symlink()


def test_next_session_goes_on_with_the_conversation(world: World) -> None:
    install(world)
    world = spoken(world, began(world), {"type": "message", "message": {"role": "user", "content": "plum"}})
    assert world.conversation is not None
    assert PI.launch(world).argv[-2:] == ["--session", world.conversation.transcript]


def test_conversation_that_began_in_another_directory_goes_on_in_this_one(world: World) -> None:
    install(world)
    world = spoken(world, {**began(world), "cwd": "/home/studio/before"})
    assert world.conversation is not None
    assert PI.launch(world).argv[-2:] == ["--fork", world.conversation.transcript]


@pytest.mark.parametrize("lines", [[], ["no object"], [{"type": "message"}], [{"type": "session"}]])
def test_conversation_that_pi_could_not_read_is_followed_by_a_new_one(world: World, lines: list[object]) -> None:
    install(world)
    assert PI.launch(spoken(world, *lines)).argv[-1] == "/run/prompt.md"


@pytest.mark.parametrize("transcript", [None, "/nowhere/conversation.jsonl", "/dev/zero"])
def test_conversation_without_a_transcript_is_followed_by_a_new_one(world: World, transcript: str | None) -> None:
    install(world)
    world = world._replace(conversation=Conversation("conversation-1", transcript))
    assert PI.launch(world).argv[-1] == "/run/prompt.md"


def test_message_is_in_the_conversation_once_it_is_a_prompt_there(world: World) -> None:
    text = f"[desk:operator/ana -> desk:studio/coder0] watchbill:{MESSAGE}\nhello"
    result = {"role": "toolResult", "content": [{"type": "text", "text": text}], "details": {"role": "user"}}
    prompt = {"role": "user", "content": [{"type": "text", "text": text}]}

    def holds(*messages: object) -> bool:
        after = spoken(world, began(world), *({"type": "message", "message": message} for message in messages))
        assert after.conversation is not None
        transcript = after.conversation.transcript
        return PI.holds(Post(MESSAGE, text, "conversation-1", transcript, world.home, "/run", world.state))

    assert not holds(result)
    assert holds(result, prompt)
