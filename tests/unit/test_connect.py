"""How hosts are reached: host keys always checked, nothing of a file ever an option of ssh."""

from __future__ import annotations

import base64
import os
import shlex
import stat
import struct
import subprocess
import tempfile
from pathlib import Path

import pytest

from watchbill import connect, lab
from watchbill.connect import Connection, connection, connections, ssh_arguments
from watchbill.directories import control_directory
from watchbill.errors import OperationError
from watchbill.fleet import Fleet, load_fleet
from watchbill.lab import LabTarget

KEY = (
    "ssh-ed25519 "
    + base64.b64encode(struct.pack(">I", 11) + b"ssh-ed25519" + struct.pack(">I", 32) + b"k" * 32).decode()
)
FILE = f"""\
version: 1
fleet: {{name: reach}}
tenants: {{studio: {{uid: 20001, floor: none}}}}
hosts:
  plain: {{address: 192.0.2.1, slots: 1}}
  full: {{address: full.example.org, slots: 1, connect: {{user: ops, port: 2222, host_key: {KEY} root@full}}}}
  root: {{address: "2001:db8::1", slots: 1, connect: {{user: root}}}}
  shell: {{address: shell.example.org, slots: 1, rootless: true, connect: {{user: ana}}}}
  inner: {{address: 198.51.100.7, slots: 1, connect: {{user: ops, jump: full}}}}
  deep: {{address: 198.51.100.8, slots: 1, connect: {{jump: inner}}}}
  here: {{address: local, slots: 1}}
teams: {{app: {{tenant: studio}}}}
roster: []
"""


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Give every test a home of its own, with a blank and a per cent sign in its path."""
    directory = tmp_path / "my 50% home"
    directory.mkdir()
    monkeypatch.setenv("HOME", str(directory))
    monkeypatch.delenv("XDG_CACHE_HOME", raising=False)
    monkeypatch.delenv("XDG_RUNTIME_DIR", raising=False)
    return directory


@pytest.fixture
def fleet(tmp_path: Path) -> Fleet:
    path = tmp_path / "fleet.yaml"
    path.write_text(FILE)
    return load_fleet(path)


def effective(arguments: list[str]) -> dict[str, str]:
    """Return what ssh itself makes of the arguments; a user's own configuration stays out of it."""
    run = subprocess.run(["ssh", "-F", "/dev/null", "-G", *arguments], capture_output=True, text=True, check=True)
    return dict(line.split(" ", 1) for line in run.stdout.splitlines() if " " in line)


@pytest.mark.parametrize("host", ["plain", "full", "root", "shell", "inner", "deep"])
def test_host_keys_are_checked_and_nobody_is_asked(fleet: Fleet, host: str) -> None:
    settings = effective(ssh_arguments(connection(fleet, host)))
    assert settings["stricthostkeychecking"] == "true"
    assert settings["batchmode"] == "yes"
    assert settings["connecttimeout"] == "10"
    assert settings["forwardagent"] == "no"
    assert settings["controlmaster"] == "auto"
    assert settings["controlpersist"] == "60"


def test_user_port_and_address_reach_ssh(fleet: Fleet) -> None:
    settings = effective(ssh_arguments(connection(fleet, "full")))
    assert (settings["user"], settings["port"], settings["hostname"]) == ("ops", "2222", "full.example.org")
    assert effective(ssh_arguments(connection(fleet, "root")))["hostname"] == "2001:db8::1"


def test_unsaid_user_and_port_are_left_to_the_configuration_of_ssh(fleet: Fleet) -> None:
    arguments = ssh_arguments(connection(fleet, "plain"))
    assert not {"-l", "-p", "-i"} & set(arguments)
    assert arguments[-2:] == ["--", "192.0.2.1"]


def test_pinned_key_is_the_only_one_that_counts(fleet: Fleet, home: Path) -> None:
    reached = connection(fleet, "full")
    assert reached.known_hosts is not None
    assert reached.known_hosts.read_text() == f"{reached.host_key_alias} {KEY}\n"
    assert stat.S_IMODE(reached.known_hosts.stat().st_mode) == 0o600
    assert stat.S_IMODE(reached.known_hosts.parent.stat().st_mode) == 0o700
    assert reached.known_hosts.is_relative_to(home)
    settings = effective(ssh_arguments(reached))
    assert settings["globalknownhostsfile"] == "/dev/null"
    assert settings["hostkeyalias"] == "reach.full.watchbill"
    assert settings["updatehostkeys"] == "false"
    # ssh -G shows the file as given; that ssh finds the key in it, ssh-keygen says.
    found = subprocess.run(
        ["ssh-keygen", "-F", str(reached.host_key_alias), "-f", str(reached.known_hosts)],
        capture_output=True,
        check=True,
    )
    assert KEY.encode() in found.stdout


def test_another_pinned_key_is_another_file_and_another_connection(fleet: Fleet, tmp_path: Path) -> None:
    other = tmp_path / "other.yaml"
    other.write_text(FILE.replace(KEY, KEY[:-8] + "bGxsbGw="[:8]))
    one, two = connection(fleet, "full"), connection(load_fleet(other), "full")
    assert one.known_hosts != two.known_hosts
    assert effective(ssh_arguments(one))["controlpath"] != effective(ssh_arguments(two))["controlpath"]


def test_tampered_known_hosts_is_written_anew(fleet: Fleet) -> None:
    path = connection(fleet, "full").known_hosts
    assert path is not None
    path.write_text("something else\n")
    connection(fleet, "full")
    assert KEY in path.read_text()
    assert [entry.name for entry in path.parent.iterdir()] == [path.name]


def test_jump_host_is_checked_by_its_own_pinned_key(fleet: Fleet) -> None:
    inner = connection(fleet, "inner")
    assert inner.jump is not None
    assert inner.jump.address == "full.example.org"
    command = effective(ssh_arguments(inner))["proxycommand"]
    words = shlex.split(command.replace("%%", "%"))
    assert words[0] == "ssh"
    settings = effective(words[1:])
    assert (settings["hostname"], settings["port"], settings["user"]) == ("full.example.org", "2222", "ops")
    assert settings["stricthostkeychecking"] == "true"
    assert settings["hostkeyalias"] == "reach.full.watchbill"
    assert words[words.index("-W") + 1] == "[198.51.100.7]:22"


def test_chain_of_jumps_survives_two_levels_of_quoting(fleet: Fleet) -> None:
    outer = shlex.split(effective(ssh_arguments(connection(fleet, "deep")))["proxycommand"].replace("%%", "%"))
    assert outer[-1] == "198.51.100.7"
    proxy = next(word for word in outer if word.startswith("ProxyCommand="))
    inner = shlex.split(proxy.removeprefix("ProxyCommand=").replace("%%", "%"))
    assert inner[-1] == "full.example.org"
    assert "StrictHostKeyChecking=yes" in inner
    known = next(word for word in inner if word.startswith("UserKnownHostsFile="))
    assert known.removeprefix("UserKnownHostsFile=").strip('"').replace("%%", "%") == str(
        connection(fleet, "full").known_hosts
    )


def test_root_is_taken_only_where_it_is_needed(fleet: Fleet, monkeypatch: pytest.MonkeyPatch) -> None:
    becomes = {host: reached.become for host, reached in connections(fleet).items() if host != "here"}
    assert becomes == {"plain": True, "full": True, "root": False, "shell": False, "inner": True, "deep": True}
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    assert connection(fleet, "here").become is True
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    assert connection(fleet, "here").become is False


def test_local_host_has_no_connection(fleet: Fleet) -> None:
    here = connection(fleet, "here")
    assert here.local
    with pytest.raises(OperationError):
        ssh_arguments(here)


def test_unknown_host_is_an_error(fleet: Fleet) -> None:
    with pytest.raises(OperationError) as caught:
        connection(fleet, "plian")
    assert 'did you mean "plain"?' in caught.value.hint


@pytest.mark.parametrize("length", [0, 200])
def test_control_path_is_short_and_private_however_long_the_home(
    fleet: Fleet, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, length: int
) -> None:
    if length:
        monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / ("x" * length)))
    path = effective(ssh_arguments(connection(fleet, "plain")))["controlpath"].replace("%%", "%")
    assert len(os.fsencode(path.strip('"'))) < 100 - 12
    assert stat.S_IMODE(control_directory().stat().st_mode) == 0o700


def test_control_directory_of_somebody_else_is_not_used(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    runtime = Path("/tmp") / f"wb-{os.getpid()}"
    runtime.mkdir(mode=0o700)
    try:
        monkeypatch.setenv("XDG_RUNTIME_DIR", str(runtime))
        assert control_directory() == runtime / "watchbill-ssh"
        (runtime / "watchbill-ssh").chmod(0o777)
        assert stat.S_IMODE(control_directory().stat().st_mode) == 0o700
        (runtime / "watchbill-ssh").rmdir()
        (runtime / "watchbill-ssh").symlink_to(tmp_path)
        assert control_directory() != runtime / "watchbill-ssh"
        (runtime / "watchbill-ssh").unlink()
    finally:
        runtime.rmdir()


@pytest.mark.parametrize(
    "hostile",
    [
        Connection("-oProxyCommand=id"),
        Connection("a b"),
        Connection("a;id"),
        Connection("$(id)"),
        Connection(""),
        Connection("host", user="-oProxyCommand=id"),
        Connection("host", user="a b"),
        Connection("host", jump=Connection("-oProxyCommand=id")),
        Connection("host", known_hosts=Path('/tmp/a" ProxyCommand=id "')),
        Connection("host", known_hosts=Path("/tmp/${HOME}/x")),
    ],
)
def test_nothing_becomes_an_option_of_ssh(hostile: Connection) -> None:
    with pytest.raises(OperationError):
        ssh_arguments(hostile)


def test_lab_stand_ins_are_reached_by_the_keys_of_the_lab(
    fleet: Fleet, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    key, known = home / "key", Path("/lab/known_hosts")
    key.write_text("not read here")
    stand_ins = {host: LabTarget(host, "10.77.0.9", key, known) for host in fleet.hosts if host != "deep"}
    monkeypatch.setattr(lab, "targets", lambda name: stand_ins)
    inner = connection(fleet, "inner", lab=True)
    assert (inner.address, inner.user, inner.port, inner.jump, inner.become) == ("10.77.0.9", "root", 22, None, False)
    settings = effective(ssh_arguments(inner))
    assert settings["identityfile"].replace("%%", "%") == str(key)
    assert settings["identitiesonly"] == "yes"
    assert settings["stricthostkeychecking"] == "true"
    assert settings["userknownhostsfile"].strip('"') == "/lab/known_hosts"
    assert not connection(fleet, "here", lab=True).local
    shell = connection(fleet, "shell", lab=True)
    assert (shell.user, shell.become) == ("ana", False)
    with pytest.raises(OperationError) as caught:
        connection(fleet, "deep", lab=True)
    assert "watchbill lab up" in caught.value.hint


def test_lab_is_asked_once_for_all_hosts(fleet: Fleet, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[str] = []

    def targets(name: str) -> dict[str, LabTarget]:
        asked.append(name)
        return {host: LabTarget(host, "10.77.0.9", Path("/k"), Path("/h")) for host in fleet.hosts}

    monkeypatch.setattr(lab, "targets", targets)
    assert set(connect.connections(fleet, lab=True)) == set(fleet.hosts)
    assert asked == ["reach"]


@pytest.mark.skipif(os.geteuid() != 0, reason="needs root to give a directory away")
def test_root_puts_no_socket_below_a_directory_of_somebody_else(monkeypatch: pytest.MonkeyPatch) -> None:
    with tempfile.TemporaryDirectory(prefix="wb-", dir="/tmp") as login:
        os.chown(login, 65534, 65534)
        monkeypatch.setenv("XDG_RUNTIME_DIR", login)
        assert not control_directory().is_relative_to(login)
        assert os.listdir(login) == []
