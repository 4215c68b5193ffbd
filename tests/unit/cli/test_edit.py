"""Edits from the command line: what is shown, in a pipe and to programs, and what exit codes say."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from subprocess import CompletedProcess

import pytest

from watchbill.cli import app

Cli = Callable[..., "CompletedProcess[str]"]
GROUPS = ("agent", "host", "team", "project")


def test_an_edit_shows_lines_agents_and_the_next_command(cli: Cli, fleet_file: Path) -> None:
    done = cli("agent", "scale", "coder", "3")
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.splitlines() == [
        "fleet.yaml:12",
        " roster:",
        "-  - {name: coder, count: 2, team: app, role: coder, runtime: stub, host: desk}",
        "+  - {name: coder, count: 3, team: app, role: coder, runtime: stub, host: desk}",
        "   - {name: writer, team: app, role: research, runtime: stub, host: attic}",
        "  +  studio/coder2  on desk",
        "Next: watchbill plan",
    ]
    assert "count: 3" in fleet_file.read_text()


def test_what_leaves_is_told_how_it_is_deleted(cli: Cli) -> None:
    done = cli("agent", "remove", "studio/writer", "-f", "fleet.yaml")
    assert "  -  studio/writer  leaves attic" in done.stdout
    assert (
        "Next: watchbill plan -f fleet.yaml   ·   delete what left: watchbill apply -f fleet.yaml --prune"
        in done.stdout
    )


def test_nothing_to_change_is_one_line(cli: Cli) -> None:
    done = cli("host", "uncordon", "desk")
    assert (done.returncode, done.stdout) == (0, "Nothing to change: desk is not cordoned\n")


@pytest.mark.parametrize("newline", ["\n", "\r\n"], ids=["lf", "crlf"])
def test_a_dry_run_prints_a_patch(cli: Cli, fleet_file: Path, here: Path, newline: str) -> None:
    fleet_file.write_bytes(fleet_file.read_text().replace("\n", newline).encode())
    before = fleet_file.read_bytes()
    command = ["agent", "move", "studio/writer", "desk"]
    arguments = [*command, "--dry-run"]
    shown = subprocess.run([sys.executable, "-m", "watchbill", *arguments], cwd=here, capture_output=True, check=True)
    assert fleet_file.read_bytes() == before
    assert b"studio/writer  attic" in shown.stderr
    apply = ["git", "apply", "-p0", "--whitespace=nowarn", "-"]
    subprocess.run(apply, cwd=here, input=shown.stdout, check=True, env={"PATH": "/usr/bin:/bin", "HOME": str(here)})
    patched = fleet_file.read_bytes()
    fleet_file.write_bytes(before)
    assert cli(*command).returncode == 0
    assert fleet_file.read_bytes() == patched != before


def test_programs_get_one_object(cli: Cli) -> None:
    shown = json.loads(cli("team", "add", "docs", "--tenant", "studio", "--mission", "no", "--json").stdout)
    assert (shown["file"], shown["written"], shown["joined"]) == ("fleet.yaml", True, [])
    assert '+  docs: {tenant: studio, mission: "no"}\n' in shown["diff"]


def test_a_refusal_is_an_error_with_its_place_in_the_text_that_was_not_written(cli: Cli, fleet_file: Path) -> None:
    before = fleet_file.read_text()
    done = cli("host", "add", "third", "--address", "192.0.2.11", "--slots", "1")
    assert done.returncode == 1
    assert done.stderr.startswith("fleet.yaml:9:20: error[duplicate-address]")
    assert "   9 |   third: {address: 192.0.2.11, slots: 1}" in done.stderr
    assert done.stderr.endswith("fleet.yaml is unchanged: with this edit it would be wrong\n")
    [error] = json.loads(cli("host", "cordon", "desk", "--json").stderr)["errors"][:1]
    assert (error["code"], error["line"]) == ("cordoned-host", 13)
    assert fleet_file.read_text() == before


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["agent", "move", "writer"], "say either HOST or --anywhere"),
        (["agent", "move", "writer", "desk", "--anywhere"], "say either HOST or --anywhere"),
        (["host", "add", "x", "--address", "a", "--slots", "1", "--label", "zone"], "is no label"),
        (["host", "add", "x", "--address", "a", "--slots", "1", "--label", "a=b", "--label", "a=c"], "given twice"),
        (["agent", "add", "x"], "--role"),
        (["agent", "scale", "coder", "many"], "valid integer"),
        (["agent", "add", "x", "--role", "coder", "--limit", "desk"], "--limit"),
    ],
)
def test_usage_errors_say_what_is_missing(cli: Cli, arguments: list[str], words: str) -> None:
    done = cli(*arguments)
    assert done.returncode == 1
    assert done.stderr.startswith("error[usage]: ")
    assert words in done.stderr


@pytest.mark.parametrize("group", GROUPS)
def test_a_group_without_a_command_shows_its_help_and_fails(group: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert app.run([group]) == 1
    shown = capsys.readouterr()
    assert shown.out.startswith("Examples:")
    assert shown.err == ""


def test_help_of_every_edit_has_examples_that_are_accepted(capsys: pytest.CaptureFixture[str]) -> None:
    import shlex

    import typer

    from watchbill.cli.options import split_examples

    program = typer.main.get_command(app.app)
    context = program.make_context("watchbill", [], resilient_parsing=True)
    for name in GROUPS:
        group = program.get_command(context, name)
        for command_name, command in group.commands.items():
            examples, _ = split_examples(command.help or "")
            assert len(examples) == 2
            for example in examples:
                words = shlex.split(example)
                assert words[:3] == ["watchbill", name, command_name]
                command.make_context(command_name, words[3:], parent=context)
            assert app.run([name, command_name, "--help"]) == 0
            assert max(map(len, capsys.readouterr().out.splitlines())) <= 100


def test_completion_knows_the_names_of_the_file(completed: Callable[[str], set[str]]) -> None:
    assert completed("watchbill agent scale co") == {"coder"}
    assert completed("watchbill host drain ") == {"desk", "attic"}
    assert completed("watchbill agent move writer a") == {"attic"}
    assert "coder" in completed("watchbill agent add x --role cod")
    assert completed("watchbill team add x --tenant g") == {"guests"}


def test_discovery_shows_a_table_and_what_would_be_written(cli: Cli, here: Path, fleet_file: Path) -> None:
    git = here / "src" / "site" / ".git"
    git.mkdir(parents=True)
    (git / "HEAD").write_text("ref: refs/heads/main\n")
    (git / "config").write_text('[remote "origin"]\n\turl = https://ana:secret@git.example.org/site.git\n')
    shown = cli("project", "discover", "src", "--team", "app")
    assert (shown.returncode, shown.stderr) == (0, "")
    entry = "  site: {team: app, repository: https://git.example.org/site.git, branch: main, path: ~/src/site}"
    assert shown.stdout.splitlines() == [
        "PROJECT       BRANCH  PATH        REPOSITORY",
        "site     new  main    ~/src/site  https://git.example.org/site.git",
        "",
        "projects:",
        entry,
        "",
        "Add them: the same command with --write",
    ]
    before = fleet_file.read_text()
    written = cli("project", "discover", "src", "--team", "app", "--write", "--json")
    assert json.loads(written.stdout)["edited"]["written"] is True
    assert fleet_file.read_text() == before.replace("roster:", f"projects:\n{entry}\nroster:")
    assert "Nothing to change" in cli("project", "discover", "src", "--team", "app", "--write").stdout
    assert "secret" not in shown.stdout + written.stdout


@pytest.mark.parametrize(
    ("option", "said"),
    [
        ([], "No git repository was found.\n"),
        (["--write"], "Nothing to change: no git repository was found\n"),
    ],
)
def test_discovery_that_finds_nothing_says_so_once(cli: Cli, here: Path, option: list[str], said: str) -> None:
    (here / "src").mkdir()
    assert cli("project", "discover", "src", "--team", "app", *option).stdout == said
