"""Foreign things on Watchbill's names: all of them are found, nothing else is, and what is removed is kept."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest
from ansible_collections.watchbill.fleet.plugins.module_utils._tenant import strays_in, take_away, unit_digests


@pytest.fixture
def units(tmp_path: Path) -> Path:
    directory = tmp_path / "user"
    (directory / "watchbill-agent@coder0.service.d").mkdir(parents=True)
    (directory / "watchbill-agent@coder0.service.d" / "x.conf").write_text("[Service]\nEnvironment=EVIL=1\n")
    (directory / "watchbill-session@coder0.service").symlink_to("/dev/null")
    (directory / "watchbill-evil.service").write_text("[Service]\n")
    (directory / "default.target.wants").mkdir()
    (directory / "default.target.wants" / "watchbill-evil.service").symlink_to("../watchbill-evil.service")
    (directory / "default.target.wants" / "backup.service").symlink_to("../backup.service")
    (directory / "backup.service").write_text("[Service]\n")
    (directory / "pipewire.service.d").mkdir()
    (directory / "pipewire.service.d" / "x.conf").write_text("")
    return directory


def test_masks_drop_ins_units_and_links_are_found_and_foreign_names_are_not(units: Path) -> None:
    found = {stray["name"].removeprefix(str(units) + "/"): stray["what"] for stray in strays_in([str(units)])}
    assert found == {
        "watchbill-agent@coder0.service.d/x.conf": "drop-in",
        "watchbill-agent@coder0.service.d": "directory",
        "watchbill-session@coder0.service": "mask",
        "watchbill-evil.service": "unit",
        "default.target.wants/watchbill-evil.service": "link",
    }


def test_what_goes_while_somebody_looks_is_none(units: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "listdir", lambda directory: ["watchbill-agent@coder0.service.new"])
    assert strays_in([str(units)]) == []


def test_every_stray_can_be_taken_away_in_the_order_found_and_the_rest_stays(units: Path) -> None:
    for stray in strays_in([str(units)]):
        take_away(stray["name"])
    assert strays_in([str(units)]) == []
    assert sorted(path.name for path in units.rglob("*")) == [
        "backup.service",
        "backup.service",
        "default.target.wants",
        "pipewire.service.d",
        "x.conf",
    ]


def test_directories_within_directories_do_not_stop_an_apply_for_ever(units: Path) -> None:
    deep = units / "watchbill-agent@coder0.service.d" / "one" / "two"
    deep.mkdir(parents=True)
    (deep / "x").write_text("")
    (deep / "elsewhere").symlink_to("/")
    for stray in strays_in([str(units)]):
        take_away(stray["name"])
    assert strays_in([str(units)]) == []
    assert os.path.isdir("/etc"), "a link is removed, what it points to is not looked at"


def test_bytes_of_a_foreign_file_are_kept_as_they_are(units: Path) -> None:
    path = units / "watchbill-binary.service"
    path.write_bytes(b"\xff\x00\x1b[2J")
    content = take_away(str(path))["content"]
    assert json.loads(json.dumps(content)).encode("utf-8", "surrogateescape") == b"\xff\x00\x1b[2J"


def test_large_foreign_file_does_not_fill_the_backup(units: Path) -> None:
    path = units / "watchbill-large.service"
    path.write_bytes(b"x" * (64 * 1024 + 1))
    assert take_away(str(path))["content"].startswith("(not kept: ")


def test_what_is_taken_away_is_handed_back_for_the_backup(units: Path) -> None:
    assert take_away(str(units / "watchbill-session@coder0.service")) == {"kind": "link", "content": "/dev/null"}
    drop_in = take_away(str(units / "watchbill-agent@coder0.service.d" / "x.conf"))
    assert drop_in == {"kind": "file", "content": "[Service]\nEnvironment=EVIL=1\n"}
    assert take_away(str(units / "gone")) == {"kind": "gone", "content": ""}


def test_digests_call_a_link_in_place_of_a_generated_unit_foreign(units: Path) -> None:
    os.symlink("/etc/passwd", units / "watchbill-agent@coder0.service")
    digests = unit_digests(str(units))
    assert digests["watchbill-agent@coder0.service"] == "foreign"
    assert len(digests["watchbill-evil.service"]) == 64
    assert "backup.service" not in digests
