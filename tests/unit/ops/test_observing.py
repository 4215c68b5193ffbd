"""Looking at agents, as far as the control machine has a part in it."""

from __future__ import annotations

import json
import shlex
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from watchbill.api import Fleet
from watchbill.cli.watch import _print_lines
from watchbill.errors import OperationError
from watchbill.ops import watch as watch_module
from watchbill.ops.attach import attach
from watchbill.ops.audit import audit
from watchbill.ops.logs import logs
from watchbill.ops.tail import read_said, tail
from watchbill.ops.target import Target
from watchbill.ops.watch import Frame, Watch, read_frame

DESK, ATTIC = "192.0.2.11", "192.0.2.12"
FRAME = {"width": 80, "height": 24, "cursor": [1, 2], "title": "t", "lines": ["\x1b[31mred"], "note": None}


def script(hosts: Path, address: str, text: str) -> None:
    program = hosts / address
    program.write_text(f'#!/bin/bash\necho "$1" >> {hosts}/{address}.asked\n{text}\n')
    program.chmod(0o755)


def says(*values: Any) -> str:
    return "".join(f"echo {shlex.quote(json.dumps(value))}\n" for value in values)


def until(watching: Watch, holds: Callable[[Frame], bool]) -> Frame:
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        frame = watching.next(0.1)
        if frame is not None and holds(frame):
            return frame
    raise AssertionError("no such frame")


def test_agents_of_one_tenant_on_one_host_are_one_connection(target: Target, hosts: Path) -> None:
    script(hosts, DESK, says(*({"agent": f"studio/coder{n}", **FRAME} for n in (0, 1)), {}) + "exec sleep 60")
    script(hosts, ATTIC, says({"agent": "studio/writer", **FRAME}) + "exec sleep 60")
    with Watch(target, [agent for agent in target.agents() if agent.host != "lap"]) as watching:
        seen = {until(watching, lambda frame: True).agent for _ in range(3)}
    assert seen == {"studio/coder0", "studio/coder1", "studio/writer"}
    [asked] = (hosts / f"{DESK}.asked").read_text().splitlines()
    assert "watch studio/coder0 studio/coder1 --who " in asked


def test_host_that_cannot_be_asked_is_asked_again_and_holds_up_no_other(
    target: Target, hosts: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(watch_module, "AGAIN_SECONDS", 0.2)
    script(hosts, DESK, says({"agent": "studio/coder0", **FRAME}) + "exec sleep 60")
    agents = [agent for agent in target.agents() if agent.name in ("coder0", "writer")]
    with Watch(target, agents) as watching:
        until(watching, lambda frame: frame.agent == "studio/coder0" and frame.note is None)
        lost = until(watching, lambda frame: frame.agent == "studio/writer")
        assert "No route to host" in str(lost.note)
        script(hosts, ATTIC, says({"agent": "studio/writer", **FRAME}) + "exec sleep 60")
        until(watching, lambda frame: frame.agent == "studio/writer" and frame.note is None)


def test_end_of_watching_ends_the_connections(target: Target, hosts: Path) -> None:
    script(hosts, DESK, f"echo $$ > {hosts}/pid\n" + says({"agent": "studio/coder0", **FRAME}) + "exec sleep 600")
    with Watch(target, [target.fleet.find("coder0")]) as watching:
        until(watching, lambda frame: True)
        pid = int((hosts / "pid").read_text())
    deadline = time.monotonic() + 60
    while Path(f"/proc/{pid}/stat").exists() and time.monotonic() < deadline:
        time.sleep(0.02)
    assert not Path(f"/proc/{pid}").exists()


def test_whoever_is_slow_gets_the_latest(target: Target, hosts: Path) -> None:
    count = 3 * watch_module._MOST_WAITING
    line = json.dumps({"agent": "studio/coder0", **FRAME, "title": "%s"}).replace("%s", "'$n'")
    script(hosts, DESK, f"for n in $(seq {count}); do echo '{line}'; done\ntouch {hosts}/done\nexec sleep 60")
    with Watch(target, [target.fleet.find("coder0")]) as watching:
        until(watching, lambda frame: True)
        deadline = time.monotonic() + 60
        while not (hosts / "done").exists() and time.monotonic() < deadline:
            time.sleep(0.02)
        until(watching, lambda frame: frame.title == str(count))


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        ({}, {"width": 80, "cursor": (1, 2), "lines": ("\x1b[31mred",), "note": None}),
        ({"width": -1, "height": True, "cursor": [1]}, {"width": 0, "height": 0, "cursor": None}),
        ({"cursor": ["x", 10**9], "title": "\x1b]0;x\x07" * 99}, {"cursor": (0, 0)}),
        ({"lines": ["a", 1, None]}, {"lines": ("a",)}),
        ({"lines": ["a"] * 9999}, {"lines": ("a",) * 500}),
        ({"note": "\x1b[2J"}, {"note": "\\x1b[2J"}),
    ],
)
def test_frame_of_a_host_that_lies_is_harmless(fields: dict[str, Any], expected: dict[str, Any]) -> None:
    frame = read_frame("desk", json.dumps({"agent": "studio/coder0", **FRAME, **fields}), ["studio/coder0"])
    assert frame is not None
    assert {name: getattr(frame, name) for name in expected} == expected
    assert "\x1b" not in frame.title


@pytest.mark.parametrize(
    "line", ["", "[]", "[" * 9999, "{}", '{"agent": "studio/other"}', '{"agent": ["studio/coder0"]}']
)
def test_line_that_is_no_frame_of_a_watched_agent_is_left_out(line: str) -> None:
    assert read_frame("desk", line, ["studio/coder0"]) is None


def test_what_was_said_comes_in_order_and_nonsense_is_left_out(target: Target, hosts: Path) -> None:
    one = {"at": "2026-11-21T19:22:47Z", "who": "user", "text": "hi", "source": "transcript"}
    two = {"at": None, "who": "agent", "text": "hello", "source": "transcript"}
    script(hosts, DESK, says(one, {"who": "root", "text": "x"}, {"who": "agent"}, two) + "echo nonsense")
    with tail(target, "coder0", number=5, follow=True) as found:
        assert [(said.at, said.who, said.text) for said in found] == [
            (one["at"], "user", "hi"),
            (None, "agent", "hello"),
        ]
    assert "tail studio/coder0 -n 5 --who " in (hosts / f"{DESK}.asked").read_text()
    assert "--follow" in (hosts / f"{DESK}.asked").read_text()


def test_record_of_an_unknown_kind_counts_as_a_screen() -> None:
    said = read_said("studio/coder0", '{"who": "agent", "text": "x", "source": 7}')
    assert said is not None
    assert said.source == "screen"


def test_trails_of_all_hosts_are_one(target: Target, hosts: Path) -> None:
    entry = {"verb": "watch", "agent": "studio/coder0", "who": "ana@laptop", "account": "ops", "from": None}
    script(hosts, DESK, says([{"at": "2", **entry}, "nonsense", {"at": "4", **entry, "answer": "Yes", "who": 7}]))
    script(hosts, ATTIC, says([{"at": "1", **entry}, {"at": "3", **entry}]))
    trail = audit(target, number=3)
    assert [(one["at"], one["host"]) for one in trail.entries] == [("2", "desk"), ("3", "attic"), ("4", "desk")]
    assert (trail.entries[-1]["who"], trail.entries[-1]["details"]) == (None, {"answer": "Yes"})
    assert trail.unknown.keys() == {"lap"}
    assert trail.exit_code == 1
    assert audit(target, "coder0").exit_code == 0, "the others are not asked"


def test_whoever_looks_or_types_is_named_to_the_host(target: Target, hosts: Path) -> None:
    script(hosts, DESK, "")
    logs(target, "coder0")
    assert "--who " in (hosts / f"{DESK}.asked").read_text()
    assert "--who " in attach(target, "coder0").command[-1]
    with pytest.raises(OperationError):
        attach(target, "nobody")


def test_programs_look_as_people_do(target: Target, hosts: Path) -> None:
    said = {"at": None, "who": "agent", "text": "hello", "source": "transcript"}
    frame = {"agent": "studio/coder0", **FRAME}
    stop = {"at": "2026-11-21T10:00:00Z", "verb": "stop", "agent": "studio/coder0"}
    cases = (
        f"*' tail '*) {says(said)};;",
        f"*' watch '*) {says(frame)} exec sleep 60;;",
        f"*' audit '*) {says([stop])};;",
    )
    script(hosts, DESK, f'case "$1" in {" ".join(cases)} esac')
    fleet = Fleet(target)
    assert [one.text for one in fleet.tail("coder0")] == ["hello"]
    with fleet.watch("coder0") as watching:
        assert until(watching, lambda frame: True).title == "t"
    assert [entry["verb"] for entry in fleet.audit("coder0").entries] == ["stop"]


def test_watch_in_a_pipe_says_once_why_it_shows_nothing(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    away, there = Frame("studio/a", "desk", note="No route to host"), Frame("studio/a", "desk", lines=("hi",))
    frames = iter((away, away, None, there, away))

    class Watching:
        def next(self, seconds: float) -> Frame | None:
            try:
                return next(frames)
            except StopIteration:
                raise KeyboardInterrupt from None

    with pytest.raises(KeyboardInterrupt):
        _print_lines(Watching())  # type: ignore[arg-type]
    lines = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert [line["note"] for line in lines] == ["No route to host", None, "No route to host"]
