"""Base image, network rules and requirements, as far as they go without a machine."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest

from watchbill import retry
from watchbill.errors import OperationError
from watchbill.lab import base, commands, network
from watchbill.lab.archives import Archive
from watchbill.lab.record import Store

SOURCES = [Archive("http://mirror.example.net/debian", "bookworm", ("main",))]


def pretend_to_build(monkeypatch: pytest.MonkeyPatch, *failures: str) -> list[list[str]]:
    """Let the first builds fail like this; return the command lines of all."""
    built: list[list[str]] = []
    monkeypatch.setattr(retry, "PAUSES", (0.0,) * len(retry.PAUSES))

    def follow(arguments: Sequence[str], on_line: Callable[[str], None]) -> None:
        built.append(list(arguments))
        root = Path(arguments[-2])
        for directory in ("etc/ssh/sshd_config.d", "etc/default", "etc/dpkg/dpkg.cfg.d", "var/log"):
            (root / directory).mkdir(parents=True)
        (root / "etc/ssh/ssh_host_rsa_key").write_text("one for everybody")
        if len(built) <= len(failures):
            raise OperationError(failures[len(built) - 1])

    monkeypatch.setattr(commands, "follow", follow)
    return built


def test_image_is_built_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    built = pretend_to_build(monkeypatch)
    store = Store(tmp_path)
    name = base.ensure(store, "bookworm", SOURCES, print)
    assert base.ensure(store, "bookworm", SOURCES, print) == name
    assert len(built) == 1
    assert built[0][-1] == "http://mirror.example.net/debian"


def test_image_that_failed_to_build_is_built_anew(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    store = Store(tmp_path)
    pretend_to_build(monkeypatch, "no room")
    with pytest.raises(OperationError, match="no room"):
        base.ensure(store, "bookworm", SOURCES, print)
    assert not (tmp_path / base.name_of("bookworm")).exists()
    pretend_to_build(monkeypatch)
    name = base.ensure(store, "bookworm", SOURCES, print)
    assert [path.name for path in tmp_path.glob("base-*")] == [name]


def test_mirror_that_is_busy_for_a_moment_is_asked_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    failures = ("debootstrap failed: E: Failed getting release file", "debootstrap failed: E: Couldn't download dpkg")
    built = pretend_to_build(monkeypatch, *failures)
    assert (tmp_path / base.ensure(Store(tmp_path), "bookworm", SOURCES, print)).is_dir()
    assert len(built) == 3


def test_image_has_no_host_key_of_its_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pretend_to_build(monkeypatch)
    image = tmp_path / base.ensure(Store(tmp_path), "bookworm", SOURCES, print)
    assert not list((image / "etc/ssh").glob("ssh_host_*"))


def test_another_recipe_is_another_image(monkeypatch: pytest.MonkeyPatch) -> None:
    before = base.name_of("bookworm")
    assert base.name_of("trixie") != before
    monkeypatch.setattr(base, "PACKAGES", (*base.PACKAGES, "git"))
    assert base.name_of("bookworm") != before


def test_images_that_machines_lie_on_are_kept(tmp_path: Path) -> None:
    for name in ("base-old", "base-used", "base-new"):
        (tmp_path / name).mkdir()
    base.remove_unused(Store(tmp_path), {"base-used", "base-new"})
    assert sorted(path.name for path in tmp_path.iterdir()) == ["base-new", "base-used"]


def test_lab_makes_no_router_of_a_machine_that_was_none() -> None:
    forward = str(network.FORWARD)
    assert "policy drop" in network.rules({forward: "0"})
    assert "policy drop" not in network.rules({forward: "1"})


@pytest.fixture
def kernel(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> tuple[Path, Path]:
    forward, inotify = tmp_path / "ip_forward", tmp_path / "max_user_instances"
    forward.write_text("0\n")
    inotify.write_text("128\n")
    monkeypatch.setattr(network, "FORWARD", forward)
    monkeypatch.setattr(network, "INOTIFY", inotify)
    return forward, inotify


def test_kernel_settings_come_back_as_they_were_before_the_first_lab(tmp_path: Path, kernel: tuple[Path, Path]) -> None:
    forward, inotify = kernel
    store = Store(tmp_path)
    network.change_settings(store)
    network.change_settings(store)
    assert (forward.read_text(), inotify.read_text()) == ("1", "8192")
    network.restore_settings(store)
    assert (forward.read_text(), inotify.read_text()) == ("0", "128")


def test_kernel_settings_of_an_earlier_boot_are_not_put_back(
    tmp_path: Path, kernel: tuple[Path, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    forward, inotify = kernel
    store = Store(tmp_path)
    network.change_settings(store)
    monkeypatch.setattr(network, "control_boot_id", lambda: "after a power cut")
    forward.write_text("1\n")
    inotify.write_text("512\n")
    network.change_settings(store)
    network.restore_settings(store)
    assert (forward.read_text().strip(), inotify.read_text()) == ("1", "512")


def test_higher_limit_is_left_alone(tmp_path: Path, kernel: tuple[Path, Path]) -> None:
    kernel[1].write_text("65536\n")
    network.change_settings(Store(tmp_path))
    assert kernel[1].read_text() == "65536\n"


def test_missing_programs_come_with_the_line_that_installs_them(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(commands, "PATH", str(tmp_path))
    with pytest.raises(OperationError) as caught:
        commands.require_programs()
    assert caught.value.hint.startswith("apt-get install -y debootstrap")
    assert "systemd-container" in caught.value.hint


def test_without_root_the_lab_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    with pytest.raises(OperationError, match="needs root") as caught:
        commands.require_root()
    assert "sudo" in caught.value.hint


def test_failed_command_says_why() -> None:
    with pytest.raises(OperationError, match="No such file"):
        commands.run(["ls", "/does/not/exist"])
