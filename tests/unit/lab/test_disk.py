"""What a machine is given of its own before it boots."""

from __future__ import annotations

import stat
from pathlib import Path

import pytest

from watchbill.lab.addresses import CONTROL
from watchbill.lab.disk import UpperLayer, apt_settings, resolver


def test_directory_in_the_layer_keeps_the_mode_of_the_base(tmp_path: Path) -> None:
    (tmp_path / "base/root").mkdir(parents=True)
    (tmp_path / "base/root").chmod(0o700)
    (tmp_path / "upper").mkdir()
    UpperLayer(tmp_path / "upper", tmp_path / "base").write("root/.ssh/authorized_keys", "key\n", 0o600)
    assert stat.S_IMODE((tmp_path / "upper/root").stat().st_mode) == 0o700
    assert stat.S_IMODE((tmp_path / "upper/root/.ssh/authorized_keys").stat().st_mode) == 0o600


def test_file_is_never_written_through_a_link(tmp_path: Path) -> None:
    (tmp_path / "outside").write_text("mine")
    (tmp_path / "upper").mkdir()
    (tmp_path / "upper/hosts").symlink_to(tmp_path / "outside")
    with pytest.raises(FileExistsError):
        UpperLayer(tmp_path / "upper", tmp_path).write("hosts", "theirs")
    assert (tmp_path / "outside").read_text() == "mine"


def test_loopback_name_server_is_replaced_by_the_real_ones(tmp_path: Path) -> None:
    stub, real = tmp_path / "stub", tmp_path / "real"
    stub.write_text("nameserver 127.0.0.53\n")
    real.write_text("nameserver 192.0.2.53\nnameserver ::1\n")
    text = resolver((str(stub), str(tmp_path / "missing"), str(real)))
    assert text == "nameserver 192.0.2.53\noptions timeout:1 attempts:2\n"


def test_no_reachable_name_server_gives_an_empty_file(tmp_path: Path) -> None:
    (tmp_path / "stub").write_text("search example.org\nnameserver ::1\n")
    assert resolver((str(tmp_path / "stub"),)) == ""


def test_proxy_of_apt_is_copied_and_taste_is_not() -> None:
    dump = (
        'Acquire::http::Proxy "http://cache.example.net:3142";\n'
        'Acquire::http::Proxy::deb.example.org "DIRECT";\n'
        'Acquire::Check-Valid-Until "false";\n'
        'APT::Install-Recommends "false";\n'
        'Acquire::Changelogs::AlwaysOnline "";\n'
    )
    assert apt_settings(dump, {}).splitlines() == dump.splitlines()[:3]


def test_proxy_on_loopback_is_reached_by_the_control_machine() -> None:
    dump = 'Acquire::http::Proxy "http://localhost:3142";\nAcquire::https::Proxy "http://[::1]:3142";\n'
    assert apt_settings(dump, {}).count(f"http://{CONTROL}:3142") == 2


def test_proxy_of_the_environment_serves_where_apt_has_none() -> None:
    environment = {"http_proxy": "http://proxy.example.net:8080"}
    assert 'Acquire::http::Proxy "http://proxy.example.net:8080";' in apt_settings("", environment)
    own = 'Acquire::http::Proxy "http://cache.example.net:3142";\n'
    assert apt_settings(own, environment) == own
