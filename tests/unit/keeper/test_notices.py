"""People are told once of what needs them, and not too often; what cannot be told is tried again and then said."""

from __future__ import annotations

import http.server
import json
import os
import select
import socket
import sys
import threading
import typing as t
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path

import pytest
from ansible_collections.watchbill.fleet.plugins.module_utils._keeper import webhook
from ansible_collections.watchbill.fleet.plugins.module_utils._keeper.chore import Chore, in_memory
from ansible_collections.watchbill.fleet.plugins.module_utils._keeper.notices import Notices, Notifier
from ansible_collections.watchbill.fleet.plugins.module_utils._keeper.record import Record

PAGER = Notifier("pager", ("waiting-input", "crashed"), ["page"], None, None, 60.0)
WRITE = "import sys; open(sys.argv[1], 'a').write(sys.stdin.read())"


class Agent:
    """An agent with notices, in front of a clock that tests turn."""

    def __init__(self, place: Path, *notifiers: Notifier, send: str = WRITE) -> None:
        self.now = 1000.0
        self.place = place
        self.out = place / "told"
        self.notifiers = notifiers or (PAGER,)
        self.record = Record(str(place / "state"), {"tenant": "studio", "agent": "coder0"})
        self.notices = Notices(self.record, lambda: self.now, self._send)
        self.program = send
        self.is_now("idle")

    def _send(self, notifier: Notifier) -> t.Callable[[], t.NoReturn]:
        words = [sys.executable, "-c", self.program, str(self.out)]
        return lambda: os.execv(sys.executable, words)  # noqa: S606 -- argv only

    def is_now(self, state: str, **said: t.Any) -> None:
        self.notices.tend(self.notifiers, {"state": state, "agent": "coder0", **said})
        self.finish()

    def finish(self) -> None:
        """Wait for a notice on its way."""
        if self.notices.descriptor is not None:
            assert select.select([self.notices.descriptor], [], [], 60)[0]
            self.notices.ended()

    def after(self, seconds: float, state: str = "idle") -> None:
        """Let time pass, from one deadline to the next."""
        end = self.now + seconds
        while True:
            due = [at for at in self.notices.deadlines() if at <= end]
            self.now = max(self.now, min(due)) if due else end
            self.is_now(state)
            if not due:
                return

    @property
    def told(self) -> list[dict[str, t.Any]]:
        return [json.loads(line) for line in self.out.read_text().splitlines()] if self.out.exists() else []


def test_notice_says_who_what_and_why(tmp_path: Path) -> None:
    agent = Agent(tmp_path)
    agent.is_now("waiting-input", evidence="Bash: make", tenant="studio", host="desk", since="2026-11-21T10:00:00Z")
    (told,) = agent.told
    assert (told["event"], told["evidence"], told["notifier"], told["left_out"]) == (
        "waiting-input",
        "Bash: make",
        "pager",
        0,
    )
    assert (told["tenant"], told["host"], told["agent"]) == ("studio", "desk", "coder0")


def test_state_that_lasts_is_told_once_and_others_not_at_all(tmp_path: Path) -> None:
    agent = Agent(tmp_path)
    agent.is_now("limited")
    agent.is_now("waiting-input")
    agent.after(7200, "waiting-input")
    assert [told["event"] for told in agent.told] == ["waiting-input"]


def test_agent_that_comes_and_goes_is_told_about_less_and_less(tmp_path: Path) -> None:
    agent = Agent(tmp_path)
    times = []
    for _ in range(600):
        before = len(agent.told)
        agent.is_now("waiting-input")
        agent.after(5, "waiting-input")
        agent.is_now("idle")
        agent.after(5)
        if len(agent.told) > before:
            times.append(agent.now)
    gaps = [later - earlier for earlier, later in pairwise(times)]
    assert gaps == [pytest.approx(gap, abs=10) for gap in (120, 240, 480, 960, 1920)]
    assert agent.told[1]["left_out"] == 10
    assert {told["state"] for told in agent.told[1:]} <= {"idle", "waiting-input"}, "what it does by then"


def test_two_kinds_do_not_hold_up_each_other(tmp_path: Path) -> None:
    agent = Agent(tmp_path)
    agent.is_now("waiting-input")
    agent.is_now("crashed")
    agent.after(0.1, "crashed")
    assert [told["event"] for told in agent.told] == ["waiting-input", "crashed"]


def test_calm_hour_forgets_the_back_off(tmp_path: Path) -> None:
    agent = Agent(tmp_path)
    for _ in range(3):
        agent.is_now("waiting-input")
        agent.after(400)
    told = len(agent.told)
    agent.after(3700)
    agent.is_now("waiting-input")
    assert len(agent.told) == told + 1


def test_next_keeper_does_not_tell_again(tmp_path: Path) -> None:
    agent = Agent(tmp_path)
    agent.is_now("crashed")
    agent.notices = Notices(agent.record, lambda: agent.now, agent._send)
    agent.notices.begin("crashed")
    agent.is_now("crashed")
    assert len(agent.told) == 1


WARDEN = PAGER._replace(name="warden", events=("drift",))


def drift(*what: str) -> dict[str, t.Any]:
    return {"drift": {"since": "2026-11-21T10:00:00Z", "what": list(what)} if what else None}


def test_drift_is_told_once_with_what_drifted_and_once_more_for_what_comes_later(tmp_path: Path) -> None:
    agent = Agent(tmp_path, PAGER, WARDEN)
    agent.is_now("idle", since="2026-11-20T08:00:00Z", evidence="prompt", **drift("file /etc/env: content"))
    (told,) = agent.told
    assert (told["event"], told["notifier"], told["state"]) == ("drift", "warden", "idle")
    assert (told["since"], told["evidence"]) == ("2026-11-21T10:00:00Z", "file /etc/env: content")
    agent.now += 7200
    agent.is_now("working", **drift("file /etc/env: content"))
    agent.is_now("working", **drift("file /etc/env: content", "unit studio/a: active"))
    agent.is_now("working", **drift("unit studio/a: active"))
    assert [told["evidence"] for told in agent.told[1:]] == ["file /etc/env: content; unit studio/a: active"]


def test_drift_that_is_repaired_is_told_to_nobody_any_more(tmp_path: Path) -> None:
    agent = Agent(tmp_path, WARDEN)
    agent.is_now("idle", **drift("a"))
    agent.is_now("idle", **drift())
    agent.is_now("idle", **drift("a"))
    assert len(agent.told) == 1, "the second one waits for its time"
    agent.is_now("idle", **drift())
    agent.after(7200)
    assert len(agent.told) == 1


def test_next_keeper_tells_of_drift_that_the_last_one_did_not_know_and_of_no_other(tmp_path: Path) -> None:
    agent = Agent(tmp_path, WARDEN)
    agent.notices.begin("idle", drift("a", "b")["drift"])
    agent.is_now("idle", **drift("a"))
    assert agent.told == []
    agent.is_now("idle", **drift("a", "c"))
    assert [told["evidence"] for told in agent.told] == ["a; c"]


def test_what_cannot_be_told_is_tried_again_three_times_and_then_said(tmp_path: Path) -> None:
    agent = Agent(tmp_path, send="import sys; open(sys.argv[1], 'a').write('{}\\n'); sys.exit('no route')")
    agent.is_now("crashed")
    agent.after(600, "crashed")
    assert len(agent.told) == 4
    (line,) = (tmp_path / "state" / "events.jsonl").read_text().splitlines()
    event = json.loads(line)
    assert (event["event"], event["notifier"], event["why"]) == ("notice-failed", "pager", "no route")


def test_failing_notifier_holds_up_no_other(tmp_path: Path) -> None:
    program = WRITE + "; 'broken' in open(sys.argv[1]).read().splitlines()[-1] and sys.exit(1)"
    agent = Agent(tmp_path, PAGER._replace(name="broken"), PAGER, send=program)
    agent.is_now("crashed")
    agent.after(1, "crashed")
    assert [told["notifier"] for told in agent.told] == ["broken", "pager"]


class Receiver(http.server.BaseHTTPRequestHandler):
    """Takes posts; answers with the status that stands in the path."""

    taken: t.ClassVar[list[tuple[str, bytes]]] = []

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        self.taken.append((self.path, body))
        status = int(self.path.rpartition("/")[2])
        self.send_response(status)
        if status == 302:
            self.send_header("Location", "/elsewhere/200")
        self.end_headers()

    def log_message(self, *arguments: t.Any) -> None:
        """Say nothing."""


@pytest.fixture
def direct(monkeypatch: pytest.MonkeyPatch) -> None:
    """No proxy of the person who runs the tests stands between."""
    monkeypatch.setenv("no_proxy", "*")


@pytest.fixture
def receiver(direct: None) -> Iterator[str]:
    Receiver.taken.clear()
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Receiver)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def post(address: str) -> tuple[int | None, str]:
    chore = Chore(lambda: 0.0)
    chore.begin(lambda: webhook.post(lambda: address), 30.0, in_memory(b'{"event": "crashed"}\n'))
    assert chore.descriptor is not None
    assert select.select([chore.descriptor], [], [], 60)[0]
    return chore.ended()


def test_webhook_gets_the_notice(receiver: str) -> None:
    assert post(f"{receiver}/hook/200") == (0, "")
    assert Receiver.taken == [("/hook/200", b'{"event": "crashed"}\n')]


@pytest.mark.parametrize(("path", "why"), [("s3cret/500", "answered 500"), ("s3cret/302", "answered 302")])
def test_webhook_that_says_no_is_told_without_its_address(receiver: str, path: str, why: str) -> None:
    status, said = post(f"{receiver}/{path}")
    assert status == 1
    assert why in said
    assert "s3cret" not in said
    assert len(Receiver.taken) == 1, "no redirection is followed"


@pytest.mark.usefixtures("direct")
def test_webhook_that_is_away_is_told_without_its_address() -> None:
    with socket.socket() as deaf:
        deaf.bind(("127.0.0.1", 0))  # and does not listen
        status, said = post(f"http://127.0.0.1:{deaf.getsockname()[1]}/s3cret")
    assert (status, said) == (1, "the webhook cannot be reached: ConnectionRefusedError")
