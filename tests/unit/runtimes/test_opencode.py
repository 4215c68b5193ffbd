"""The opencode adapter: its settings, how it starts, and what it asks of the plugin and of opencode's database."""

from __future__ import annotations

import json
import socketserver
import sqlite3
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.watchbill.fleet.plugins.module_utils._runtimes import RUNTIMES, Conversation, World
from ansible_collections.watchbill.fleet.plugins.module_utils._runtimes._delivery import Post
from ansible_collections.watchbill.fleet.plugins.module_utils._runtimes._opencode_dialog import dialog_of

from tests.unit.keeper.bench import definition
from tests.unit.runtimes.worlds import world_in

OPENCODE = RUNTIMES["opencode"]
MESSAGE = "01JD0000000000000000000000"
OTHER = "01JD0000000000000000000001"
TEXTLESS = "01JD0000000000000000000002"
SESSION = "ses_e0077b4b0ffeY6phWEcedGvvGU"


def told(**changes: Any) -> dict[str, Any]:
    """Return what the compiler tells the adapter."""
    more: dict[str, Any] = {
        "program": "/usr/local/bin/watchbill-host",
        "settings_directory": "/etc/w",
        "settings": {},
        "model": None,
    }
    return {**definition(runtime="opencode"), **more, **changes}


def test_settings_of_the_fleet_are_kept_but_do_not_update_the_program() -> None:
    theirs = {"autoupdate": True, "share": "manual", "model": "lab/small", "provider": {"lab": {"npm": "x"}}}
    files = OPENCODE.settings(told(settings=theirs, model="lab/large"))
    settings = json.loads(files["opencode.json"])
    assert (settings["autoupdate"], settings["share"], settings["model"]) == (False, "manual", "lab/large")
    assert settings["provider"] == theirs["provider"]


def test_rules_of_the_fleet_keep_their_order(world: World) -> None:
    """The last one that fits counts."""
    rules = {"git push *": "allow", "git *": "ask", "*": "deny"}
    files = OPENCODE.settings(told(settings={"permission": {"bash": rules}}))
    Path(world.settings, "opencode.json").write_bytes(files["opencode.json"])
    assert list(settings_of(world)["permission"]["bash"].items()) == list(rules.items())


def test_nothing_is_shared_and_no_model_chosen_where_nobody_says_so() -> None:
    settings = json.loads(OPENCODE.settings(told())["opencode.json"])
    assert settings["share"] == "disabled"
    assert "model" not in settings


def test_plugin_is_there_with_all_that_it_imports() -> None:
    files = OPENCODE.settings(told())
    (plugin,) = json.loads(files["tui.json"])["plugin"]
    wanted = [plugin.removeprefix("./")]
    for name in wanted:
        imports = [line.split('"')[1] for line in files[name].decode().splitlines() if line.startswith("import ")]
        wanted += [module.removeprefix("./") for module in imports if module.startswith("./")]
    assert set(wanted) == set(files) - {"opencode.json", "tui.json"}


@pytest.fixture
def world(tmp_path: Path) -> World:
    """Return a world whose settings say nothing."""
    (tmp_path / "opencode.json").write_text("{}")
    argv = ["opencode", "--model", "lab/large"]
    return world_in(tmp_path, "opencode", argv=argv, conversation=Conversation(SESSION, None))


def settings_of(world: World) -> dict[str, Any]:
    settings: dict[str, Any] = json.loads(OPENCODE.launch(world).environment["OPENCODE_CONFIG_CONTENT"])
    return settings


def test_prompt_of_the_session_comes_before_the_instructions_of_the_fleet(world: World) -> None:
    Path(world.settings, "opencode.json").write_text('{"instructions": ["CONTRIBUTING.md"]}')
    assert settings_of(world)["instructions"] == ["/run/prompt.md", "CONTRIBUTING.md"]


@pytest.mark.parametrize(
    ("permission", "last_rule"),
    [(None, "allow"), ({"bash": "ask"}, "allow"), ({"external_directory": {"*": "deny"}}, "allow")],
)
def test_agent_may_read_what_it_is_told_without_a_question(world: World, permission: Any, last_rule: str) -> None:
    settings = {} if permission is None else {"permission": permission}
    Path(world.settings, "opencode.json").write_text(json.dumps(settings))
    told_in, rule = list(settings_of(world)["permission"]["external_directory"].items())[-1]
    assert told_in.endswith("/watchbill/tenants/studio/*")
    assert rule == last_rule


@pytest.mark.parametrize("permission", ["allow", {"external_directory": "deny"}])
def test_rule_for_everything_outside_is_left_alone(world: World, permission: Any) -> None:
    Path(world.settings, "opencode.json").write_text(json.dumps({"permission": permission}))
    assert settings_of(world)["permission"] == permission


def store(world: World) -> Path:
    """Make a database with the tables of opencode 1.18, and a session in the working directory."""
    path = Path(world.home, ".local/share/opencode/opencode.db")
    path.parent.mkdir(parents=True)
    with sqlite3.connect(path) as database:
        database.execute("CREATE TABLE session (id text PRIMARY KEY, directory text NOT NULL)")
        database.execute("CREATE TABLE message (id text PRIMARY KEY)")
        database.execute("CREATE TABLE part (id text PRIMARY KEY, message_id text NOT NULL)")
        database.execute("INSERT INTO session VALUES (?, ?)", (SESSION, world.working_directory))
        database.execute("INSERT INTO message VALUES (?), (?)", (f"msg_1ff884baf001{MESSAGE}", f"msg_2{TEXTLESS}"))
        database.execute("INSERT INTO part VALUES ('prt_1', ?)", (f"msg_1ff884baf001{MESSAGE}",))
    database.close()
    return path


def test_conversation_that_is_stored_is_gone_on_with(world: World) -> None:
    path = store(world)
    start = OPENCODE.launch(world)
    assert start.argv == ["opencode", "--model", "lab/large", "--session", SESSION]
    assert start.environment["OPENCODE_DB"] == str(path)


def lose_store(world: World) -> World:
    return world


def lose_session(world: World) -> World:
    store(world)
    return world._replace(conversation=Conversation("ses_of_somebody_else", None))


def spoil_store(world: World) -> World:
    store(world).write_bytes(b"no database at all, whatever its name says" * 100)
    return world


def move_work(world: World) -> World:
    store(world)
    return world._replace(working_directory=world.home)


def forget(world: World) -> World:
    store(world)
    return world._replace(conversation=None)


@pytest.mark.parametrize("happen", [lose_store, lose_session, spoil_store, move_work, forget])
def test_conversation_that_opencode_could_not_go_on_with_is_a_new_one(
    world: World, happen: Callable[[World], World]
) -> None:
    """Told of a session that it does not have, opencode ends at once; of one from elsewhere, it works elsewhere."""
    assert OPENCODE.launch(happen(world)).argv == ["opencode", "--model", "lab/large"]


def test_typings_are_not_fetched_and_those_that_a_person_installed_stay(world: World) -> None:
    OPENCODE.launch(world)
    lock = Path(world.home, ".config/opencode/package-lock.json")
    assert "@opencode-ai/plugin" in json.loads(lock.read_text())["packages"][""]["dependencies"]
    assert (lock.parent / "node_modules").is_dir()
    lock.write_text("mine")
    OPENCODE.launch(world)
    assert lock.read_text() == "mine"


def test_environment_of_the_fleet_may_let_opencode_ask_the_internet(world: World) -> None:
    asks = world._replace(environment={"OPENCODE_DISABLE_MODELS_FETCH": "0"})
    assert "OPENCODE_DISABLE_MODELS_FETCH" in OPENCODE.launch(world).environment
    assert "OPENCODE_DISABLE_MODELS_FETCH" not in OPENCODE.launch(asks).environment


class Plugin(socketserver.ThreadingUnixStreamServer):
    """Stands in for the plugin: answers every request alike, and remembers them."""

    daemon_threads = True

    def __init__(self, directory: Path) -> None:
        super().__init__(str(directory / "opencode.sock"), Handler)
        self.answer: tuple[int, bytes] = (200, b'{"accepted": true}')
        self.asked: list[tuple[str, Any]] = []


class Handler(BaseHTTPRequestHandler):
    server: Plugin

    def do_POST(self) -> None:
        self.server.asked.append((self.path, json.loads(self.rfile.read(int(self.headers["content-length"])))))
        status, body = self.server.answer
        self.send_response(status)
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *arguments: Any) -> None:
        return


@pytest.fixture
def plugin(tmp_path: Path) -> Iterator[Plugin]:
    with Plugin(tmp_path) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield server
        server.shutdown()


def post(directory: Path | str, text: str = "hello", message: str = MESSAGE) -> Post:
    return Post(message, text, SESSION, None, str(directory), str(directory), str(directory))


def test_prompt_is_handed_over_whole(plugin: Plugin, tmp_path: Path) -> None:
    text = "[a -> b] watchbill:" + MESSAGE + "\n/exit !ls @file \x1b[201~ ü 🦜;\n" + "x" * 200_000
    OPENCODE.post(post(tmp_path, text))
    assert plugin.asked == [("/messages", {"id": MESSAGE, "text": text})]


@pytest.mark.parametrize(
    ("answer", "why"),
    [((500, b'{"error": "no such model"}'), "no such model"), ((200, b"?"), "did not answer"), ((404, b"[]"), "404")],
)
def test_refusal_says_why(plugin: Plugin, tmp_path: Path, answer: tuple[int, bytes], why: str) -> None:
    plugin.answer = answer
    with pytest.raises(OSError, match=why):
        OPENCODE.post(post(tmp_path))


def test_opencode_that_is_not_there_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        OPENCODE.post(post(tmp_path))


def test_database_tells_which_messages_are_part_of_a_conversation(world: World) -> None:
    assert not OPENCODE.holds(post(world.home))
    path = store(world)
    assert OPENCODE.holds(post(world.home))
    assert not OPENCODE.holds(post(world.home, message=OTHER))
    # It was killed before the text of this one was stored.
    assert not OPENCODE.holds(post(world.home, message=TEXTLESS))
    path.write_bytes(b"no database" * 1000)
    with pytest.raises(OSError, match=r"opencode\.db"):
        OPENCODE.holds(post(world.home))


def request(kind: str, **said: Any) -> dict[str, Any]:
    return {"id": "per_1", "kind": kind, "session": SESSION, "text": "", "said": said}


def test_permission_is_shown_whole_with_what_always_would_allow() -> None:
    metadata = {"command": "make\x1b[2J\nrm -rf x", "timeout": 5}
    asks = request("permission", permission="bash", patterns=["make", "rm -rf x"], metadata=metadata, always=["make *"])
    dialog = dialog_of(asks)
    assert dialog is not None
    assert dialog.question.splitlines() == [
        "Permission: bash",
        "command: make [2J",
        "rm -rf x",
        "make",
        "rm -rf x",
    ]
    assert [tuple(choice) for choice in dialog.choices] == [
        ("1", "Allow once"),
        ("2", "Allow always: make *"),
        ("3", "Reject"),
    ]


ONE = {"question": "Which?", "options": [{"label": "a", "description": "A"}]}


@pytest.mark.parametrize(
    "asks",
    [
        request("permission", permission="bash", metadata={"command": "x" * 2000}),
        request("question", questions=[ONE, ONE]),
        request("question", questions=[{**ONE, "multiple": True}]),
        request("question", questions=[{**ONE, "options": []}]),
        request("question", questions=[]),
        {"kind": "permission"},
        [],
    ],
)
def test_what_one_choice_cannot_answer_is_for_the_terminal(asks: Any) -> None:
    assert dialog_of(asks) is None
