"""Debian's own archives are found in every form of sources.list; others are left out."""

from __future__ import annotations

from pathlib import Path

import pytest

from watchbill.lab.archives import KEYRING, Archive, control_archives, parse_deb822, render

DEBIAN = 'ID=debian\nVERSION_CODENAME=bookworm\nPRETTY_NAME="Debian"\n'
MAIN = f"""\
Types: deb deb-src
# a comment in the middle
URIs: http://mirror.example.net/debian
Suites: bookworm bookworm-updates
Components: main contrib
Signed-By: {KEYRING}

Types: deb
URIs: http://security.debian.org/debian-security
Suites: bookworm-security
Components: main
"""


@pytest.fixture
def apt(tmp_path: Path) -> Path:
    (tmp_path / "sources.list.d").mkdir()
    (tmp_path / "os-release").write_text(DEBIAN)
    return tmp_path


def found(apt: Path) -> list[tuple[str, str]]:
    suite, archives = control_archives(apt, apt / "os-release")
    assert any(archive.suite == suite for archive in archives)
    return [(archive.uri, archive.suite) for archive in archives]


def test_deb822_sources_give_every_suite(apt: Path) -> None:
    (apt / "sources.list.d/debian.sources").write_text(MAIN)
    assert found(apt) == [
        ("http://mirror.example.net/debian", "bookworm"),
        ("http://security.debian.org/debian-security", "bookworm-security"),
        ("http://mirror.example.net/debian", "bookworm-updates"),
    ]


def test_one_line_sources_with_options_and_comments(apt: Path) -> None:
    (apt / "sources.list").write_text(
        "# deb http://off.example.net/debian bookworm main\n"
        f"deb [arch=amd64 signed-by={KEYRING}] http://mirror.example.net/debian bookworm main # ours\n"
        "deb-src http://mirror.example.net/debian bookworm main\n"
    )
    assert found(apt) == [("http://mirror.example.net/debian", "bookworm")]


@pytest.mark.parametrize(
    "line",
    [
        "deb https://download.docker.com/linux/debian bookworm stable",
        "deb https://apt.postgresql.org/pub/repos/apt bookworm-pgdg main",
        "deb [signed-by=/etc/apt/keyrings/vendor.gpg] https://vendor.example.org/debian bookworm main",
        "deb https://vendor.example.org/packages bookworm main",
        "deb cdrom:[Debian]/ bookworm main",
        "deb http://mirror.example.net/debian trixie main",
    ],
)
def test_third_party_archive_is_left_out(apt: Path, line: str) -> None:
    (apt / "sources.list").write_text(f"{line}\ndeb http://mirror.example.net/debian bookworm main\n")
    assert found(apt) == [("http://mirror.example.net/debian", "bookworm")]


def test_disabled_stanza_is_left_out() -> None:
    assert parse_deb822("Enabled: no\n" + MAIN)[0].suite == "bookworm-security"


def test_machine_without_usable_sources_gets_debians_own(apt: Path) -> None:
    assert ("http://deb.debian.org/debian", "bookworm") in found(apt)


def test_machine_that_is_not_debian_gets_the_default_suite(apt: Path) -> None:
    (apt / "os-release").write_text("ID=ubuntu\nVERSION_CODENAME=noble\n")
    (apt / "sources.list").write_text("deb http://archive.ubuntu.com/ubuntu noble main\n")
    assert ("http://deb.debian.org/debian", "bookworm") in found(apt)


def test_rendered_sources_read_back() -> None:
    archive = Archive("http://mirror.example.net/debian", "bookworm", ("main", "contrib"), KEYRING)
    assert parse_deb822(render([archive, archive])) == [archive, archive]
