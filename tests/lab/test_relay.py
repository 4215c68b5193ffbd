"""Messages between hosts: agents hold no key, a relay takes them along, exactly once, with receipts."""

from __future__ import annotations

import json
import shlex
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from tests.lab.command_line import answer, eventually, look, watchbill
from tests.lab.conftest import Lab
from tests.lab.keeper_host import AS_STUDIO, RUNTIME, pasted

FLEET = """
version: 1
fleet: {name: relay}
tenants:
  studio: {uid: 20001, floor: none}
  guests: {uid: 20002, floor: none}
hosts:
  desk: {address: 10.77.0.1, slots: 4}
  attic: {address: 10.77.0.2, slots: 4}
teams:
  app: {tenant: studio}
  guest: {tenant: guests}
roster:
  - {name: coder, team: app, role: coder, runtime: stub, host: desk}
  - {name: reviewer, alias: rev, team: app, role: coder, runtime: stub, host: attic}
  - {name: visitor, team: guest, role: coder, runtime: stub, host: attic}
policy:
  heartbeat: {interval: 1s, healthy_within: 60s}
"""


@pytest.fixture(scope="module")
def pair(lab: Callable[[str | Path], Lab]) -> Lab:
    """Two machines with idle stubs, and no relay yet."""
    machines = lab(FLEET)
    done = watchbill(machines.path, "apply", "--yes")
    assert done.returncode == 0, done.stdout + done.stderr
    eventually(lambda: {row["state"] for row in look(machines.path)} == {"idle"}, "all idle")
    return machines


def said(pair: Lab, words: str) -> str:
    """Run `watchbill-host` in the session of the coder, and return what it printed."""
    run = shlex.quote(f"watchbill-host {words} > /home/studio/said 2>&1 || true")
    pair.ssh("desk", f"{AS_STUDIO} tmux -N -S {RUNTIME}/coder/tmux.sock run-shell {run}", check=True)
    return pair.read("desk", "/home/studio/said")


def posted(pair: Lab, text: str, to: str = "reviewer") -> dict[str, Any]:
    """Let the coder write to an agent on the other host."""
    return dict(json.loads(said(pair, f"send --json {to} {shlex.quote(text)}")))


def sent(pair: Lab, message_id: str) -> dict[str, Any]:
    """Return what the coder knows of a message of its own."""
    rows = json.loads(pair.ssh("desk", "watchbill-host messages --sent --json studio/coder", check=True).stdout)
    [found] = [row for row in rows if row["id"] == message_id]
    return dict(found)


def prompts(pair: Lab) -> list[str]:
    """Return the prompts that the reviewer took."""
    shown = pair.ssh("attic", "cat /home/studio/agents/reviewer/stub-transcript.jsonl").stdout
    return [json.loads(line)["content"] for line in shown.split("\n") if line]


def test_without_a_relay_a_message_stays_queued_and_says_why(pair: Lab) -> None:
    message = posted(pair, "Is it good?", to="rev")
    assert (message["state"], message["reason"], message["to"]) == ("held", "no relay", "attic:studio/reviewer")
    assert not prompts(pair)


def test_relay_brings_messages_there_once_and_receipts_back(pair: Lab) -> None:
    first = posted(pair, "Is it?")
    assert {row["source"] for row in answer(pair.path, "relay")["messages"]} == {"desk:studio/coder"}
    message = posted(pair, "And this?\n; x\x1b[201~")
    assert (message["state"], message["reason"]) == ("held", "waits for the relay")
    for _ in range(3):
        assert watchbill(pair.path, "relay").returncode == 0
    eventually(lambda: any(message["id"] in prompt for prompt in prompts(pair)), "arrived")
    # A pass that a keeper did not answer in time has nothing to tell either.
    eventually(
        lambda: (
            answer(pair.path, "relay")["messages"] == []
            and {sent(pair, one["id"])["state"] for one in (first, message)} == {"answered"}
        ),
        "both are answered, and nothing is left to be told",
    )
    assert sum(first["id"] in prompt for prompt in prompts(pair)) == 1
    [arrived] = [prompt for prompt in prompts(pair) if message["id"] in prompt]
    told = f"[desk:studio/coder -> attic:studio/reviewer] watchbill:{message['id']}\nAnd this?\n; x"
    assert arrived == pasted(told)


def test_two_relays_at_once_bring_each_message_once(pair: Lab) -> None:
    ids = [posted(pair, f"number {number}")["id"] for number in range(5)]
    with ThreadPoolExecutor(3) as pool:
        list(pool.map(lambda _: watchbill(pair.path, "relay"), range(6)))
    eventually(lambda: all(any(one in prompt for prompt in prompts(pair)) for one in ids), "all arrived")
    told = sorted(prompt.rpartition("\n")[2] for prompt in prompts(pair)[-5:])
    assert told == [pasted(f"number {number}") for number in range(5)]


def test_receipt_says_why_a_message_waits_there(pair: Lab) -> None:
    assert watchbill(pair.path, "pause", "reviewer", "--why", "lunch").returncode == 0
    message = posted(pair, "when you are back")
    assert watchbill(pair.path, "relay").returncode == 0
    assert (sent(pair, message["id"])["state"], sent(pair, message["id"])["reason"][:6]) == ("held", "paused")
    assert watchbill(pair.path, "resume", "reviewer").returncode == 0
    eventually(lambda: any("when you are back" in prompt for prompt in prompts(pair)), "arrived")


def test_tenants_stay_apart(pair: Lab) -> None:
    assert "there is no agent guests/visitor" in said(pair, "send guests/visitor hello")
    # What an agent writes into its own outbox by hand says nothing about from whom it is, nor crosses to others.
    forged = {**sent(pair, posted(pair, "forged")["id"])}
    path = f"/home/studio/.local/state/watchbill/coder/outbox/{forged['id']}.json"
    pair.ssh(
        "desk",
        f"sed -i 's#attic:studio/reviewer#attic:guests/visitor#; s#desk:studio/coder#attic:guests/visitor#' {path}",
    )
    [row] = [row for row in answer(pair.path, "relay")["messages"] if row["id"] == forged["id"]]
    assert (row["source"], row["state"]) == ("desk:studio/coder", "dead")
    assert "their own tenant" in row["reason"]
    assert not pair.ssh("attic", "cat /home/guests/agents/visitor/stub-transcript.jsonl").stdout


def test_message_to_a_host_that_fails_goes_with_a_later_pass(pair: Lab) -> None:
    message = posted(pair, "later")
    pair.ssh("attic", "mv /usr/local/bin/watchbill-host /root/away", check=True)
    done = watchbill(pair.path, "relay")
    assert (done.returncode, "attic" in done.stdout) == (1, True), done.stdout + done.stderr
    assert sent(pair, message["id"])["state"] == "held"
    pair.ssh("attic", "mv /root/away /usr/local/bin/watchbill-host", check=True)
    assert watchbill(pair.path, "relay").returncode == 0
    eventually(lambda: any("later" in prompt for prompt in prompts(pair)), "arrived")
