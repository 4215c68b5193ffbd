"""Sending, and relaying between hosts, as far as the control machine has a part in it."""

from __future__ import annotations

import json
import shlex
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from watchbill.cli.app import run
from watchbill.errors import OperationError
from watchbill.ops.messages import Sent, messages, send, unsend, writer
from watchbill.ops.relay import Relayed, relay
from watchbill.ops.relay_timer import units
from watchbill.ops.target import Target, load_target

ID = "01JD2V6X3T9K4WQ8Z0M5R7Y1CB"
DESK, ATTIC = "192.0.2.11", "192.0.2.12"


def message(**fields: Any) -> dict[str, Any]:
    """Return a message as a host shows it."""
    return {"id": ID, "agent": "studio/coder0", "state": "queued", "reason": None, "accepted_by": None} | fields


@pytest.fixture
def host(hosts: Path) -> Callable[[str, str], Path]:
    """A function that makes a host of a script; returns where it may leave files."""

    def make(address: str, script: str) -> Path:
        program = hosts / address
        program.write_text(f"#!/bin/bash\ncd {shlex.quote(str(hosts))}\n{script}\n")
        program.chmod(0o755)
        return hosts

    return make


def says(*lines: dict[str, Any], status: int = 0, errors: str = "") -> str:
    """Return a script that keeps what it was told, prints lines and ends so."""
    printed = "\n".join(f"echo {shlex.quote(json.dumps(line))}" for line in lines)
    return (
        f'echo "$1" >told\ncat >read\n{printed}\n{f"echo {shlex.quote(errors)} >&2" if errors else ""}\nexit {status}'
    )


def test_text_travels_apart_from_the_command_and_whole(target: Target, host: Callable[[str, str], Path]) -> None:
    directory = host(DESK, says(message()))
    text = "'; rm -rf / #\n$(id) \x1b[201~ é \u2028;"
    sent = send(target, "coder0", text, wait="now", ttl="2h")
    assert (directory / "read").read_text() == text
    told = shlex.split((directory / "told").read_text())
    assert told[told.index("send") + 1] == "studio/coder0"
    assert told[told.index("--wait") + 1] == "now"
    assert told[told.index("--from") + 1] == writer()
    assert told[told.index("--ttl") + 1] == "7200"
    assert "rm" not in told
    assert (sent.state, sent.exit_code) == ("queued", 0)


def test_every_change_is_told_as_it_comes(target: Target, host: Callable[[str, str], Path]) -> None:
    states = ("queued", "injected", "accepted")
    host(DESK, says(*(message(state=state) for state in states)))
    seen: list[str] = []
    sent = send(target, "coder0", "hi", verify=5, on_change=lambda sent: seen.append(sent.state))
    assert (tuple(seen), sent.states, sent.exit_code) == (states, states, 0)


@pytest.mark.parametrize(
    ("state", "verify", "code"),
    [("held", None, 0), ("held", 5, 1), ("injected", 5, 1), ("answered", 5, 0), ("dead", None, 1), ("expired", 5, 1)],
)
def test_exit_code_says_whether_it_is_accepted_where_that_was_asked(
    target: Target, host: Callable[[str, str], Path], state: str, verify: float | None, code: int
) -> None:
    host(DESK, says(message(state=state), status=code))
    assert send(target, "coder0", "hi", verify=verify).exit_code == code


def test_refusal_is_an_error_with_the_reason_of_the_host(target: Target, host: Callable[[str, str], Path]) -> None:
    reason = "watchbill-host: studio/coder0: not accepted: 2000 messages wait for this agent already"
    host(DESK, says(status=1, errors=reason))
    with pytest.raises(OperationError) as refused:
        send(target, "coder0", "hi")
    assert refused.value.code == "not-accepted"
    assert str(refused.value.message) == reason.removeprefix("watchbill-host: ")


def test_lost_connection_leaves_an_id_that_makes_it_safe_to_send_again(
    target: Target, host: Callable[[str, str], Path]
) -> None:
    host(DESK, says(status=255, errors="Connection reset"))
    with pytest.raises(OperationError) as lost:
        send(target, "coder0", "hi", message_id="release 42")
    assert lost.value.message.endswith("Connection reset")
    assert not lost.value.message.startswith("error[")
    assert "--id release 42" in str(lost.value.hint)


@pytest.mark.parametrize("line", ["[]", '{"id": 1}', "nonsense"])
def test_answer_that_is_no_message_is_an_error(target: Target, host: Callable[[str, str], Path], line: str) -> None:
    host(DESK, f"cat >/dev/null; echo {shlex.quote(line)}")
    with pytest.raises(OperationError):
        send(target, "coder0", "hi")
    with pytest.raises(OperationError):
        unsend(target, "coder0", ID)
    if line != "[]":  # there are none
        with pytest.raises(OperationError):
            messages(target, "coder0")


def test_message_that_cannot_be_taken_back_is_told_in_the_words_of_its_host(
    target: Target, host: Callable[[str, str], Path]
) -> None:
    host(DESK, says(status=1, errors="watchbill-host: studio/coder0: there is no message nope"))
    with pytest.raises(OperationError) as refused:
        unsend(target, "coder0", "nope")
    assert refused.value.message == "studio/coder0: there is no message nope"
    assert (refused.value.hint, refused.value.code) == ("watchbill messages studio/coder0", "not-taken-back")


def test_half_a_character_is_no_text(target: Target) -> None:
    with pytest.raises(OperationError, match="half a character"):
        send(target, "coder0", "\ud800")


# -- relay -----------------------------------------------------------------------------------------------------------


def letter(source: str, to: str, **fields: Any) -> dict[str, Any]:
    return {"id": ID, "source": source, "target": to, "wait": "idle", "moved": False, "text": "hi"} | fields


def steps(**answers: list[dict[str, Any]]) -> str:
    """Return a script that answers each step of a relay, and keeps what it was brought."""
    cases = [
        f"*relay\\ {step}*) cat >{step}.json; echo {shlex.quote(json.dumps(said))} ;;" for step, said in answers.items()
    ]
    return "\n".join(['case "$1" in', *cases, "esac"])


def test_relay_takes_messages_to_where_their_agents_live_now_and_brings_receipts(
    target: Target, host: Callable[[str, str], Path]
) -> None:
    # The sender thinks that the writer is on a host where it no longer is.
    found = letter("desk:studio/coder0", "lap:studio/writer")
    directory = host(DESK, steps(collect=[found], receipts=[]))
    answer = {"id": ID, "source": "desk:studio/coder0", "message": message(state="held", reason="working", over=False)}
    host(ATTIC, steps(collect=[], deliver=[answer]))
    host("192.0.2.13", steps(collect=[]))
    relayed = relay(target)
    assert relayed.exit_code == 0
    [brought] = json.loads((directory / "deliver.json").read_text())
    assert (brought["source"], brought["target"], brought["text"]) == (
        "desk:studio/coder0",
        "attic:studio/writer",
        "hi",
    )
    [receipt] = json.loads((directory / "receipts.json").read_text())
    assert (receipt["id"], receipt["state"], receipt["reason"]) == (ID, "held", "working")


def test_host_does_not_speak_for_agents_of_another_one(target: Target, host: Callable[[str, str], Path]) -> None:
    forged = [letter("attic:studio/writer", "desk:studio/coder1"), letter("nonsense", "desk:studio/coder1")]
    for address in (DESK, ATTIC, "192.0.2.13"):
        directory = host(address, steps(collect=forged if address == DESK else [], deliver=[], receipts=[]))
    assert relay(target).messages == ()
    assert not (directory / "deliver.json").exists()


def test_host_does_not_speak_for_a_tenant_that_has_no_agent_there(
    target: Target, host: Callable[[str, str], Path]
) -> None:
    for address in (DESK, ATTIC, "192.0.2.13"):
        found = [letter("lap:studio/mole", "desk:studio/coder1")] if address == "192.0.2.13" else []
        directory = host(address, steps(collect=found, deliver=[], receipts=[]))
    assert relay(target).messages == ()
    assert not (directory / "deliver.json").exists()


@pytest.mark.parametrize(
    "forged",
    [
        {"id": "01JD2V6X3T9K4WQ8Z0M5R7Y1CC", "source": "desk:studio/coder0"},
        {"id": ID, "source": "lap:friends/guest"},
        {"id": ID, "source": "nonsense"},
        {"id": ["x"], "source": {}},
        {},
    ],
)
def test_host_says_nothing_about_messages_that_were_not_brought_to_it(
    target: Target, host: Callable[[str, str], Path], forged: dict[str, Any]
) -> None:
    found = letter("desk:studio/coder0", "attic:studio/writer")
    true = {"id": ID, "source": "desk:studio/coder0", "message": message(state="held", over=False)}
    directory = host(DESK, steps(collect=[found, {**found, "id": None}], receipts=[]))
    host(ATTIC, steps(collect=[], deliver=[{**true, **forged} if forged else {}, true]))
    host("192.0.2.13", steps(collect=[], receipts=[]))
    told = relay(target).messages
    assert {(row["id"], row["source"]) for row in told} == {(ID, "desk:studio/coder0")}
    assert {row["id"] for row in json.loads((directory / "receipts.json").read_text())} == {ID}


def test_relay_that_goes_on_knows_the_fleet_as_its_file_has_it_by_then(
    fleet_file: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    good, seen = fleet_file.read_text(), []
    edits = iter((good.replace("team: app", "team: ap"), good.replace("count: 2", "count: 3")))

    def make_pass(target: Target) -> Relayed:
        seen.append(target.fleet.get("studio/coder2") is not None)
        return Relayed((), {})

    def edit(seconds: float) -> None:
        text = next(edits, None)
        if text is None:
            raise KeyboardInterrupt
        fleet_file.write_text(text)

    monkeypatch.setattr("watchbill.ops.relay.relay", make_pass)
    monkeypatch.setattr("watchbill.cli.relay.time.sleep", edit)
    run(["relay", "--follow", "--json", "-f", str(fleet_file)])
    assert seen == [False, False, True]
    printed = capsys.readouterr()
    assert [json.loads(line) for line in printed.out.splitlines()] == [{"messages": [], "unreachable": {}}] * 3
    assert '"errors"' in printed.err, "a mistake in the file is told, and ends nothing"


def test_message_to_nobody_is_dead_and_one_that_is_refused_for_now_waits(
    target: Target, host: Callable[[str, str], Path]
) -> None:
    other = "01JD2V6X3T9K4WQ8Z0M5R7Y1CC"
    letters = [
        letter("desk:studio/coder0", "attic:studio/gone"),
        letter("desk:studio/coder0", "attic:studio/writer", id=other),
    ]
    full = {"id": other, "source": "desk:studio/coder0", "refused": {"code": "inbox-full", "message": "2000 wait"}}
    host(DESK, steps(collect=letters, receipts=[]))
    host(ATTIC, steps(collect=[], deliver=[full]))
    host("192.0.2.13", steps(collect=[]))
    [only] = relay(target).messages
    assert (only["id"], only["state"], only["reason"]) == (ID, "dead", "the fleet has no such agent")


def test_host_that_cannot_be_asked_keeps_nobody_else_from_theirs(
    target: Target, host: Callable[[str, str], Path]
) -> None:
    found = letter("attic:studio/writer", "desk:studio/coder1")
    answer = {"id": ID, "source": "attic:studio/writer", "message": message(state="accepted", over=False)}
    host(DESK, steps(collect=[], deliver=[answer]))
    host(ATTIC, steps(collect=[found], receipts=[]))
    relayed = relay(target)
    assert list(relayed.unreachable) == ["lap"]
    assert relayed.exit_code == 1
    assert [row["state"] for row in relayed.messages] == ["accepted"]


def test_timer_runs_the_relay_of_this_fleet_whatever_its_path_is_called(target: Target, tmp_path: Path) -> None:
    files = units(target)
    assert set(files) == {"watchbill-relay-trial.service", "watchbill-relay-trial.timer"}
    service = files["watchbill-relay-trial.service"]
    assert f'"relay" "-f" "{target.path}"' in service
    assert "--limit" not in service
    some = units(load_target(target.path, limit=["desk", "attic"]))["watchbill-relay-trial.service"]
    assert '"--limit" "attic,desk"' in some
    odd = tmp_path / 'a b%h"$x'
    odd.mkdir()
    moved = target.path.rename(odd / "fleet.yaml")
    shown = str(moved).replace("%", "%%").replace("$", "$$").replace('"', '\\"')
    assert f'"{shown}"' in units(load_target(moved))["watchbill-relay-trial.service"]


def test_exit_code_of_what_was_never_to_be_verified() -> None:
    assert Sent(message(state="injected"), "desk", "stub").exit_code == 0
