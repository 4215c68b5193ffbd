"""What a keeper answers to who wants to send: each message once, or a reason why not."""

from __future__ import annotations

import errno
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from ansible_collections.watchbill.fleet.plugins.module_utils._keeper.control import Refused
from ansible_collections.watchbill.fleet.plugins.module_utils._keeper.outgoing import Outgoing
from ansible_collections.watchbill.fleet.plugins.module_utils._keeper.peer import Peer, Place
from ansible_collections.watchbill.fleet.plugins.module_utils._keeper.reception import Reception
from ansible_collections.watchbill.fleet.plugins.module_utils._keeper.record import Record
from ansible_collections.watchbill.fleet.plugins.module_utils._messages import inbox as inbox_module
from ansible_collections.watchbill.fleet.plugins.module_utils._messages.address import Address
from ansible_collections.watchbill.fleet.plugins.module_utils._messages.inbox import OUTBOX, Inbox

ROOT, OWN, NEIGHBOUR = Peer(0, None, False), Peer(20001, "coder0", True), Peer(20001, "coder1", True)
PLACE = Place(Address("desk", "studio", "coder0"), 20001, False)


class Desk:
    """The inbox and outbox of one agent, and who answers for them."""

    def __init__(self, directory: Path) -> None:
        self.inbox, self.outbox = Inbox(str(directory)), Inbox(str(directory), OUTBOX)
        self.inbox.load()
        self.refusal = ""
        delivery: Any = SimpleNamespace(inbox=self.inbox, change=self.inbox.write)
        self.reception = Reception(delivery, lambda: PLACE, lambda message: None, lambda: self.refusal, lambda: 1e9)
        self.relay = directory / "relay.json"
        self.outgoing = Outgoing(self.outbox, lambda: PLACE, str(self.relay), Record(str(directory), {}))
        self.outgoing.begin()

    def send(self, peer: Peer = ROOT, /, **request: Any) -> dict[str, Any]:
        return dict(self.reception.send({"text": "hi", **request}, peer))

    def refused(self, peer: Peer = ROOT, /, **request: Any) -> str:
        with pytest.raises((Refused, ValueError)) as error:
            self.send(peer, **request)
        return getattr(error.value, "code", "bad-request")


@pytest.fixture
def desk(tmp_path: Path) -> Desk:
    return Desk(tmp_path)


def test_message_is_taken_once_and_told_in_full(desk: Desk) -> None:
    first = desk.send(ROOT, id="release 42", **{"from": "laptop:operator/ana"})
    again = desk.send(ROOT, id="release 42", **{"from": "ci:operator/robot"})
    assert (first["new"], again["new"]) == (True, False)
    assert first["message"] == again["message"]
    shown = first["message"]
    assert (shown["from"], shown["to"], shown["key"]) == ("laptop:operator/ana", "desk:studio/coder0", "release 42")
    assert (shown["created_at"], shown["expires_at"]) == ("2001-09-09T01:46:40Z", "2001-10-09T01:46:40Z")
    assert desk.reception.show({"id": "release 42"}, NEIGHBOUR)["message"]["id"] == shown["id"]


@pytest.mark.parametrize(
    ("request_", "code"),
    [
        ({"text": ""}, "no-text"),
        ({"text": "x" * 300_000}, "too-large"),
        ({"text": None}, "no-text"),
        ({"text": 3}, "bad-request"),
        ({"wait": "soon"}, "bad-request"),
        ({"wait": ["idle"]}, "bad-request"),
        ({"ttl_s": 0}, "bad-request"),
        ({"ttl_s": 1e12}, "bad-request"),
        ({"ttl_s": True}, "bad-request"),
        ({"id": "x" * 200}, "bad-request"),
        ({"to": "desk:studio/coder1"}, "elsewhere"),
        ({"to": "nobody"}, "bad-request"),
        ({"from": "attic:guests/visitor"}, "other-tenant"),
    ],
)
def test_what_cannot_become_a_message_is_refused_with_a_code(desk: Desk, request_: dict[str, Any], code: str) -> None:
    assert desk.refused(**request_) == code
    assert desk.inbox.open == {}


def test_another_text_under_the_same_id_is_refused_also_when_the_first_is_over(desk: Desk) -> None:
    sent = desk.send(id="one")["message"]
    assert desk.refused(id="one", text="other") == "other-message"
    desk.inbox.write(desk.inbox.open[sent["id"]]._replace(state="answered"))
    assert desk.refused(id="one", text="other") == "other-message"
    assert desk.send(id="one")["message"]["state"] == "answered"
    assert desk.inbox.open == {}


def test_runtime_without_proof_gets_nothing(desk: Desk) -> None:
    desk.refusal = "runtime command has nothing that proves that it took a message"
    assert desk.refused() == "cannot-take-messages"


def test_full_inbox_or_disk_refuses_instead_of_losing(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(inbox_module, "OPEN_LIMIT", 2)
    desk.send()
    desk.send()
    assert desk.refused() == "inbox-full"
    monkeypatch.setattr(inbox_module, "OPEN_LIMIT", 10)
    monkeypatch.setattr(inbox_module, "OPEN_BYTES", 10)
    assert desk.refused(text="x" * 7) == "inbox-full"
    monkeypatch.undo()

    def full(*arguments: object, **more: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(inbox_module, "replace_file", full)
    assert desk.refused() == "cannot-write"
    assert len(desk.inbox.open) == 2


def test_only_its_sender_and_people_take_a_message_back_and_only_while_it_is_queued(desk: Desk) -> None:
    sent = desk.send(NEIGHBOUR)["message"]
    with pytest.raises(Refused, match="it is from desk:studio/coder1"):
        desk.reception.unsend({"id": sent["id"]}, OWN)
    taken = desk.reception.unsend({"id": sent["id"]}, NEIGHBOUR)["message"]
    assert (taken["state"], taken["reason"]) == ("dead", "taken back by desk:studio/coder1")
    with pytest.raises(Refused, match="it is dead"):
        desk.reception.unsend({"id": sent["id"]}, ROOT)
    with pytest.raises(Refused, match="no such message"):
        desk.reception.unsend({"id": "01JD2V6X3T9K4WQ8Z0M5R7Y1CB"}, ROOT)


# -- to other hosts --------------------------------------------------------------------------------------------------


def post(desk: Desk, peer: Peer = OWN, **request: Any) -> dict[str, Any]:
    return dict(desk.outgoing.post({"text": "hi", "to": "attic:studio/writer", **request}, peer)["message"])


def test_outbox_says_whether_a_relay_comes_by(desk: Desk) -> None:
    first = post(desk)
    assert (first["state"], first["reason"], first["from"]) == ("held", "no relay", "desk:studio/coder0")
    desk.relay.write_text('{"at": "2099-01-01T00:00:00Z"}')
    assert desk.outgoing.show({"id": first["id"]}, OWN)["message"]["reason"] == "waits for the relay"
    desk.relay.write_text('{"at": "2020-01-01T00:00:00Z"}')
    assert desk.outgoing.show({"id": first["id"]}, OWN)["message"]["reason"] == "no relay"


def test_nobody_writes_from_the_outbox_of_another_one_or_to_another_tenant(desk: Desk) -> None:
    for peer in (NEIGHBOUR, ROOT, Peer(20001, None, False)):
        with pytest.raises(Refused, match="this is the outbox of"):
            post(desk, peer)
    with pytest.raises(Refused, match="their own tenant"):
        post(desk, to="attic:guests/visitor")
    assert desk.outbox.open == {}


def test_receipts_come_from_a_relay_and_end_a_message_once(desk: Desk) -> None:
    sent = post(desk, id="question")
    told = {"id": sent["id"], "state": "held", "reason": "working", "at": "2026-11-21T10:00:00Z"}
    with pytest.raises(Refused, match="from a relay"):
        desk.outgoing.receipt(told, OWN)
    assert desk.outgoing.receipt(told, ROOT) == {"known": True}
    shown = desk.outgoing.show({"id": "question"}, OWN)["message"]
    assert (shown["state"], shown["reason"]) == ("held", "working")
    over = {**told, "state": "answered", "reason": None, "answer": "yes", "accepted_by": "runtime"}
    assert desk.outgoing.receipt(over, ROOT) == {"known": True}
    assert desk.outgoing.receipt(told, ROOT) == {"known": False}
    shown = desk.outgoing.show({"id": "question"}, OWN)["message"]
    assert (shown["state"], shown["answer"], shown["over"]) == ("answered", "yes", True)
    assert post(desk, id="question")["state"] == "answered"


def test_receipt_that_makes_no_sense_changes_nothing(desk: Desk) -> None:
    sent = post(desk)
    for nonsense in ({"state": "lost"}, {"state": None}, {"state": "accepted", "answer": 3}):
        with pytest.raises(ValueError, match="is"):
            desk.outgoing.receipt({"id": sent["id"], **nonsense}, ROOT)
    assert desk.outgoing.show({"id": sent["id"]}, OWN)["message"]["reason"] == "no relay"
