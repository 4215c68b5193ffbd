"""What operators say to groups of agents, what agents ask, who is told of it, and what the clock tells agents."""

from __future__ import annotations

import datetime
import http.server
import json
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, ClassVar

import pytest

from tests.lab.command_line import answer, eventually, watchbill
from tests.lab.conftest import Lab
from tests.lab.keeper_host import KeeperHost, pasted
from watchbill.lab.addresses import CONTROL

FLEET = """
version: 1
fleet: {name: lifecycle}
tenants: {studio: {uid: 20001, floor: none}}
hosts: {desk: {address: 10.77.0.1, slots: 40}}
teams:
  app: {tenant: studio}
  site: {tenant: studio}
  yard: {tenant: studio}
secrets: {pager: {environment: PAGER}}
notify:
  pager: {events: [crashed, waiting-input, drift], webhook: {secret: pager}, teams: [app, yard]}
  book: {events: [waiting-input], command: [tee, -a, told.jsonl]}
roster:
  - {name: coder, count: 3, team: app, role: coder, runtime: stub}
  - {name: writer, team: site, role: research, runtime: stub}
  - {name: crane, team: yard, role: operations, runtime: command, command: [sh, -c, 'RUN']}
policy:
  heartbeat: {interval: 1s, healthy_within: 60s}
""".replace("RUN", "test ! -e ~/broken || { echo no auth; exit 3; }; exec sleep infinity")
STUBS = ["coder0", "coder1", "coder2", "writer"]


class Pager(http.server.BaseHTTPRequestHandler):
    """Takes notices."""

    taken: ClassVar[list[dict[str, Any]]] = []

    def do_POST(self) -> None:
        self.taken.append(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))
        self.send_response(204)
        self.end_headers()

    def log_message(self, *arguments: Any) -> None:
        """Say nothing."""


@pytest.fixture(scope="module")
def desk(lab: Callable[[str | Path], Lab]) -> Iterator[KeeperHost]:
    """A machine with stubs that are idle, and a webhook on the control machine."""
    machines = lab(FLEET)
    server = http.server.ThreadingHTTPServer((CONTROL, 0), Pager)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        address = f"http://{CONTROL}:{server.server_address[1]}/s3cret"
        done = watchbill(machines.path, "apply", "--yes", environment={"PAGER": address})
        assert done.returncode == 0, done.stdout + done.stderr
        desk = KeeperHost(machines)
        eventually(lambda: all(row["state"] == "idle" for row in desk.rows(STUBS).values()), "all stubs idle")
        yield desk
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def pids(desk: KeeperHost, *agents: str) -> dict[str, int]:
    return {agent: desk.pid("session", agent) for agent in agents}


def test_drained_team_finishes_its_turns_and_no_other_team_notices(desk: KeeperHost) -> None:
    before = pids(desk, "writer")
    desk.type("coder0", "work")
    desk.until("coder0", state="working")
    outcomes = {entry["agent"]: entry for entry in answer(desk.lab.path, "drain", "--team", "app", "--why", "new disk")}
    assert outcomes.keys() == {f"studio/coder{number}" for number in range(3)}
    assert [outcomes[f"studio/coder{number}"]["pending"] for number in range(3)] == [True, False, False]
    row = desk.row("coder0")
    assert (row["state"], row["evidence"].partition(";")[0]) == ("working", "draining: stops when its turn is over")
    desk.type("coder0", "idle")
    desk.until("coder0", state="off", unit="inactive")
    assert pids(desk, "writer") == before
    answer(desk.lab.path, "start", "--team", "app")
    for number in range(3):
        desk.until(f"coder{number}", state="idle")


def test_question_is_told_to_people_once_and_answered_on_their_word_alone(desk: KeeperHost) -> None:
    desk.type("coder1", "dialog Deploy now?")
    desk.until("coder1", state="waiting-input")
    asked = answer(desk.lab.path, "answer", "coder1")
    assert (asked["evidence"], [choice["label"] for choice in asked["choices"]]) == (
        "dialog: Deploy now?",
        ["Yes", "No"],
    )
    eventually(lambda: bool(Pager.taken), "the webhook is told")
    book = "/home/studio/agents/coder1/told.jsonl"
    eventually(lambda: desk.do(f"cat {book}", check=False) != "", "the command is told")
    (told,) = [json.loads(line) for line in desk.do(f"cat {book}").splitlines()]
    (paged,) = Pager.taken
    for notice in (told, paged):
        assert (notice["event"], notice["agent"], notice["evidence"]) == (
            "waiting-input",
            "coder1",
            "dialog: Deploy now?",
        )
    done = answer(desk.lab.path, "answer", "coder1", "2")
    assert done["answer"] == "No"
    desk.until("coder1", state="idle")
    assert desk.do("cat /home/studio/agents/coder1/stub-keys") == "2"
    assert watchbill(desk.lab.path, "answer", "coder1", "1").returncode == 1, "it asks nothing any more"
    entry = json.loads(desk.do("tail -1 /var/lib/watchbill/audit.jsonl"))
    assert (entry["verb"], entry["agent"], entry["answer"]) == ("answer", "studio/coder1", "No")
    assert "s3cret" not in desk.do("cat /home/studio/.local/state/watchbill/*/events.jsonl; journalctl --no-pager")


def test_agent_that_ends_again_and_again_is_crashed_with_its_last_words_and_takes_nobody_along(
    desk: KeeperHost,
) -> None:
    before = pids(desk, "coder0", "coder1", "writer")
    Pager.taken.clear()
    broken = "/home/studio/agents/crane/broken"
    eventually(lambda: desk.do("pgrep -f '^sleep infinity'", check=False) != "", "the crane works")
    desk.as_tenant(f"touch {broken} && kill -9 $(pgrep -f '^sleep infinity')")
    row = desk.until("crane", state="crashed")
    assert (row["last_event"]["status"], row["last_event"]["last_line"]) == (3, "no auth")

    # It is tried again after 4, 8, 16 … seconds.
    def shown_as_crashed() -> bool:
        return any("crashed" in line for line in watchbill(desk.lab.path, "ps").stdout.splitlines() if "crane" in line)

    eventually(shown_as_crashed, "crashed in what people look at")
    eventually(lambda: bool(Pager.taken), "people are told")
    desk.as_tenant(f"rm {broken}")
    answer(desk.lab.path, "restart", "crane")
    desk.until("crane", state="working")
    assert [notice["event"] for notice in Pager.taken] == ["crashed"], "people are told once"
    assert pids(desk, "coder0", "coder1", "writer") == before


LOOK = "systemctl start watchbill-drift@studio.service"
TIMER = "watchbill-drift@studio.timer"
MARKER = "/run/watchbill-drift/studio.json"


def test_drift_is_told_once_by_the_host_alone(desk: KeeperHost) -> None:
    Pager.taken.clear()
    env = "/etc/watchbill/agents/studio/coder0/env"
    assert desk.do(f"systemctl is-active {TIMER}; systemctl is-enabled {TIMER}").split() == ["active", "enabled"]
    desk.do(LOOK)
    assert desk.do(f"ls {MARKER}", check=False) == "", "nothing differs"
    desk.do(f"echo MORE=1 >> {env}; {LOOK}")
    eventually(lambda: bool(Pager.taken), "people are told")
    (notice,) = Pager.taken
    assert (notice["event"], notice["agent"], notice["evidence"]) == ("drift", "coder0", f"file {env}: content")
    assert desk.as_tenant(f"cat {MARKER}; echo >> {MARKER} || echo refused").endswith("refused\n")
    stranger = "setpriv --reuid=65534 --regid=65534 --clear-groups"
    assert desk.do(f"{stranger} cat {MARKER}", check=False) == ""
    desk.do(f"kill -9 {desk.pid('agent', 'coder0')}; {LOOK}")
    desk.until("coder0", state="idle", keeper="active")
    eventually(lambda: desk.heartbeat("coder0")["drift"] is not None, "the next keeper knows it")
    assert Pager.taken == [notice]


def test_repaired_drift_ends_silently_and_the_timer_is_looked_after_as_well(desk: KeeperHost) -> None:
    path = f"/etc/systemd/system/{TIMER}"
    desk.do(f"systemctl stop {TIMER}; ln -sf /dev/null {path}; systemctl daemon-reload")
    found = {action["name"] for action in answer(desk.lab.path, "drift", status=2)["actions"]}
    assert {path, TIMER, "/etc/watchbill/agents/studio/coder0/env"} <= found
    told = list(Pager.taken)
    apply(desk)
    assert watchbill(desk.lab.path, "drift").returncode == 0
    assert desk.do(f"systemctl is-active {TIMER}; ls {MARKER}", check=False) == "active\n"
    desk.do(f"rm {path} && systemctl daemon-reload && systemctl stop {TIMER}")
    assert {action["name"] for action in answer(desk.lab.path, "drift", status=2)["actions"]} == {path, TIMER}
    apply(desk)
    desk.do(LOOK)
    eventually(lambda: desk.heartbeat("coder0")["drift"] is None, "the keeper knows nothing of drift")
    assert Pager.taken == told


def test_no_timer_is_left_where_nobody_wants_to_be_told_of_drift(desk: KeeperHost) -> None:
    before = pids(desk, "coder0", "writer")
    desk.lab.rewrite(lambda document: document["notify"]["pager"]["events"].remove("drift"))
    apply(desk)
    assert desk.do("systemctl list-units --all --no-legend 'watchbill-drift*'; find /etc /run -name '*-drift*'") == ""
    assert pids(desk, "coder0", "writer") == before


def apply(desk: KeeperHost) -> None:
    done = watchbill(desk.lab.path, "apply", "--yes", environment={"PAGER": "http://127.0.0.1:9/"})
    assert done.returncode == 0, done.stdout + done.stderr


def test_job_is_told_by_the_host_alone_when_its_window_opens(desk: KeeperHost) -> None:
    begun = time.monotonic()
    apply(desk)
    # One that is new begins with its next window: the apply that brings it has to be over by then.
    patience = max(60.0, 4 * (time.monotonic() - begun))
    now = datetime.datetime.fromisoformat(desk.do("date --utc +%Y-%m-%dT%H:%M:%S").strip())
    opening = (now + datetime.timedelta(seconds=patience + 60)).replace(second=0)
    closing = opening + datetime.timedelta(minutes=2)

    def add_job(document: dict[str, Any]) -> None:
        window = f"mon-sun {opening:%H:%M}-{closing:%H:%M}"
        document["schedules"] = {"soon": {"policy": "windows", "timezone": "UTC", "windows": [window]}}
        document["jobs"] = [{"name": "standup", "agent": "writer", "schedule": "soon", "prompt": "What is next?"}]

    before = pids(desk, "writer")
    desk.lab.rewrite(add_job)
    done = watchbill(desk.lab.path, "apply", "--yes", environment={"PAGER": "http://127.0.0.1:9/"})
    assert done.returncode == 0, done.stdout + done.stderr
    assert pids(desk, "writer") == before, "a job is no reason for a restart"
    transcript = "/home/studio/agents/writer/stub-transcript.jsonl"
    eventually(lambda: "What is next?" in desk.do(f"cat {transcript}", check=False), "the job is told", patience + 240)
    log = desk.do("cat /home/studio/.local/state/watchbill/writer/messages.jsonl").splitlines()
    queued = datetime.datetime.fromisoformat(json.loads(log[0])["at"]).replace(tzinfo=None)
    assert opening <= queued <= opening + datetime.timedelta(seconds=15)
    desk.do(f"kill -9 {desk.pid('agent', 'writer')}")
    desk.until("writer", state="idle", keeper="active")
    (prompt,) = [json.loads(line)["content"] for line in desk.do(f"cat {transcript}").splitlines()]
    assert prompt.startswith("[desk:operator/job.standup -> desk:studio/writer] watchbill:")
    assert prompt.endswith(pasted("\nWhat is next?"))
