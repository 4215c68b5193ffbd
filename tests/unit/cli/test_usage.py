"""What somebody types wrong costs one glance, exit code 1, and never a traceback."""

from __future__ import annotations

import json
import os
import re
import shlex
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from subprocess import CompletedProcess

import pytest

from watchbill.cli import app, look, main
from watchbill.cli.app import SECTIONS

Cli = Callable[..., "CompletedProcess[str]"]
COMMANDS = [name for names in SECTIONS.values() for name in names]


@pytest.mark.parametrize(
    "arguments",
    [
        ["--nonsense"],
        ["plan", "--nonsense"],
        ["plam"],
        ["show"],
        ["show", "a", "b"],
        ["logs", "coder0", "-n", "many"],
        ["render"],
    ],
    ids=" ".join,
)
def test_usage_error_is_one_line_a_hint_and_exit_code_1(cli: Cli, arguments: list[str]) -> None:
    done = cli(*arguments)
    assert done.returncode == 1
    assert done.stdout == ""
    first, hint = done.stderr.splitlines()
    assert first.startswith("error[usage]: ")
    assert "--help" in hint


@pytest.mark.parametrize(("typed", "meant"), [("plam", "plan"), ("agnet", "agent")])
def test_mistyped_command_is_told_what_it_may_have_meant(cli: Cli, typed: str, meant: str) -> None:
    assert f"Did you mean '{meant}'" in cli(typed).stderr


@pytest.mark.parametrize("name", COMMANDS)
def test_line_in_the_list_of_commands_is_whole(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert app.run(["--help"]) == 0
    line = re.search(rf"^  {name} +(.*(?:\n {{8,}}.*)*)", capsys.readouterr().out, re.MULTILINE)
    assert line is not None
    assert not line[1].endswith("...")


def test_usage_error_as_json(cli: Cli) -> None:
    done = cli("plan", "--json", "--nonsense")
    assert done.returncode == 1
    [error] = json.loads(done.stderr)["errors"]
    assert (error["code"], error["line"]) == ("usage", None)


def test_no_command_shows_the_help_and_fails(cli: Cli) -> None:
    done = cli()
    assert done.returncode == 1
    assert done.stdout.startswith("Examples:")


def test_mistakes_in_the_file_are_shown_with_place_and_caret_all_at_once(cli: Cli, fleet_file: Path) -> None:
    fleet_file.write_text(
        fleet_file.read_text().replace("team: app, role: coder", "team: ap, role: coder") + "rooster: []\n"
    )
    done = cli("validate")
    assert done.returncode == 1
    lines = [line for line in done.stderr.splitlines() if re.match(r"fleet\.yaml:\d+:\d+: error\[", line)]
    assert len(lines) == 2
    assert "^" in done.stderr
    assert "Traceback" not in done.stderr


def test_mistakes_in_the_file_as_json(cli: Cli, fleet_file: Path) -> None:
    fleet_file.write_text(fleet_file.read_text().replace("team: app, role: coder", "team: ap, role: coder"))
    for command in (
        ["validate"],
        ["plan"],
        ["ps"],
        ["drift"],
        ["apply", "--yes"],
        ["render", "--out", "x"],
        ["stop", "coder0"],
    ):
        done = cli(*command, "--json")
        assert done.returncode == 1
        assert json.loads(done.stderr)["errors"][0]["line"] == 13
        assert done.stdout == ""


def test_missing_file_is_an_error_with_its_name(cli: Cli) -> None:
    done = cli("validate", "-f", "nowhere.yaml")
    assert done.returncode == 1
    assert "nowhere.yaml" in done.stderr
    assert "Traceback" not in done.stderr


def test_file_comes_from_option_variable_or_here_in_this_order(cli: Cli, fleet_file: Path) -> None:
    other = fleet_file.with_name("other.yaml")
    other.write_text(fleet_file.read_text().replace("trial", "other"))
    third = fleet_file.with_name("third.yaml")
    third.write_text(fleet_file.read_text().replace("trial", "third"))

    def name(*arguments: str, **environment: str) -> str:
        return str(json.loads(cli(*arguments, "--json", **environment).stdout)["fleet"])

    assert name("validate") == "trial"
    assert name("validate", WATCHBILL_FILE="other.yaml") == "other"
    assert name("validate", "-f", "third.yaml", WATCHBILL_FILE="other.yaml") == "third"
    assert name("-f", "third.yaml", "validate") == "third"


def test_shared_options_are_taken_before_and_after_the_command(cli: Cli) -> None:
    before, after = cli("--json", "--limit", "dsk", "plan"), cli("plan", "--limit", "dsk", "--json")
    assert before.returncode == after.returncode == 1
    assert json.loads(before.stderr) == json.loads(after.stderr)
    assert json.loads(after.stderr)["errors"][0]["hint"] == 'did you mean "desk"?'


def test_unknown_host_is_refused_before_anything_is_asked(cli: Cli) -> None:
    for command in (["plan"], ["apply", "--yes"], ["ps"], ["drift"], ["render", "--out", "x"], ["validate"]):
        done = cli(*command, "--limit", "desk,atic")
        assert done.returncode == 1
        assert 'error[unknown-host]: there is no host "atic"' in done.stderr
        assert 'did you mean "attic"?' in done.stderr


@pytest.mark.parametrize("command", [["plan"], ["drift"], ["apply", "--yes"], ["ps"]], ids=" ".join)
def test_lab_that_is_not_up_is_said_with_the_command_that_boots_it(cli: Cli, command: list[str]) -> None:
    done = cli("--lab", *command)
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr == "error[lab-down]: the lab of fleet trial is not up\n   watchbill lab up\n"


def test_ambiguous_agent_is_refused_with_both_names(cli: Cli) -> None:
    done = cli("show", "writer")
    assert done.returncode == 1
    assert "guests/writer" in done.stderr
    assert "studio/writer" in done.stderr


def test_a_mistake_of_ours_is_one_line(
    here: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def broken(_options: object) -> None:
        raise RuntimeError("line one\nline two")

    monkeypatch.setattr("watchbill.ops.target.load_target", broken)
    monkeypatch.setattr("watchbill.cli.options.Options.target", broken)
    assert app.run(["validate"]) == 1
    shown = capsys.readouterr().err
    assert shown.startswith("error[internal]: RuntimeError: line one line two\n")
    assert "Traceback" not in shown
    monkeypatch.setenv("WATCHBILL_DEBUG", "1")
    assert app.run(["validate"]) == 1
    assert "Traceback" in capsys.readouterr().err


def test_full_disk_is_no_mistake_of_ours(here: Path) -> None:
    for command in (["validate"], ["schedule"], ["placement", "--json"]):
        words = shlex.join([sys.executable, "-m", "watchbill", *command])
        done = subprocess.run(["/bin/sh", "-c", f"{words} > /dev/full"], capture_output=True, text=True, check=False)
        assert (done.returncode, "No space left on device" in done.stderr) == (1, True)
        assert "internal" not in done.stderr and "Traceback" not in done.stderr


@pytest.mark.parametrize("python", [[], ["-u"]], ids=["buffered", "unbuffered"])
def test_reader_that_leaves_early_is_told_nothing(here: Path, python: list[str]) -> None:
    command = [sys.executable, *python, "-m", "watchbill", "placement", "--json"]
    reader, writer = os.pipe()
    os.close(reader)
    with open(writer, "wb") as unread:
        done = subprocess.run(command, stdout=unread, stderr=subprocess.PIPE, text=True, check=False)
    assert (done.returncode, done.stderr) == (141, "")


def test_terminal_without_the_characters_of_a_grid_is_no_error(cli: Cli) -> None:
    done = cli("schedule", "--week", PYTHONIOENCODING="ascii")
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.splitlines()[3].split()[0] == "(none)"


def test_an_interrupt_is_130_and_no_traceback(
    here: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def interrupted(_options: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("watchbill.cli.options.Options.target", interrupted)
    assert app.run(["validate"]) == 130
    assert "Traceback" not in capsys.readouterr().err


def test_success_says_what_the_file_describes(cli: Cli) -> None:
    done = cli("validate")
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout == "fleet.yaml is valid: 2 hosts, 2 tenants, 2 teams, 4 agents on 8 slots\n"


@pytest.mark.parametrize("command", COMMANDS)
def test_help_starts_with_two_examples_that_can_be_typed(command: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert app.run([command, "--help"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == "Examples:"
    examples = [line.strip() for line in lines[1 : lines.index("")]]
    assert len(examples) == 2
    assert max(map(len, lines)) <= 100
    for example in examples:
        assert example.startswith("watchbill ")


@pytest.mark.parametrize("command", [name for name in COMMANDS if name != "lab"])
def test_examples_in_the_help_are_accepted(command: str) -> None:
    import shlex

    import typer

    from watchbill.cli.options import split_examples

    program = typer.main.get_command(app.app)
    context = program.make_context("watchbill", [], resilient_parsing=True)
    function = program.get_command(context, command)
    examples, _ = split_examples(function.help or "")
    assert examples
    for example in examples:
        words = shlex.split(example)[1:]
        words = [word for word in words if word != "--lab"]
        assert words[0] == command
        # Raises a usage error for an option or argument that the command does not take.
        function.make_context(command, words[1:], parent=context)


@pytest.mark.parametrize(
    ("shell", "words"), [("bash", "complete -o default"), ("zsh", "#compdef watchbill"), ("fish", "complete --command")]
)
def test_completion_is_for_the_shell_that_is_named(capsys: pytest.CaptureFixture[str], shell: str, words: str) -> None:
    with pytest.raises(SystemExit, match="0"):
        app.run(["--show-completion", shell])
    assert words in capsys.readouterr().out


def test_completion_for_a_shell_that_is_not_known_is_an_error(capsys: pytest.CaptureFixture[str]) -> None:
    assert app.run(["--show-completion", "tcsh"]) == 1
    assert "tcsh not supported" in capsys.readouterr().err


def test_completion_knows_commands_agents_hosts_and_teams(completed: Callable[[str], set[str]]) -> None:
    assert {"plan", "ps"} <= completed("watchbill p")
    assert completed("watchbill show studio/c") == {"studio/coder0", "studio/coder1"}
    assert completed("watchbill stop co") == {"coder0", "coder1"}
    assert completed("watchbill plan --limit desk,a") == {"desk,attic"}
    assert completed("watchbill ps --team gu") == {"guest"}
    assert completed("watchbill schedule --timezone Europe/Berl") == {"Europe/Berlin"}


def test_completion_is_silent_about_a_bad_file(cli: Cli, fleet_file: Path) -> None:
    fleet_file.write_text("{")
    done = cli(_WATCHBILL_COMPLETE="complete_bash", COMP_WORDS="watchbill show co", COMP_CWORD="2")
    assert (done.stdout.strip(), done.stderr) == ("", "")


def test_every_command_of_the_issue_is_there() -> None:
    looks = "validate render plan drift ps show logs schedule placement"
    changes = "init apply start stop restart pause resume on off attach update agent host team project snapshot lab"
    assert set(COMMANDS) >= set(f"{looks} {changes}".split())
    assert look.plan.__doc__ is not None


def test_interruption_before_a_command_runs_is_one_word(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def interrupted(arguments: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("watchbill.standby.run", interrupted)
    with pytest.raises(SystemExit) as end:
        main()
    assert (end.value.code, capsys.readouterr().err) == (130, "interrupted\n")


@pytest.mark.parametrize("command", [["ps"], ["init", "--preset", "general"]], ids=" ".join)
def test_directory_that_is_gone_is_no_mistake_of_ours(
    here: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], command: list[str]
) -> None:
    gone = here / "gone"
    gone.mkdir()
    monkeypatch.delenv("WATCHBILL_STANDBY")
    monkeypatch.chdir(gone)
    gone.rmdir()
    assert app.run(command) == 1
    assert "error[missing-folder]: the directory that this runs in is gone" in capsys.readouterr().err
