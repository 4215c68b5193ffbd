"""An inbox is on the disk before anybody is told so, and a full disk loses nothing in silence."""

from __future__ import annotations

import errno
import json
import os
from pathlib import Path

import pytest
from ansible_collections.watchbill.fleet.plugins.module_utils._messages import inbox as module
from ansible_collections.watchbill.fleet.plugins.module_utils._messages.inbox import (
    HISTORY_LIMIT,
    Inbox,
    read_log,
    read_messages,
    read_outbox,
)
from ansible_collections.watchbill.fleet.plugins.module_utils._messages.message import (
    ANSWERED,
    DEAD,
    ENTERED,
    INJECTED,
    parse_message,
)
from ansible_collections.watchbill.fleet.plugins.module_utils._messages.spool import Spool
from ansible_collections.watchbill.fleet.plugins.module_utils._plain_files import replace_file

from tests.unit.messages.world import ID, message

OTHER = "01JD2V6X3T9K4WQ8Z0M5R7Y1CC"


def reopened(directory: Path) -> Inbox:
    """Return the inbox as the next keeper reads it."""
    inbox = Inbox(str(directory))
    assert inbox.load() == []
    return inbox


def test_next_keeper_finds_what_the_last_one_wrote_in_order(tmp_path: Path) -> None:
    inbox = reopened(tmp_path)
    inbox.add(message(id=OTHER), "first")
    inbox.add(message(), "second é\n")
    inbox.write(inbox.open[ID]._replace(state=INJECTED, phase=ENTERED, session_id="s1", enters=2))
    after = reopened(tmp_path)
    assert list(after.open) == [OTHER, ID]
    assert after.open == inbox.open
    assert (after.text(ID), after.open[ID].enters) == ("second é\n", 2)


def test_message_that_is_over_is_remembered_by_its_id_but_not_kept_open(tmp_path: Path) -> None:
    inbox = reopened(tmp_path)
    inbox.add(message(), "text")
    inbox.write(inbox.open[ID]._replace(state=ANSWERED))
    after = reopened(tmp_path)
    assert after.open == {}
    found = after.find(ID)
    assert found is not None
    assert found.state == ANSWERED
    assert after.find(OTHER) is None
    assert not list(tmp_path.glob("messages/*.text"))


def test_what_may_still_stand_in_the_prompt_line_stays_open(tmp_path: Path) -> None:
    inbox = reopened(tmp_path)
    inbox.add(message(), "text")
    inbox.write(inbox.open[ID]._replace(state=DEAD, phase=ENTERED))
    assert list(reopened(tmp_path).open) == [ID]


def test_keeper_that_ended_between_history_and_inbox_left_one_end(tmp_path: Path) -> None:
    inbox = reopened(tmp_path)
    inbox.add(message(), "text")
    kept = (tmp_path / "messages" / f"{ID}.json").read_bytes()
    inbox.write(inbox.open[ID]._replace(state=ANSWERED))
    (tmp_path / "messages" / f"{ID}.json").write_bytes(kept)
    assert reopened(tmp_path).open == {}
    assert [one["state"] for one in read_messages(str(tmp_path))] == [ANSWERED]


@pytest.mark.parametrize("fails", [1, 2])
def test_full_disk_refuses_a_message_and_leaves_nothing_of_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, fails: int
) -> None:
    inbox = reopened(tmp_path)
    real, calls = replace_file, []

    def full(*arguments: object, **more: object) -> None:
        calls.append(arguments)
        if len(calls) >= fails:
            raise OSError(errno.ENOSPC, "No space left on device")
        real(*arguments, **more)  # type: ignore[arg-type]

    monkeypatch.setattr(module, "replace_file", full)
    with pytest.raises(OSError, match="No space"):
        inbox.add(message(), "text")
    monkeypatch.undo()
    assert inbox.open == {}
    assert reopened(tmp_path).open == {}
    inbox.add(message(), "text")
    monkeypatch.setattr(module, "replace_file", full)
    with pytest.raises(OSError, match="No space"):
        inbox.write(inbox.open[ID]._replace(state=ANSWERED))
    assert inbox.open[ID].state == "queued"


def test_full_disk_is_not_filled_with_halves_of_what_it_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(handle: int) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    inbox = reopened(tmp_path)
    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OSError, match="No space"):
        inbox.add(message(), "text")
    assert os.listdir(tmp_path / "messages") == ["history"]


def test_what_a_tenant_scribbled_costs_only_that_file(tmp_path: Path) -> None:
    reopened(tmp_path).add(message(), "text")
    directory = tmp_path / "messages"
    (directory / f"{OTHER}.json").write_text('{"format_version": 1, "id": "../../x"}')
    (directory / "x.json").symlink_to("/etc/passwd")
    inbox = Inbox(str(tmp_path))
    problems = inbox.load()
    assert len(problems) == 2
    assert list(inbox.open) == [ID]


@pytest.mark.parametrize(
    "change",
    [
        {"state": "done"},
        {"wait": 1},
        {"number": "1"},
        {"tries": -1},
        {"source": "me"},
        {"id": "x"},
        {"phase": "x"},
        {"injected_boottime": float("inf")},
        {"format_version": 2},
        {"excerpt": None},
        {"expires_at": "soon"},
    ],
)
def test_message_that_is_none_is_refused(change: dict[str, object]) -> None:
    with pytest.raises(ValueError, match=r"is|reads"):
        parse_message({**message().to_json(), **change})
    assert parse_message(message().to_json()) == message()


@pytest.mark.parametrize("ended_at", [None, 1_000_000_000], ids=["one-after-the-other", "in-one-moment"])
def test_history_is_kept_short(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, ended_at: int | None) -> None:
    monkeypatch.setattr(module, "HISTORY_LIMIT", 5)
    monkeypatch.setattr(module, "HISTORY_SLACK", 2)
    inbox = reopened(tmp_path)
    ids = [f"01JD2V6X3T9K4WQ8Z0M5R7Y{number:03d}" for number in range(20)]
    for one in ids:
        inbox.add(message(id=one), "text")
        inbox.write(inbox.open[one]._replace(state=ANSWERED))
        if ended_at is not None:
            os.utime(f"{inbox.history}/{one}.json", (ended_at, ended_at))
    kept = {one["id"] for one in read_messages(str(tmp_path))}
    assert 5 <= len(kept) <= 7
    assert kept == set(ids[-len(kept) :])
    assert HISTORY_LIMIT >= 2000


def test_messages_that_are_asked_for_fit_into_an_answer_however_many_there_are(tmp_path: Path) -> None:
    inbox = reopened(tmp_path)
    ids = [f"01JD2V6X3T9K4WQ8Z0M5R7Y{number:03d}" for number in range(20)]
    for one in ids:
        inbox.add(message(id=one, key=f"key of {one}", excerpt="д" * 200), "text")
    assert [one["id"] for one in read_messages(str(tmp_path), number=3)] == ids[-3:]
    for wanted in (ids[2], f"key of {ids[2]}"):
        assert [one["id"] for one in read_messages(str(tmp_path), number=3, wanted=wanted)] == [ids[2]]


@pytest.mark.parametrize("text", ["x" * 1000, "д" * 1000, "\N{PILE OF POO}" * 1000], ids=["ascii", "cyrillic", "emoji"])
def test_relay_takes_from_an_outbox_no_more_than_its_way_can_carry(tmp_path: Path, text: str) -> None:
    """As JSON a text is up to six times as long: more than fits would be left there for ever, with all behind it."""
    outbox = Inbox(str(tmp_path), "outbox")
    outbox.load()
    for number in range(20):
        one = f"01JD2V6X3T9K4WQ8Z0M5R7Y{number:03d}"
        outbox.add(message(id=one, size=len(text.encode()), excerpt=text[:200]), text)
    found = read_outbox(str(tmp_path), 50_000)
    assert found
    assert len(json.dumps([one["text"] for one in found])) < 51_000
    assert len(json.dumps(found)) < 50_000 + 20 * 1000


def test_log_tells_every_step(tmp_path: Path) -> None:
    inbox = reopened(tmp_path)
    inbox.add(message(), "text")
    inbox.write(inbox.open[ID]._replace(state=INJECTED, phase=ENTERED))
    inbox.add(message(id=OTHER), "text")
    with (tmp_path / "messages.jsonl").open("a") as log:
        log.write("half a li")
    steps = read_log(str(tmp_path), 10)
    assert [(step["id"], step["was"], step["state"]) for step in steps] == [
        (ID, None, "queued"),
        (ID, "queued", "injected"),
        (OTHER, None, "queued"),
    ]
    assert len(read_log(str(tmp_path), 10, OTHER)) == 1
    assert read_log(str(tmp_path / "nobody"), 10) == []


def test_log_goes_by_the_clock_that_opens_windows(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """And by no coarser one, by which a message of a job would have come before the job's window."""
    monkeypatch.setattr(module.time, "time", lambda: 1795320240.0004)
    reopened(tmp_path).add(message(), "text")
    assert [step["at"] for step in read_log(str(tmp_path), 10)] == ["2026-11-22T04:04:00Z"]


def test_spool_gives_evidence_once_and_takes_no_nonsense(tmp_path: Path) -> None:
    path = tmp_path / "accepted"
    spool = Spool(str(path))
    assert spool.read() == []
    path.write_text(f"{ID} 12.5 some-conversation\nnonsense\n{ID} nan -\nX{ID[1:]}1 3 -\n{OTHER} 13.0 -\n{ID} 14")
    found = spool.read()
    assert [(one, evidence.boottime, evidence.conversation) for one, evidence in found] == [
        (ID, 12.5, "some-conversation"),
        (OTHER, 13.0, None),
    ]
    with path.open("a") as stream:
        stream.write(".25 -\n")
    assert (ID, 14.25) in [(one, evidence.boottime) for one, evidence in spool.read()]
    spool.empty()
    assert path.read_bytes() == b""
    assert spool.read() == []


def test_spool_that_is_something_else_proves_nothing(tmp_path: Path) -> None:
    target = tmp_path / "target"
    target.write_text(f"{ID} 12.5 -\n")
    (tmp_path / "accepted").symlink_to(target)
    spool = Spool(str(tmp_path / "accepted"))
    assert spool.read() == []
    spool.empty()
    assert target.read_text() == f"{ID} 12.5 -\n"
