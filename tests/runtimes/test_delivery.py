"""Messages to the real runtimes: each arrives once and whole, as one prompt, whatever it says and whatever ends."""

from __future__ import annotations

import json
import random
import shlex
import threading
import unicodedata
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import yaml
from ansible_collections.watchbill.fleet.plugins.module_utils._messages.text import sanitise
from ansible_collections.watchbill.fleet.plugins.module_utils._status import STATES

from tests.hostile_texts import IMAGE, hostile_texts
from tests.lab.command_line import PATIENCE, answer, eventually, watchbill
from tests.lab.conftest import Lab
from tests.lab.keeper_host import KeeperHost
from tests.model_api import ModelApi, Request
from tests.runtimes.expectations import EXPECTED, section
from watchbill.api import Fleet
from watchbill.errors import OperationError
from watchbill.lab.addresses import CONTROL

ONE_PIXEL = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="
REAL = [name for name, expected in EXPECTED.items() if expected.asks_a_model]
SHORT, LONG = 52, 1000
SECONDS_EACH = 12.0
TAKEN = ("accepted", "answered")
ALIKE: dict[str, Callable[[str], str]] = {"claude": lambda text: unicodedata.normalize("NFC", text)}
"""What makes those texts equal that a runtime takes for the same, beside its tabs: claude composes some characters."""


@dataclass(frozen=True)
class Desk:
    """A machine with one agent of each runtime."""

    host: KeeperHost
    api: ModelApi
    fleet: Fleet

    def send_all(self, runtime: str, texts: list[str], ids: str) -> dict[str, str]:
        """Send texts, each under an id of its own so that it may be sent again; return them by id."""
        sent: dict[str, str] = {}

        def is_taken(number: int, text: str) -> bool:
            # Its keeper is being killed; the same id is the same message.
            with suppress(OperationError):
                sent[self.fleet.send(runtime, text, message_id=f"{ids} {number}").id] = text
            return len(sent) == number + 1

        for number, text in enumerate(texts):
            eventually(partial(is_taken, number, text), f"{runtime} takes message {number}")
        return sent

    def until_over(self, runtime: str, ids: set[str], seconds: float) -> dict[str, dict[str, Any]]:
        """Wait until nothing more happens to some messages; return them by id."""
        seen: list[dict[str, dict[str, Any]]] = []

        def over() -> bool:
            rows = json.loads(self.host.do(f"watchbill-host messages studio/{runtime} --number 5000 --json"))
            seen.append({row["id"]: row for row in rows if row["id"] in ids})
            return len(seen[-1]) == len(ids) and all(row["over"] for row in seen[-1].values())

        eventually(over, f"all messages to {runtime} over", seconds)
        return seen[-1]

    def arrivals(self, runtime: str, message_id: str) -> list[Request]:
        """Return the requests that were begun by the prompt of a message, one for each time that it was submitted."""
        mark = f"watchbill:{message_id}"
        with suppress(AssertionError):  # what never came is for the caller to say
            self.api.wait_for(lambda one: one.runtime == runtime and mark in one.prompt, 30)
        found = [one for one in self.api.requests(runtime) if mark in one.prompt and not one.results]
        # What is asked again after an error or a restart is the same prompt in the same place.
        return list({(one.conversation, len(one.texts)): one for one in found}.values())


@pytest.fixture(scope="module")
def desk(lab: Callable[[str | Path], Lab], fetched: None, request: pytest.FixtureRequest) -> Iterator[Desk]:
    """One machine with all runtimes that are asked for, healthy and idle."""
    wanted = [name for name in request.config.getoption("--runtimes").split(",") if name in REAL]
    if not wanted:
        pytest.skip("no runtime that asks a model is wanted")
    with ModelApi(CONTROL) as api:
        document = {
            "version": 1,
            "fleet": {"name": "deliver"},
            "tenants": {"studio": {"uid": 20001, "floor": "none"}},
            "hosts": {"desk": {"address": "10.77.0.1", "slots": 8}},
            "teams": {"app": {"tenant": "studio"}},
            "runtimes": {name: section(name, api.url) for name in wanted},
            "roster": [
                {"name": name, "team": "app", "role": "coder", "runtime": name, "model": EXPECTED[name].model}
                for name in wanted
            ],
            # A runtime that takes long on a busy machine is not started anew here for that.
            "policy": {"heartbeat": {"interval": "5s", "healthy_within": "5m"}},
        }
        machines = lab(yaml.safe_dump(document))
        host = KeeperHost(machines)
        for name in wanted:
            for path, content in EXPECTED[name].files.items():
                machines.ssh("desk", f"printf %s {shlex.quote(content)} >{path}", check=True)
        done = watchbill(machines.path, "apply", "--yes")
        assert done.returncode == 0, done.stdout + done.stderr
        host.do(f"echo {ONE_PIXEL} | base64 -d >{IMAGE}")
        for name in wanted:
            # What the end of a hostile text could be taken for the beginning of.
            host.do(f"touch /home/studio/agents/{name}/README.md")
            host.until(name, 2 * PATIENCE, healthy=True, state="idle")
        yield Desk(host, api, Fleet.load(machines.path, lab=True))


@pytest.fixture
def runtime(request: pytest.FixtureRequest, desk: Desk) -> str:
    """The name of a runtime that is tested now."""
    name = str(request.param)
    if name not in request.config.getoption("--runtimes").split(","):
        pytest.skip("not asked for")
    return name


each_runtime = pytest.mark.parametrize("runtime", REAL, indirect=True)


@each_runtime
def test_hostile_texts_arrive_once_and_whole_as_one_prompt_each(
    desk: Desk, runtime: str, request: pytest.FixtureRequest
) -> None:
    number = LONG if request.config.getoption("--long") else SHORT
    sent = desk.send_all(runtime, hostile_texts(number), "hostile")
    rows = desk.until_over(runtime, set(sent), number * SECONDS_EACH)
    alike, wrong = ALIKE.get(runtime, str), {}
    for message_id, text in sent.items():
        found = desk.arrivals(runtime, message_id)
        line = f"watchbill:{message_id}\n"
        arrived = [alike(one.prompt.partition(line)[2].rstrip()) for one in found]
        expected = alike(sanitise(text).replace("\t", EXPECTED[runtime].tab).rstrip())
        if arrived != [expected] or rows[message_id]["state"] not in TAKEN:
            wrong[message_id] = (rows[message_id]["state"], rows[message_id]["reason"], text[:80], arrived[:3])
    assert not wrong


@each_runtime
def test_nothing_is_lost_or_twice_while_keeper_and_server_are_killed(
    desk: Desk, runtime: str, request: pytest.FixtureRequest
) -> None:
    number, keepers, servers = (200, 60, 12) if request.config.getoption("--long") else (10, 6, 2)
    desk.host.until(runtime, healthy=True, state="idle")
    order = ["agent"] * keepers + ["session"] * servers
    dice = random.Random(runtime)
    dice.shuffle(order)
    stop = threading.Event()

    def kill() -> None:
        for role in order:
            if stop.wait(dice.uniform(0.2, 4.0)):
                return
            pid = desk.host.pid(role, runtime)
            if pid:  # else it is about to be started again
                desk.host.do(f"kill -9 {pid}", check=False)

    killing = threading.Thread(target=kill)
    killing.start()
    try:
        sent = desk.send_all(runtime, [f"Number {n}: go on.\nPlease." for n in range(number)], "chaos")
        killing.join()
    finally:
        stop.set()
        killing.join()
    rows = desk.until_over(runtime, set(sent), number * SECONDS_EACH + 300)
    # What a session took with it came again in the next one: what counts is what the conversation has.
    last = desk.fleet.send(runtime, "And now the last one.", verify=2 * PATIENCE)
    assert last.state in TAKEN
    desk.until_over(runtime, {last.id}, 2 * PATIENCE)
    texts = desk.arrivals(runtime, last.id)[-1].texts
    wrong = {}
    for message_id in sent:
        state, count = rows[message_id]["state"], sum(f"watchbill:{message_id}\n" in text for text in texts)
        # A turn that was over may be missing in a conversation that was killed before it was written down.
        forgotten = count == 0 and state == "answered" and desk.arrivals(runtime, message_id)
        if state not in TAKEN or not (count == 1 or forgotten):
            wrong[message_id] = (state, rows[message_id]["reason"], count)
    assert not wrong


@each_runtime
def test_message_for_now_arrives_once_in_a_turn_or_right_after_it(desk: Desk, runtime: str) -> None:
    desk.host.until(runtime, healthy=True, state="idle")
    busy = desk.fleet.send(runtime, "[[hold]] [[say done]]", verify=PATIENCE)
    desk.host.until(runtime, state="working")
    desk.api.wait_for(lambda one: f"watchbill:{busy.id}" in one.prompt, PATIENCE)
    sent = desk.fleet.send(runtime, "And this.\nNow.", wait="now")
    after = desk.fleet.send(runtime, "And then that.")
    assert after.state == "held"
    desk.api.release()
    rows = desk.until_over(runtime, {busy.id, sent.id, after.id}, 2 * PATIENCE)
    assert {row["state"] for row in rows.values()} <= set(TAKEN), rows
    mark = f"watchbill:{sent.id}\nAnd this.\nNow."
    texts = desk.arrivals(runtime, after.id)[-1].texts
    assert sum(text.count(mark) for text in texts) == 1, [text[-200:] for text in texts[-4:]]


@each_runtime
def test_nothing_is_typed_into_a_permission_dialog(desk: Desk, runtime: str) -> None:
    """A key there would be somebody's permission."""
    dialog = EXPECTED[runtime].dialog
    if dialog is None:
        pytest.skip("it has no such dialog")
    path = f"/home/studio/asked-{runtime}"
    desk.host.until(runtime, healthy=True, state="idle")
    desk.fleet.send(runtime, dialog.format(path=path), verify=PATIENCE)
    desk.host.until(runtime, state="waiting-input")
    held = answer(desk.host.lab.path, "send", runtime, "y")
    now = answer(desk.host.lab.path, "send", runtime, "y", "--wait", "now")
    assert {held["state"], now["state"]} == {"held"}
    # Of a tenant that has to wait for the processor, a look knows nothing.
    others = set(STATES) - {"waiting-input", "unknown"}
    with pytest.raises(AssertionError):
        eventually(lambda: desk.host.row(runtime)["state"] in others, "somebody answered", 12)
    assert desk.host.do(f"ls {path} 2>/dev/null", check=False) == ""
    for one in (held, now):
        watchbill(desk.host.lab.path, "unsend", runtime, one["id"])
