"""The lines that one `ps` opened serve the next one, with what the fleet file says by then."""

from __future__ import annotations

import json
import os
import re
import resource
import select
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import Barrier
from typing import Any

import pytest

import watchbill.standby
from tests.unit.ops.answers import answers_with
from tests.unit.ops.test_poller import connections, says, serves
from watchbill.ops import standby
from watchbill.standby import socket_path


@pytest.fixture
def fleet(fleet_file: Path, hosts: Path) -> Iterator[Path]:
    for address, name in (("192.0.2.11", "coder0"), ("192.0.2.12", "writer"), ("192.0.2.13", "guest")):
        serves(hosts, address, name)
    yield fleet_file
    standby.end(fleet_file, lab=False)


def ps(fleet: Path, *arguments: str, status: int = 0, **environment: str) -> list[dict[str, Any]]:
    command = [sys.executable, "-m", "watchbill", "ps", "-f", str(fleet), "--json", *arguments]
    done = subprocess.run(
        command, env=os.environ | environment, capture_output=True, text=True, timeout=120, check=False
    )
    assert done.returncode == status, done.stderr
    return json.loads(done.stdout) if done.stdout else []


def asked(rows: list[dict[str, Any]], name: str = "coder0") -> int:
    """Return how many questions the connection of an agent's host had."""
    return int(next(row["restarts"] for row in rows if row["name"] == name))


def test_second_ps_uses_the_connections_of_the_first(fleet: Path, hosts: Path) -> None:
    assert [asked(ps(fleet)) for _ in range(3)] == [1, 2, 3]
    assert connections(hosts, "192.0.2.11") == 1


def test_limit_and_filters_choose_among_the_same_connections(fleet: Path, hosts: Path) -> None:
    assert asked(ps(fleet)) == 1
    assert {row["host"] for row in ps(fleet, "--limit", "attic")} == {"attic"}
    assert [row["name"] for row in ps(fleet, "--role", "research")] == ["writer"]
    assert connections(hosts, "192.0.2.12") == 1


def test_fleet_file_is_read_again_when_it_changed(fleet: Path, hosts: Path) -> None:
    assert asked(ps(fleet)) == 1
    fleet.write_text(fleet.read_text().replace("count: 2", "count: 3"))
    rows = ps(fleet)
    assert "coder2" in {row["name"] for row in rows}
    assert (asked(rows), connections(hosts, "192.0.2.11")) == (2, 1), "its hosts are the same"


def test_host_that_is_reached_another_way_is_connected_anew(fleet: Path, hosts: Path) -> None:
    assert asked(ps(fleet)) == 1
    fleet.write_text(fleet.read_text().replace("user: admin", "user: root"))
    assert asked(ps(fleet)) == 1
    assert (connections(hosts, "192.0.2.11"), connections(hosts, "192.0.2.12")) == (2, 1)


def test_mistake_in_the_fleet_file_is_told_as_ever(fleet: Path) -> None:
    ps(fleet)
    good = fleet.read_text()
    fleet.write_text(good.replace("team: app", "team: ap"))
    ps(fleet, status=1)
    fleet.write_text(good)
    assert asked(ps(fleet)) == 2


def test_nobody_stays_behind_where_it_is_switched_off(fleet: Path, hosts: Path) -> None:
    for _ in range(2):
        assert asked(ps(fleet, WATCHBILL_STANDBY="0")) == 1
    assert connections(hosts, "192.0.2.11") == 2


def test_nobody_stays_behind_for_this_machine_alone(fleet: Path, hosts: Path, tmp_path: Path) -> None:
    sudo = hosts.parent / "bin" / "sudo"
    sudo.write_text(f"#!/bin/bash\nn=0; while read -r l; do n=$((n + 1)); {says('coder0', '$n')}; done\n")
    sudo.chmod(0o755)
    fleet.write_text(re.sub(r"(?ms)^  attic.*?(?=^teams)", "", fleet.read_text()).replace("192.0.2.11", "local"))
    fleet.write_text(re.sub(r"(?m)^  - .name: writer.*\n|connect: .user: admin.", "", fleet.read_text()))
    ps(fleet)
    assert not Path(socket_path(fleet, lab=False)).exists()


def told(fleet: Path, words: list[str], standby: bool, **environment: str) -> tuple[int, str, str]:
    """Return how a command ended and what it printed, and assert who ran it: only who runs one imports typer."""
    command = [sys.executable, "-X", "importtime", "-m", "watchbill", *words]
    variables = os.environ | environment | ({} if standby else {"WATCHBILL_STANDBY": "0"})
    done = subprocess.run(
        command, env=variables, cwd=fleet.parent, capture_output=True, text=True, timeout=120, check=False
    )
    imports = [line for line in done.stderr.splitlines() if line.startswith("import time:")]
    assert any(line.endswith("typer") for line in imports) != standby
    return done.returncode, done.stdout, "\n".join(line for line in done.stderr.splitlines() if line not in imports)


@pytest.mark.parametrize(
    "words",
    [
        ["ps"],
        ["-f", "./fleet.yaml", "ps", "--wide", "--limit=attic,lap"],
        ["ps", "--role", "research", "--json"],
        ["overview"],
        ["ps", "--team", "ap"],
        ["--json", "ps", "--nonsense"],
        ["ps", "--help"],
    ],
    ids=" ".join,
)
def test_command_is_run_by_who_is_on_standby_and_nobody_sees_a_difference(fleet: Path, words: list[str]) -> None:
    expected = told(fleet, words, standby=False)
    ps(fleet)
    code, output, errors = told(fleet, words, standby=True)
    assert (code, re.sub(r'"restarts": 2', '"restarts": 1', output), errors) == expected


def test_variables_are_those_of_who_asks(fleet: Path) -> None:
    ps(fleet)
    assert "\x1b[" not in told(fleet, ["ps"], standby=True)[1]
    assert "\x1b[" in told(fleet, ["ps"], standby=True, FORCE_COLOR="1", TERM="xterm")[1]
    assert "\x1b[" not in told(fleet, ["ps"], standby=True)[1]


@pytest.mark.parametrize("words", [["ps", "--watch"], ["ps", "-lw"]], ids=" ".join)
def test_what_goes_on_is_not_run_there(fleet: Path, words: list[str]) -> None:
    ps(fleet)
    assert told(fleet, [*words, "--team", "ap"], standby=False)[0] == 1
    assert asked(ps(fleet)) == 2, "nobody was there"
    command = [sys.executable, "-X", "importtime", "-m", "watchbill", *words, "--team", "ap"]
    done = subprocess.run(command, cwd=fleet.parent, capture_output=True, text=True, timeout=120, check=False)
    assert "typer" in done.stderr


def test_interruption_reaches_the_command_wherever_it_runs(fleet: Path, hosts: Path) -> None:
    asked_again, go_on = hosts / "asked-again", hosts / "go-on"
    os.mkfifo(asked_again)
    wait = f"echo >{asked_again}; until test -e {go_on}; do sleep 0.02; done"
    answers_with(hosts, "192.0.2.12", f"read -r l; {says('writer', '1')}; read -r l; {wait}; {says('writer', '2')}")
    ps(fleet)
    command = [sys.executable, "-m", "watchbill", "ps", "-f", str(fleet)]
    client = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    asked_again.read_text()
    client.send_signal(signal.SIGINT)
    assert client.wait(60) == 130, "it does not wait for the host"
    go_on.touch()
    assert client.communicate(timeout=120) == ("", "")


def test_program_that_has_changed_is_not_asked_again(fleet: Path, tmp_path: Path) -> None:
    program = tmp_path / "program.py"
    program.touch()
    plant = f"import sys, types; sys.modules['watchbill.x'] = x = types.ModuleType('x'); x.__file__ = {str(program)!r}"
    script = f"{plant}; from watchbill.cli import main; main()"

    def looks() -> int:
        words = [sys.executable, "-c", script, "ps", "-f", str(fleet), "--json"]
        return asked(json.loads(subprocess.run(words, timeout=120, check=True, capture_output=True).stdout))

    assert [looks(), looks()] == [1, 2]
    os.utime(program, ns=(1, 1))
    assert looks() == 1
    os.utime(program, ns=(2, 2))  # while who was left behind may still be about to begin
    assert [looks(), looks()] == [1, 2]


def test_who_reaches_hosts_in_another_way_has_another_one(fleet: Path, hosts: Path) -> None:
    assert asked(ps(fleet)) == 1
    try:
        assert asked(ps(fleet, SSH_AUTH_SOCK="/elsewhere")) == 1
    finally:
        os.environ["SSH_AUTH_SOCK"] = "/elsewhere"
        standby.end(fleet, lab=False)
        del os.environ["SSH_AUTH_SOCK"]


def test_lock_that_the_caller_has_is_not_held_by_who_stays_behind(fleet: Path, tmp_path: Path) -> None:
    lock = tmp_path / "lock"
    script = 'exec 9>"$1"; flock 9; "$2" -m watchbill ps -f "$3" --json >/dev/null; exec 9>&-; flock -n "$1" true'
    words = ["bash", "-c", script, "bash", str(lock), sys.executable, str(fleet)]
    assert subprocess.run(words, timeout=120, check=False).returncode == 0
    assert asked(ps(fleet)) == 2, "somebody stayed"


def test_connection_that_does_not_end_by_itself_ends_with_who_stayed_behind(fleet: Path, hosts: Path) -> None:
    pid = hosts / "pid"
    answers_with(hosts, "192.0.2.12", f"echo $$ >{pid}; read -r l; {says('writer', '1')}; read -r l; exec sleep 600")
    ps(fleet)
    handle = os.pidfd_open(int(pid.read_text()))
    try:
        standby.end(fleet, lab=False)
        assert select.select([handle], [], [], 60)[0], "it goes on"
    finally:
        os.close(handle)


def test_one_that_was_killed_is_missed_by_nobody(fleet: Path, hosts: Path) -> None:
    ps(fleet)
    standby.end(fleet, lab=False)
    path = Path(socket_path(fleet, lab=False))
    assert not path.exists(), "whoever comes next may listen there"
    path.touch()
    assert asked(ps(fleet)) == 1
    assert asked(ps(fleet)) == 2


def test_file_is_the_one_that_was_asked_for_wherever_a_link_leads_by_now(fleet: Path) -> None:
    older, newer, link = (fleet.parent / name for name in ("older", "newer", "current"))
    for folder, name in ((older, "coder"), (newer, "clerk")):
        folder.mkdir()
        (folder / "fleet.yaml").write_text(fleet.read_text().replace("name: coder,", f"name: {name},"))
    link.symlink_to(older)
    ps(link / "fleet.yaml")
    link.unlink()
    link.symlink_to(newer)
    try:
        assert "clerk0" not in {row["name"] for row in ps(older / "fleet.yaml")}
    finally:
        standby.end(older / "fleet.yaml", lab=False)


def test_of_many_that_stay_behind_at_once_one_listens(tmp_path: Path) -> None:
    for number in range(20):
        path, together = str(tmp_path / str(number)), Barrier(4)

        def listen(_: int, path: str = path, together: Barrier = together) -> socket.socket | None:
            together.wait()
            return standby._listen(path)

        with ThreadPoolExecutor(4) as pool:
            listeners = [listener for listener in pool.map(listen, range(4)) if listener is not None]
        assert len(listeners) == 1
        listeners[0].close()


@pytest.mark.skipif(
    resource.getrlimit(resource.RLIMIT_NOFILE)[1] < 2000, reason="nobody has that many descriptors here"
)
def test_one_with_more_descriptors_than_select_can_take_serves(fleet: Path) -> None:
    crowd = "import os, sys; taken = [os.open(os.devnull, os.O_RDONLY) for _ in range(1100)]; "
    run = f"sys.argv[1:] = ['ps', '-f', {str(fleet)!r}]; from watchbill.cli import main; main()"
    limited = ["bash", "-c", 'ulimit -n 2000 && exec "$@"', "bash", sys.executable, "-c", crowd + run]
    subprocess.run(limited, timeout=120, check=True, capture_output=True)
    assert asked(ps(fleet)) == 2


@pytest.mark.parametrize("closed", ["<&-", ">&-", "2>&-", "<&- >&- 2>&-"])
def test_who_has_closed_an_end_is_served_like_all_others(fleet: Path, closed: str) -> None:
    script = f'exec "$0" -m watchbill ps -f "$1" {closed}'
    for _ in range(2):
        done = subprocess.run(
            ["bash", "-c", script, sys.executable, str(fleet)], capture_output=True, text=True, timeout=120, check=False
        )
        assert (done.returncode, done.stderr) == (0, "")
    assert asked(ps(fleet)) == 3


def test_who_interrupts_again_does_not_wait_for_the_command() -> None:
    class Impatience(Iterator[bytes]):
        def __next__(self) -> bytes:
            raise KeyboardInterrupt

    with subprocess.Popen(["sleep", "60"]) as command:
        assert watchbill.standby._ended(command.pid, Impatience()) == 130
        assert command.wait(50) == -signal.SIGINT


def test_whoever_has_left_by_its_turn_is_not_looked_for(fleet: Path, hosts: Path) -> None:
    asked_again, go_on = hosts / "asked-again", hosts / "go-on"
    os.mkfifo(asked_again)
    wait = f"[ $n != 2 ] || {{ echo >{asked_again}; until test -e {go_on}; do sleep 0.02; done; }}"
    answers_with(hosts, "192.0.2.12", f"n=0; while read -r l; do n=$((n + 1)); {wait}; {says('writer', '$n')}; done")
    ps(fleet)
    with ThreadPoolExecutor() as pool:
        first = pool.submit(ps, fleet)
        asked_again.read_text()
        with socket.socket(socket.AF_UNIX) as line:
            line.connect(socket_path(fleet, lab=False))
            line.sendall(b'{"limit": []}\n')
        go_on.touch()
        assert asked(first.result(60)) == 2
    assert asked(ps(fleet)) == 3


def test_one_that_is_busy_is_not_waited_for_and_holds_nothing_of_ours_open(
    fleet: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(watchbill.standby, "PATIENCE_SECONDS", 0.1)
    monkeypatch.setattr(watchbill.standby, "ANSWER_SECONDS", 0.1)
    with socket.socket(socket.AF_UNIX) as busy:
        busy.bind(socket_path(fleet, lab=False))
        busy.listen()
        assert watchbill.standby.run(["ps", "-f", str(fleet)]) is None
        line, _ = busy.accept()
        with line:
            request, streams, _, _ = socket.recv_fds(line, 1 << 20, 3)
            assert (json.loads(request)["command"], streams) == (["ps", "-f", str(fleet)], [])
