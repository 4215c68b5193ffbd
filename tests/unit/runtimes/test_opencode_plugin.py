"""The plugin in opencode's terminal program: run by Node.js with a terminal program that is played."""

from __future__ import annotations

import json
import os
import queue
import select
import shutil
import subprocess
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.watchbill.fleet.plugins.module_utils._keeper.heartbeat import Beat, Ear, parse_line
from ansible_collections.watchbill.fleet.plugins.module_utils._runtimes import RUNTIMES
from ansible_collections.watchbill.fleet.plugins.module_utils._runtimes._delivery import Post
from ansible_collections.watchbill.fleet.plugins.module_utils._runtimes._opencode_socket import ask

pytestmark = pytest.mark.skipif(shutil.which("node") is None, reason="Node.js is not installed")

OPENCODE = RUNTIMES["opencode"]
TERMINAL = Path(__file__).with_name("opencode_terminal.mjs")
SECONDS = 60.0
MESSAGE = "01JD0000000000000000000000"
SESSION = "ses_one"
SHOWN = {"name": "session", "params": {"sessionID": SESSION}}
BUSY, IDLE = {"type": "busy"}, {"type": "idle"}


class Terminal:
    """opencode's terminal program with Watchbill's plugin in it."""

    def __init__(self, directory: Path, interval: str) -> None:
        self.directory = str(directory)
        for name, content in OPENCODE.settings({}).items():
            (directory / name).write_bytes(content)
        self.ear = Ear(self.directory + "/beat")
        self.spool = directory / "accepted"
        environment = {
            "PATH": os.environ["PATH"],
            "WATCHBILL_BEAT": self.ear.path,
            "WATCHBILL_ACCEPTED": str(self.spool),
            "WATCHBILL_SESSION_ID": "life",
            "WATCHBILL_INTERVAL": interval,
        }
        command = ["node", str(TERMINAL), self.directory + "/opencode_plugin.mjs"]
        self.process = subprocess.Popen(
            command, env=environment, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        self._said: queue.Queue[Any] = queue.Queue()
        threading.Thread(target=self._listen, daemon=True).start()
        assert self.asked() == "ready"
        self._beats: list[Beat] = []

    def _listen(self) -> None:
        assert self.process.stdout is not None
        for line in self.process.stdout:
            self._said.put(json.loads(line))

    def asked(self) -> Any:
        """Return what the plugin asked the program for next."""
        return self._said.get(timeout=SECONDS)

    def tell(self, line: dict[str, Any]) -> None:
        assert self.process.stdin is not None
        self.process.stdin.write(json.dumps(line) + "\n")
        self.process.stdin.flush()

    def happens(self, kind: str, **properties: Any) -> None:
        self.tell({"event": {"type": kind, "properties": properties}})

    def status(self, status: dict[str, Any], session: str = SESSION) -> None:
        self.happens("session.status", sessionID=session, status=status)

    def beat(self, seconds: float = SECONDS) -> Beat:
        """Return the next beat."""
        deadline = time.monotonic() + seconds
        while not self._beats:
            if not select.select([self.ear.descriptor], [], [], max(0.0, deadline - time.monotonic()))[0]:
                raise TimeoutError
            beats = [parse_line(line) for line in self.ear.lines()]
            self._beats += [beat for beat in beats if beat is not None]
        return self._beats.pop(0)

    def state(self) -> tuple[str | None, str | None]:
        beat = self.beat()
        return beat.state, beat.evidence

    def post(self, text: str = "hello") -> None:
        directory = self.directory
        OPENCODE.post(Post(MESSAGE, text, None, None, directory, directory, directory))


@pytest.fixture
def terminal(tmp_path: Path) -> Iterator[Terminal]:
    yield from run(tmp_path, "3600")


@pytest.fixture
def beating(tmp_path: Path) -> Iterator[Terminal]:
    yield from run(tmp_path, "0.05")


def run(directory: Path, interval: str) -> Iterator[Terminal]:
    terminal = Terminal(directory, interval)
    try:
        first = terminal.beat()
        assert (first.state, first.source, first.session_id) == ("idle", "plugin", "life")
        yield terminal
    finally:
        terminal.process.kill()
        terminal.process.communicate()
        os.close(terminal.ear.descriptor)


def test_beats_stop_when_the_thread_that_works_does_not_answer(beating: Terminal) -> None:
    assert beating.beat().sequence == 2
    beating.tell({"set": {"hangs": True}})
    # What was under way when it began to hang still comes.
    until = time.monotonic() + SECONDS
    with pytest.raises(TimeoutError):
        while time.monotonic() < until:
            beating.beat(seconds=0.5)
    assert beating.process.poll() is None


def test_turn_is_working_and_ends_with_the_last_text_of_the_model(terminal: Terminal) -> None:
    terminal.status(BUSY)
    began = terminal.beat()
    assert (began.state, began.conversation) == ("working", SESSION)
    terminal.happens("message.updated", info={"id": "msg_2", "sessionID": SESSION, "role": "assistant"})
    terminal.happens("message.part.updated", part=text_part("msg_1", "the question"))
    terminal.happens("message.part.updated", part=text_part("msg_2", "x\n\x1b[31m" + "🦜" * 600))
    terminal.status(IDLE)
    ended = terminal.beat()
    assert (ended.state, ended.turn_ended, ended.conversation) == ("idle", True, SESSION)
    assert ended.answer is not None
    assert ended.answer.startswith("x [31m🦜🦜")


def text_part(message: str, text: str) -> dict[str, Any]:
    return {"type": "text", "text": text, "messageID": message, "sessionID": SESSION}


def test_questions_to_a_person_wait_until_each_is_answered(terminal: Terminal) -> None:
    terminal.status(BUSY)
    terminal.beat()
    asks = {"permission": "bash", "patterns": ["npm *"], "metadata": {"command": "npm test"}}
    terminal.happens("permission.asked", id="per_1", sessionID="ses_child", **asks)
    assert terminal.state() == ("waiting-input", "run: npm test")
    terminal.happens("permission.asked", id="per_2", sessionID=SESSION, permission="edit", patterns=["a.py"])
    terminal.beat()
    terminal.happens("permission.replied", sessionID="ses_child", requestID="per_1", reply="once")
    assert terminal.state() == ("waiting-input", "edit: a.py")
    # A turn that is broken off takes its questions with it.
    terminal.status(IDLE)
    assert terminal.state() == ("idle", None)
    terminal.happens("question.asked", id="que_1", sessionID=SESSION, questions=[{"question": "Which\none?"}])
    assert terminal.state() == ("waiting-input", "Which one?")


def test_operator_answers_a_permission_and_a_question_and_nothing_else(terminal: Terminal) -> None:
    bash = {"permission": "bash", "patterns": ["npm test"], "metadata": {"command": "npm test"}, "always": ["npm *"]}
    terminal.happens("permission.asked", id="per_1", sessionID=SESSION, **bash)
    asked = OPENCODE.asks(terminal.directory, "")
    assert asked is not None
    assert OPENCODE.answer(terminal.directory, asked, "2")
    assert terminal.asked() == {"permission": {"requestID": "per_1", "reply": "always"}}
    terminal.happens("permission.replied", sessionID=SESSION, requestID="per_1", reply="always")
    options = [{"label": "this", "description": "one"}, {"label": "that", "description": "other"}]
    terminal.happens(
        "question.asked", id="que_1", sessionID=SESSION, questions=[{"question": "Which?", "options": options}]
    )
    for _ in range(3):
        terminal.beat()
    with pytest.raises(OSError, match="something else"):
        OPENCODE.answer(terminal.directory, asked, "1")
    asked = OPENCODE.asks(terminal.directory, "")
    assert asked is not None
    assert OPENCODE.answer(terminal.directory, asked, "2")
    assert terminal.asked() == {"question": {"requestID": "que_1", "answers": [["that"]]}}
    with pytest.raises(OSError, match="nothing of that id"):
        ask(terminal.directory, "POST", "/answers", {"id": "per_1", "reply": "once"})


@pytest.mark.parametrize(
    ("attempt", "wait", "is_told"), [(1, 60, True), (1, 2.1, False), (4, 18.5, False), (5, 600, True)]
)
def test_retry_is_a_limit_whose_end_is_known_where_the_provider_said_it(
    terminal: Terminal, attempt: int, wait: float, is_told: bool
) -> None:
    terminal.status(BUSY)
    terminal.beat()
    before = time.time()
    terminal.status({"type": "retry", "attempt": attempt, "message": "rate limited", "wait": round(1000 * wait)})
    beat = terminal.beat()
    assert (beat.state, beat.evidence, beat.retries) == ("limited", f"retry {attempt}: rate limited", True)
    assert is_after(beat, before, wait if is_told else None)
    terminal.status(BUSY)
    assert terminal.state() == ("working", None)


def is_after(beat: Beat, before: float, wait: float | None) -> bool:
    """Say whether a limit ends so many seconds after something that happened since *before*; None: never said."""
    if wait is None or beat.resets_at is None:
        return beat.resets_at is wait
    return before + wait - 1 <= beat.resets_at <= time.time() + wait + 1


def fail(terminal: Terminal, status: int, headers: dict[str, str]) -> Beat:
    terminal.status(BUSY)
    terminal.beat()
    data = {"message": "no", "statusCode": status, "responseHeaders": headers}
    terminal.happens("session.error", sessionID=SESSION, error={"name": "APIError", "data": data})
    terminal.status(IDLE)
    return terminal.beat()


@pytest.mark.parametrize(("headers", "wait"), [({"retry-after": "60"}, 60), ({}, None)])
def test_agent_whose_retries_are_over_stays_limited(
    terminal: Terminal, headers: dict[str, str], wait: float | None
) -> None:
    before = time.time()
    beat = fail(terminal, 429, headers)
    assert (beat.state, beat.evidence, beat.retries) == ("limited", "error: no (429)", False)
    assert is_after(beat, before, wait)
    assert beat.turn_ended
    # The next turn finds out.
    terminal.status(BUSY)
    assert terminal.state() == ("working", None)


def test_other_errors_are_told_by_an_agent_that_is_idle(terminal: Terminal) -> None:
    beat = fail(terminal, 401, {})
    assert (beat.state, beat.evidence, beat.turn_ended) == ("idle", "error: no (401)", True)


def test_subagents_cost_and_work_but_end_no_turn(terminal: Terminal) -> None:
    terminal.tell({"set": {"children": {SESSION: [session("ses_earlier", 1.5, SESSION)]}}})
    terminal.status(BUSY)
    terminal.beat()
    terminal.happens("session.updated", info=session(SESSION, 0.25))
    terminal.beat()
    terminal.happens("session.created", info=session("ses_child", 0.5, SESSION))
    assert terminal.beat().facts["cost_usd"] == 2.25
    terminal.status(BUSY, "ses_child")
    terminal.beat()
    terminal.status(IDLE, "ses_child")
    beat = terminal.beat()
    assert (beat.state, beat.turn_ended, beat.conversation) == ("working", False, SESSION)


def session(name: str, cost: float, parent: str | None = None) -> dict[str, Any]:
    return {"id": name, "cost": cost, "parentID": parent}


def test_context_and_model_are_those_of_the_last_answer(terminal: Terminal) -> None:
    tokens = {"input": 4000, "output": 500, "reasoning": 300, "cache": {"read": 200, "write": 0}}
    answer = {"role": "assistant", "providerID": "lab", "modelID": "large", "tokens": tokens}
    under_way = {**answer, "tokens": {**tokens, "output": 0}}
    terminal.tell(
        {
            "set": {
                "messages": {SESSION: [answer, under_way]},
                "providers": [{"id": "lab", "models": {"large": {"limit": {"context": 200_000}}}}],
            }
        }
    )
    terminal.status(BUSY)
    assert terminal.beat().facts == {
        "context_tokens": 5000,
        "context_percent": 2.5,
        "cost_usd": 0,
        "model": "lab/large",
    }


def test_message_is_given_once_and_its_acceptance_is_kept_and_told(terminal: Terminal) -> None:
    terminal.tell({"set": {"route": SHOWN, "config": {"model": "lab/a/b"}}})
    with ThreadPoolExecutor() as pool:
        for given in [pool.submit(terminal.post) for _ in range(5)]:
            given.result()
    terminal.post()
    prompt = terminal.asked()["prompt"]
    assert prompt["messageID"].endswith(MESSAGE)
    assert (prompt["sessionID"], prompt["parts"]) == (SESSION, [{"type": "text", "text": "hello"}])
    assert prompt["model"] == {"providerID": "lab", "modelID": "a/b"}
    beat = terminal.beat()
    assert (beat.state, beat.accepted, beat.conversation) == ("working", (MESSAGE,), SESSION)
    identifier, boottime, conversation = terminal.spool.read_text().split()
    assert (identifier, conversation) == (MESSAGE, SESSION)
    assert beat.boottime is not None
    assert 0 < float(boottime) <= beat.boottime
    terminal.tell({"event": {"type": "none", "properties": {}}, "set": {"refuses": "asked again"}})
    terminal.post()
    with pytest.raises(queue.Empty):
        terminal._said.get_nowait()


def test_message_is_not_accepted_before_its_text_is_stored(terminal: Terminal) -> None:
    stored = f"msg_1ff884baf001{MESSAGE}"
    terminal.happens("message.updated", info={"id": stored, "sessionID": SESSION, "role": "user"})
    terminal.happens("message.part.updated", part={**text_part(stored, "a reminder"), "synthetic": True})
    terminal.status(BUSY)
    assert terminal.beat().accepted == ()
    terminal.happens("message.part.updated", part=text_part(stored, "hello"))
    assert terminal.beat().accepted == (MESSAGE,)


def test_message_to_a_terminal_that_shows_no_conversation_begins_one_there(terminal: Terminal) -> None:
    terminal.post()
    assert terminal.asked() == {"navigate": {"sessionID": "ses_new"}}
    assert terminal.asked()["prompt"]["sessionID"] == "ses_new"
    assert terminal.beat().conversation == "ses_new"


def test_message_to_a_terminal_that_shows_a_subagent_goes_to_the_agent(terminal: Terminal) -> None:
    child = session("ses_child", 0, SESSION)
    shown = {"name": "session", "params": {"sessionID": "ses_child"}}
    terminal.tell({"set": {"route": shown, "sessions": {"ses_child": child, SESSION: session(SESSION, 0)}}})
    terminal.post()
    assert terminal.asked()["prompt"]["sessionID"] == SESSION


def test_message_that_opencode_refuses_is_not_accepted_and_may_come_again(terminal: Terminal) -> None:
    terminal.tell({"set": {"route": SHOWN, "refuses": "no such session"}})
    with pytest.raises(OSError, match="no such session"):
        terminal.post()
    assert not terminal.spool.exists()
    terminal.asked()
    terminal.tell({"set": {"refuses": None}})
    # The program reads that before it is asked again: both take one way.
    terminal.happens("question.asked", id="que_1", sessionID=SESSION, questions=[])
    terminal.beat()
    terminal.post()
    assert terminal.beat().accepted == (MESSAGE,)


@pytest.mark.parametrize("message", [{"id": "x' OR 1=1", "text": "hello"}, {"id": MESSAGE}, {}])
def test_message_of_a_strange_form_is_refused(terminal: Terminal, message: dict[str, Any]) -> None:
    with pytest.raises(OSError, match="an id and a text"):
        ask(terminal.directory, "POST", "/messages", message)


def test_keeper_that_is_away_stops_nothing(terminal: Terminal) -> None:
    os.close(terminal.ear.descriptor)
    terminal.tell({"set": {"route": SHOWN}})
    terminal.post()
    assert terminal.spool.read_text().startswith(MESSAGE)
    terminal.ear.descriptor = -1
    terminal.ear.open()
    terminal.status(IDLE)
    assert terminal.beat().turn_ended
