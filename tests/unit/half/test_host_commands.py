"""``watchbill-host`` as a program: one line for a mistake, and its exit codes are those of every command."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from ansible_collections.watchbill.fleet.plugins.module_utils import _host_cli
from ansible_collections.watchbill.fleet.plugins.module_utils._host_commands import applied as _applied_command
from ansible_collections.watchbill.fleet.plugins.module_utils._host_commands import logs as _logs_command
from ansible_collections.watchbill.fleet.plugins.module_utils._layout import Layout

from watchbill.compile import zipapp


@pytest.fixture(scope="module")
def program(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("half") / "watchbill-host.pyz"
    path.write_bytes(zipapp.build())
    return path


@pytest.mark.parametrize(
    "arguments", [["override", "stop"], ["keeper"], ["keeper", "--loud"], ["logs", "../x"], ["run", "x"], []]
)
def test_usage_error_is_1_and_no_traceback(program: Path, arguments: list[str]) -> None:
    done = subprocess.run([sys.executable, program, *arguments], capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert "Traceback" not in done.stderr
    assert "usage: watchbill-host" in done.stderr


def test_help_is_0(program: Path) -> None:
    assert subprocess.run([sys.executable, program, "--help"], capture_output=True, check=False).returncode == 0


def test_reader_that_left_gets_no_traceback(program: Path) -> None:
    reader, writer = os.pipe()
    os.close(reader)
    with open(writer, "wb") as nowhere:
        done = subprocess.run(
            [sys.executable, program, "status"], stdout=nowhere, stderr=subprocess.PIPE, text=True, check=False
        )
    assert (done.returncode, done.stderr) == (1, "")


def applied_here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, content: str | None) -> int:
    layout = Layout.rootless(str(tmp_path), 1000)
    if content is not None:
        os.makedirs(layout.configuration)
        Path(layout.manifest).write_text(content)
    monkeypatch.setattr(_applied_command, "layout_here", lambda: layout)
    return _host_cli.main(["applied"])


def test_applied_is_the_manifest_as_the_last_apply_left_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    manifest = {"generation": 3, "resources": [{"kind": "agent", "name": "a/b"}], "claims": [], "digest": "d"}
    assert applied_here(tmp_path, monkeypatch, json.dumps(manifest)) == 0
    assert json.loads(capsys.readouterr().out) == manifest


def test_host_that_nothing_was_applied_to_says_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert applied_here(tmp_path, monkeypatch, None) == 0
    assert json.loads(capsys.readouterr().out)["generation"] == 0


@pytest.mark.parametrize("content", ["", "{", "[]", '{"generation": "x", "resources": [], "claims": []}'])
def test_manifest_that_cannot_be_read_is_an_error_and_not_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], content: str
) -> None:
    assert applied_here(tmp_path, monkeypatch, content) == 1
    shown = capsys.readouterr()
    assert (shown.out, "is no manifest" in shown.err) == ("", True)


@pytest.mark.parametrize("words", [["messages", "a!/b"], ["send", "a b/c", "hello"], ["messages", "b"]], ids=" ".join)
def test_name_that_no_agent_can_have_is_told_in_one_line(
    words: list[str], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("WATCHBILL_TENANT", "../x")
    assert _host_cli.main(words) == 1
    assert capsys.readouterr().err.startswith("watchbill-host: '")


def test_agent_whose_definition_is_broken_is_told_with_what_mends_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    layout = Layout.rootless(str(tmp_path), 1000)
    monkeypatch.setattr(_logs_command, "layout_here", lambda: layout)
    directory = Path(layout.agent_directory("studio", "coder0"))
    directory.mkdir(parents=True)
    (directory / "definition.json").write_text("{")
    assert _host_cli.main(["logs", "studio/coder0"]) == 1
    assert capsys.readouterr().err.rstrip().endswith("watchbill apply mends it")
