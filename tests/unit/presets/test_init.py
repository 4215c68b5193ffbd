"""Starting a fleet writes a whole one, asks only on a terminal, and never overwrites anything."""

from __future__ import annotations

import io
import json
import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Protocol

import pexpect
import pytest
import yaml
from jsonschema import Draft202012Validator

from watchbill.cli import app
from watchbill.cli.init import complete_preset, complete_runtime
from watchbill.errors import OperationError
from watchbill.fleet import load_fleet
from watchbill.ops.init import Wanted, init, suggested_name
from watchbill.presets import PRESETS, SCHEMAS

Terminal = Callable[..., "pexpect.spawn[str]"]
PROJECT = Path(__file__).resolve().parents[3]
GENERAL = Wanted("general")


class Run(Protocol):
    """Runs a command line in an empty folder, without a terminal: exit code, standard output, standard error."""

    def __call__(self, *arguments: str) -> tuple[int, str, str]: ...


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Run:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("WATCHBILL_FILE", raising=False)
    monkeypatch.setattr(sys, "stdin", io.StringIO())

    def run(*arguments: str) -> tuple[int, str, str]:
        code = app.run(arguments)
        return code, *capsys.readouterr()

    return run


@pytest.fixture
def terminal(tmp_path: Path) -> Terminal:
    """Return a function that starts `watchbill init ARGUMENTS` with a terminal, in an empty folder."""
    environment = {"PATH": "/usr/bin:/bin", "HOME": str(tmp_path), "NO_COLOR": "1", "TERM": "xterm"}

    def start(*arguments: str) -> pexpect.spawn[str]:
        return pexpect.spawn(
            sys.executable,
            ["-m", "watchbill", "init", *arguments],
            cwd=str(tmp_path),
            env=environment,
            encoding="utf-8",
            timeout=60,
            dimensions=(50, 100),
            echo=False,
        )

    return start


def ended(child: pexpect.spawn[str]) -> tuple[int, str]:
    child.expect(pexpect.EOF)
    code = child.wait()
    child.close()
    return code, str(child.before)


def files_below(folder: Path) -> set[str]:
    return {path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()}


@pytest.mark.parametrize("preset", PRESETS)
@pytest.mark.parametrize("uid", [0, 1000])
def test_preset_is_written_whole_with_a_schema_that_takes_it(
    preset: str, uid: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: uid)
    folder = tmp_path / "new" / preset
    started = init(folder, Wanted(preset))
    assert files_below(folder) == {"fleet.yaml", *SCHEMAS, *PRESETS[preset].pages}
    fleet = load_fleet(folder / "fleet.yaml")
    assert (fleet.name, len(fleet.agents)) == (preset, started.fleet.agents)
    assert started.rootless == any(host.rootless for host in fleet.hosts.values()) == (uid != 0 and preset != "hybrid")
    schema = Draft202012Validator(json.loads((folder / SCHEMAS[0]).read_text()))
    assert not list(schema.iter_errors(yaml.safe_load((folder / "fleet.yaml").read_text())))


def test_addresses_that_lead_nowhere_are_told_with_their_lines(tmp_path: Path) -> None:
    started = init(tmp_path, Wanted("hybrid"))
    lines = (tmp_path / "fleet.yaml").read_text().splitlines()
    assert len(started.examples) == 3
    assert all(address in lines[number - 1] for number, address in started.examples)
    own = Wanted("hybrid", hosts=("desk=forge.example.com",), repository="~/src/app.git")
    assert init(tmp_path / "own", own).examples == ()


@pytest.mark.parametrize("content", ["version: 1\n", "# mine\n"])
def test_fleet_file_that_is_there_is_not_touched(content: str, tmp_path: Path) -> None:
    (tmp_path / "fleet.yaml").write_text(content)
    with pytest.raises(OperationError) as caught:
        init(tmp_path, GENERAL)
    assert (caught.value.code, files_below(tmp_path)) == ("file-exists", {"fleet.yaml"})
    assert (tmp_path / "fleet.yaml").read_text() == content


def test_link_that_leads_nowhere_is_not_followed(tmp_path: Path) -> None:
    (tmp_path / "fleet.yaml").symlink_to(tmp_path / "elsewhere")
    with pytest.raises(OperationError):
        init(tmp_path, GENERAL)
    assert not (tmp_path / "elsewhere").exists()


def test_empty_file_is_as_good_as_none(tmp_path: Path) -> None:
    """An empty fleet.yaml is refused by every other command with the advice to run init."""
    (tmp_path / "fleet.yaml").write_text("\n")
    init(tmp_path, GENERAL)
    assert load_fleet(tmp_path / "fleet.yaml").agents


def test_page_of_the_same_name_is_not_touched(tmp_path: Path) -> None:
    page = tmp_path / "roles" / "builder.md"
    page.parent.mkdir()
    page.write_text("# Mine\n")
    with pytest.raises(OperationError, match=r"roles/builder\.md exists"):
        init(tmp_path, Wanted("coding"))
    assert (page.read_text(), files_below(tmp_path)) == ("# Mine\n", {"roles/builder.md"})


def test_init_that_broke_off_can_be_done_again(tmp_path: Path) -> None:
    init(tmp_path, Wanted("coding"))
    (tmp_path / "fleet.yaml").unlink()
    assert init(tmp_path, Wanted("coding")).fleet.agents == 7


@pytest.mark.parametrize(
    ("wanted", "option"),
    [
        (Wanted(), "--preset"),
        (Wanted("nonsense"), "--preset"),
        (Wanted("general", name="a: {b"), "--name"),
        (Wanted("general", name="x" * 33), "--name"),
        (Wanted("general", tenant="root"), "--tenant"),
        (Wanted("general", tenant="$(id)"), "--tenant"),
        (Wanted("general", hosts=("desk=a b",)), "--host"),
        (Wanted("general", runtime="{{ 7 * 7 }}"), "--runtime"),
        (Wanted("coding", repository="https://me:secret@example.org/x"), "--repository"),
        (Wanted("coding", repository="--upload-pack=x"), "--repository"),
        (Wanted("minimal", repository="https://example.org/x"), "--repository"),
    ],
)
def test_what_is_missing_or_wrong_is_told_with_its_option_and_nothing_is_written(
    wanted: Wanted, option: str, tmp_path: Path
) -> None:
    with pytest.raises(OperationError) as caught:
        init(tmp_path, wanted)
    assert option in caught.value.render()
    assert not files_below(tmp_path)


@pytest.mark.parametrize(
    ("folder", "name"),
    [
        ("shop", "shop"),
        ("My Shop (2)", "my-shop-2"),
        ("2024_fleet", "fleet"),
        ("--", "fleet"),
        ("Ünter", "nter"),
        ("x" * 40, "x" * 32),
        ("a" * 31 + "-b", "a" * 31),
    ],
)
def test_fleet_is_called_as_its_folder_where_that_can_be(folder: str, name: str, tmp_path: Path) -> None:
    assert suggested_name(tmp_path / folder) == name


def test_folder_that_cannot_be_written_is_one_line(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(OperationError) as caught:
        init(tmp_path / "file" / "below", GENERAL)
    assert caught.value.code == "cannot-write"


def test_without_a_terminal_nothing_is_asked(run: Run, tmp_path: Path) -> None:
    code, shown, errors = run("init")
    assert (code, shown, files_below(tmp_path)) == (1, "", set())
    assert "--preset minimal|general|coding|research|hybrid" in errors
    code, shown, errors = run("init", "--preset", "general", "--host", "desk=192.0.2.7", "shop")
    assert (code, errors) == (0, "")
    assert shown.startswith("shop/fleet.yaml is valid: 1 host, 1 tenant, 1 team, 6 agents on 8 slots\n")
    for told in (f"shop/{SCHEMAS[0]}", "  cd shop ", "watchbill lab up", "watchbill plan"):
        assert told in shown
    assert run("validate", "-f", "shop/fleet.yaml")[0] == 0


def test_file_is_no_folder(run: Run, tmp_path: Path) -> None:
    code, _, errors = run("-f", "other.yaml", "init", "--preset", "minimal")
    assert (code, "watchbill init DIR" in errors, files_below(tmp_path)) == (1, True, set())


def test_next_steps_name_the_file_where_the_environment_names_another(
    run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("WATCHBILL_FILE", "other.yaml")
    assert "export WATCHBILL_FILE=shop/fleet.yaml" in run("init", "--preset", "minimal", "shop")[1]


@pytest.mark.parametrize(("uid", "offered"), [(0, True), (1000, False)])
def test_lab_is_not_offered_where_it_cannot_help(
    run: Run, monkeypatch: pytest.MonkeyPatch, uid: int, offered: bool
) -> None:
    """Machines of a lab are reached as root, which no rootless host is."""
    monkeypatch.setattr(os, "geteuid", lambda: uid)
    assert ("lab" in run("init", "--preset", "general")[1]) is offered


def test_answer_for_programs(run: Run) -> None:
    answer = json.loads(run("--json", "init", "--preset", "coding")[1])
    Draft202012Validator(json.loads((PROJECT / "schemas" / "init.schema.json").read_text())).validate(answer)
    assert (answer["preset"], answer["agents"]) == ("coding", 7)
    assert answer["files"] == [*SCHEMAS, "roles/builder.md", "fleet.yaml"]
    assert [example["address"] for example in answer["examples"]] == ["https://git.example.org/studio/app.git"]
    code, shown, errors = run("init", "--preset", "coding", "--json")
    assert (code, shown, json.loads(errors)["errors"][0]["code"]) == (1, "", "file-exists")


def test_schemas_are_written_anew_on_their_own(run: Run, tmp_path: Path) -> None:
    run("init", "--preset", "minimal")
    before = (tmp_path / "fleet.yaml").read_text()
    (tmp_path / SCHEMAS[0]).write_text("{}")
    assert run("init", "--schema")[0] == 0
    assert "roster" in json.loads((tmp_path / SCHEMAS[0]).read_text())["properties"]
    assert (tmp_path / "fleet.yaml").read_text() == before


def test_on_a_terminal_everything_is_asked_and_a_wrong_answer_is_asked_again(
    terminal: Terminal, tmp_path: Path
) -> None:
    child = terminal("shop")
    child.expect("builders by day")
    for question, answer in (
        (r"Preset \[general\]", "codign"),
        (r'did you mean "coding"\?\s+Preset', "coding"),
        (r"Name of the fleet \[shop\]", ""),
        (r"tenant .*\[studio\]", "root"),
        ("system account(?s:.*)tenant", "atelier"),
        (r"Runtime .*\[stub\]", ""),
        (r"Repository \[https://git.example.org/atelier/app.git\]", "~/src/app.git"),
        (r"Machines.*\[desk=local\]", "desk=192.0.2.7, attic=ana@192.0.2.8"),
    ):
        child.expect(question)
        child.sendline(answer)
    code, shown = ended(child)
    assert code == 0, shown
    fleet = load_fleet(tmp_path / "shop" / "fleet.yaml")
    assert (fleet.name, set(fleet.tenants), set(fleet.hosts)) == ("shop", {"atelier"}, {"desk", "attic"})
    assert fleet.hosts["attic"].connect.user == "ana"


def test_what_is_given_is_not_asked(terminal: Terminal, tmp_path: Path) -> None:
    given = ["--preset", "minimal", "--name", "a", "--tenant", "b", "--host", "c=local"]
    child = terminal(*given)
    child.expect("Runtime")
    child.sendline("stub")
    assert ended(child)[0] == 0
    assert load_fleet(tmp_path / "fleet.yaml").name == "a"


def test_yes_takes_the_defaults(terminal: Terminal, tmp_path: Path) -> None:
    assert ended(terminal("--preset", "research", "--yes"))[0] == 0
    assert len(load_fleet(tmp_path / "fleet.yaml").agents) == 9


def test_who_leaves_at_a_question_leaves_nothing_behind(terminal: Terminal, tmp_path: Path) -> None:
    child = terminal()
    child.expect("Preset")
    child.sendintr()
    code, shown = ended(child)
    assert (code, "Traceback" in shown, files_below(tmp_path)) == (130, False, set())


def test_fleet_that_is_there_is_told_before_anything_is_asked(terminal: Terminal, tmp_path: Path) -> None:
    (tmp_path / "fleet.yaml").write_text("version: 1\n")
    code, shown = ended(terminal())
    assert (code, "Preset" in shown) == (1, False)
    assert "error[file-exists]" in shown


def test_completion_knows_presets_and_runtimes() -> None:
    assert {name for name, _ in complete_preset("")} == set(PRESETS)
    assert [name for name, _ in complete_preset("h")] == ["hybrid"]
    assert complete_runtime("c") == ["claude", "codex"]
