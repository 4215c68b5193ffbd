"""`render` writes what each host would get, twice the same, and never over something it did not write."""

from __future__ import annotations

import hashlib
import json
import os
from pathlib import Path

import pytest

from watchbill.errors import OperationError
from watchbill.ops.render import render
from watchbill.ops.target import Target, load_target


def tree(directory: Path) -> dict[str, str]:
    """Return every file below a directory with its content's digest or its target."""
    found = {}
    for path in sorted(directory.rglob("*")):
        name = str(path.relative_to(directory))
        if path.is_symlink():
            found[name] = "→ " + os.readlink(path)
        elif path.is_file():
            found[name] = hashlib.sha256(path.read_bytes()).hexdigest()
    return found


def test_every_file_of_the_manifest_is_written_where_the_host_has_it(target: Target, tmp_path: Path) -> None:
    out = tmp_path / "out"
    render(target, out)
    written = tree(out)
    manifest = json.loads((out / "desk" / "manifest.json").read_text())
    files = [resource for resource in manifest["resources"] if resource["kind"] == "file"]
    assert files
    for resource in files:
        expected = f"→ {resource['target']}" if "target" in resource else resource["sha256"]
        assert written[f"desk{resource['name']}"] == expected
    assert "desk/etc/watchbill/agents/studio/coder0/definition.json" in written
    assert "attic/etc/watchbill/agents/studio/writer/definition.json" in written


def test_rootless_files_are_below_the_home_sign(target: Target, tmp_path: Path) -> None:
    render(target, tmp_path / "out")
    assert (tmp_path / "out" / "lap" / "~" / ".config" / "watchbill").is_dir()


def test_same_fleet_gives_the_same_bytes(target: Target, tmp_path: Path) -> None:
    render(target, tmp_path / "one")
    render(target, tmp_path / "two")
    assert tree(tmp_path / "one") == tree(tmp_path / "two")


def test_agent_that_left_the_fleet_leaves_the_tree(target: Target, fleet_file: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    render(target, out)
    fleet_file.write_text(fleet_file.read_text().replace("count: 2", "count: 1"))
    removed = render(load_target(fleet_file), out).removed
    assert removed > 0
    assert not (out / "desk/etc/watchbill/agents/studio/coder1").exists()
    assert (out / "desk/etc/watchbill/agents/studio/coder0/definition.json").exists()


def test_limited_render_leaves_the_other_hosts_alone(target: Target, fleet_file: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    render(target, out)
    before = tree(out)
    assert render(load_target(fleet_file, limit=["desk"]), out).removed == 0
    assert {name for name in before if name.startswith("attic/")} <= set(tree(out))


def test_foreign_directory_is_refused_and_left_as_it_is(target: Target, tmp_path: Path) -> None:
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "thesis.txt").write_text("years of work")
    with pytest.raises(OperationError, match="not empty"):
        render(target, tmp_path / "out")
    assert list((tmp_path / "out").iterdir()) == [tmp_path / "out" / "thesis.txt"]


def test_files_somebody_put_beside_ours_stay(target: Target, tmp_path: Path) -> None:
    out = tmp_path / "out"
    render(target, out)
    (out / "desk" / "notes.txt").write_text("mine")
    render(target, out)
    assert (out / "desk" / "notes.txt").read_text() == "mine"


@pytest.mark.parametrize("name", ["../victim", "/etc/passwd", "desk/../../victim"])
def test_a_forged_marker_removes_nothing_outside(target: Target, tmp_path: Path, name: str) -> None:
    out, victim = tmp_path / "out", tmp_path / "victim"
    victim.write_text("keep")
    render(target, out)
    marker = out / ".watchbill-render.json"
    content = json.loads(marker.read_text())
    content["files"].append(name)
    marker.write_text(json.dumps(content))
    render(target, out)
    assert victim.read_text() == "keep"


@pytest.mark.parametrize("place", ["desk", "desk/usr/local/bin"])
def test_a_planted_link_leads_nowhere_outside(target: Target, tmp_path: Path, place: str) -> None:
    out, outside = tmp_path / "out", tmp_path / "outside"
    outside.mkdir()
    render(target, out)
    (out / place).rename(tmp_path / "away")
    (out / place).symlink_to(outside)
    with pytest.raises(OperationError, match="leads out of"):
        render(target, out)
    assert list(outside.iterdir()) == []


def test_place_that_cannot_be_written_is_an_error_with_its_name(target: Target, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(OperationError, match=r"file/below.*: Not a directory") as caught:
        render(target, tmp_path / "file" / "below")
    assert caught.value.code == "cannot-write"
