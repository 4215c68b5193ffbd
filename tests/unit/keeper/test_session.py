"""How a session is asked: only ever its own unit and its own socket, and never a server outside of the unit."""

from __future__ import annotations

import os
import signal
from pathlib import Path

import pytest
from ansible_collections.watchbill.fleet.plugins.module_utils._keeper.processes import CommandError
from ansible_collections.watchbill.fleet.plugins.module_utils._keeper.session import (
    Drawn,
    Found,
    Pane,
    Session,
    SessionError,
)


class Commands:
    """Stands in for systemctl and tmux."""

    def __init__(self, **answers: str) -> None:
        self.answers = answers
        self.told: list[list[str]] = []

    def __call__(self, arguments: list[str], timeout: float) -> str:
        self.told.append(arguments)
        for word, answer in self.answers.items():
            if word.replace("_", "-") in arguments:
                return answer
        raise CommandError("no answer")


def session(directory: Path, commands: Commands) -> Session:
    return Session("coder0", str(directory), runner=commands)


@pytest.mark.parametrize(
    ("listing", "pane"),
    [
        ("%0 77  -", Pane(77, None, None)),
        ("%0 77 3 -", Pane(77, 3, None)),
        ("%0 77 - 9", Pane(77, None, "SIGKILL")),
        ("%1 78 3 -\n%0 77  -", Pane(77, None, None)),
        ("%1 78  -", None),
        ("", None),
    ],
)
def test_end_of_the_agents_own_pane_counts_and_no_other(tmp_path: Path, listing: str, pane: Pane | None) -> None:
    assert session(tmp_path, Commands(list_panes=listing)).pane() == pane


@pytest.mark.parametrize(
    ("said", "drawn"),
    [
        ("1800000007 1800000005 the shop: idle\n", Drawn(1_800_000_007, "the shop: idle")),
        ("1800000005 1800000005 the shop\n", Drawn(None, "the shop")),
        ("1800000007 1800000005 \n", Drawn(1_800_000_007, "")),
        ("", Drawn(None, "")),
    ],
)
def test_window_that_tmux_has_just_made_was_not_drawn_by_the_program_in_it(
    tmp_path: Path, said: str, drawn: Drawn
) -> None:
    assert session(tmp_path, Commands(display_message=said)).drawn() == drawn


def test_tmux_that_missed_the_end_of_a_program_is_made_to_look_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    reads = iter(["%0 77  -", "%0 77  -", "%0 77 3 -"])
    looks: list[tuple[int, int]] = []
    monkeypatch.setattr(os, "kill", lambda pid, number: looks.append((pid, number)))
    asked = Session("coder0", str(tmp_path), runner=lambda arguments, timeout: next(reads))
    assert asked.ended_pane(Found(4711, -1, "abc")) == Pane(77, 3, None)
    assert looks == [(4711, signal.SIGCHLD)] * 3


def test_tmux_that_never_finds_out_is_not_asked_forever(tmp_path: Path) -> None:
    commands = Commands(list_panes="%0 77  -")
    assert session(tmp_path, commands).ended_pane(Found(os.getpid(), -1, "abc")) == Pane(77, None, None)
    assert len(commands.told) == 5


def test_tmux_is_never_allowed_to_start_a_server_outside_of_the_unit(tmp_path: Path) -> None:
    commands = Commands(list_panes="", capture_pane="")
    session(tmp_path, commands).pane()
    session(tmp_path, commands).screen()
    assert [told[:4] for told in commands.told] == [["tmux", "-N", "-S", f"{tmp_path}/tmux.sock"]] * 2


@pytest.mark.parametrize(
    "shown",
    ["ActiveState=inactive\nMainPID=0", "ActiveState=failed\nMainPID=0", "ActiveState=deactivating\nMainPID=1", ""],
)
def test_session_that_does_not_run_or_is_about_to_end_is_none(tmp_path: Path, shown: str) -> None:
    assert session(tmp_path, Commands(show=shown)).find() is None


def test_running_session_is_found_with_its_invocation(tmp_path: Path) -> None:
    shown = f"ActiveState=active\nMainPID={os.getpid()}\nInvocationID=abc"
    found = session(tmp_path, Commands(show=shown)).find()
    assert found is not None
    assert (found.pid, found.session_id) == (os.getpid(), "abc")
    os.close(found.descriptor)


def test_silent_systemd_is_an_error_and_not_an_absent_session(tmp_path: Path) -> None:
    with pytest.raises(SessionError):
        session(tmp_path, Commands()).find()


def test_stale_socket_is_removed_before_the_start(tmp_path: Path) -> None:
    (tmp_path / "tmux.sock").write_text("")
    with pytest.raises(SessionError, match="ended at once"):
        session(tmp_path, Commands(start="", show="")).start()
    assert not (tmp_path / "tmux.sock").exists()


def test_server_that_ends_before_it_answers_is_an_error_at_once(tmp_path: Path) -> None:
    child = os.fork()
    if child == 0:
        os._exit(0)
    os.waitid(os.P_PID, child, os.WEXITED | os.WNOWAIT)  # it has ended, and its number is nobody else's yet
    shown = f"ActiveState=active\nMainPID={child}\nInvocationID=abc"
    commands = Commands(start="", show=shown, stop="")
    with pytest.raises(SessionError, match="tmux ended"):
        session(tmp_path, commands).start()
    os.waitpid(child, 0)
    assert any("stop" in told for told in commands.told)


def test_start_that_systemd_is_too_slow_for_is_taken_back(tmp_path: Path) -> None:
    commands = Commands(stop="")
    with pytest.raises(SessionError):
        session(tmp_path, commands).start()
    assert [told[4] for told in commands.told] == ["start", "stop"]
