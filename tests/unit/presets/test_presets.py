"""Every preset is a fleet that holds, whatever its founder answers, and says nothing that is not so."""

from __future__ import annotations

import itertools
import re
from collections.abc import Callable
from pathlib import Path

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from watchbill.errors import OperationError
from watchbill.fleet import Fleet, load_fleet, words
from watchbill.presets import PRESETS, SCHEMAS, Preset, write_out
from watchbill.presets.answers import RUNTIMES, Answers, Machine, machines_of, preset_named, runtime_name

NAMES = ("minimal", "general", "coding", "research", "hybrid")
PROJECT = Path(__file__).resolve().parents[3]
for_each_preset = pytest.mark.parametrize("preset", PRESETS.values(), ids=lambda preset: preset.name)

# What is a name here and something else to YAML.
TRAPS = ["no", "on", "y", "n", "off", "yes", "true", "false", "null", "nan", "e1"]
LOCAL = Machine("desk", "local")


def accepts(check: Callable[[str], str]) -> Callable[[str], bool]:
    """Return whether a word is one of its kind; what is reserved is not."""

    def is_one(text: str) -> bool:
        try:
            return check(text) == text
        except words.Refused:
            return False

    return is_one


names = st.sampled_from(TRAPS) | st.from_regex(r"[a-z]([a-z0-9]|-(?=[a-z0-9])){0,22}[a-z0-9]", fullmatch=True)
addresses = st.ip_addresses().map(str) | st.sampled_from(["forge.example.org", "no", "null.example"])
machines = st.builds(
    Machine, names.filter(accepts(words.host_name)), addresses, st.none() | st.sampled_from(["ana", "no", "On_1.x-y"])
)


def answers(fleet: str = "trial", tenant: str = "studio", machine: Machine = LOCAL) -> Answers:
    return Answers(fleet, tenant, (machine,), "stub", "https://git.example.org/studio/app.git")


def loaded(folder: Path, preset: Preset, given: Answers) -> Fleet:
    """Return the fleet that a preset is, without writing it."""
    folder = folder.resolve()
    files = {folder / name: text.encode() for name, text in write_out(preset, given).items()}
    return load_fleet(folder / "fleet.yaml", files)


def test_the_five_presets_are_there() -> None:
    assert tuple(PRESETS) == NAMES


@for_each_preset
@given(data=st.data())
@settings(max_examples=25, deadline=None)
def test_whatever_is_answered_the_fleet_holds_and_means_just_that(preset: Preset, data: st.DataObject) -> None:
    hosts = data.draw(st.lists(machines, min_size=1, max_size=6, unique_by=(lambda m: m.name, lambda m: m.address)))
    given_answers = Answers(
        fleet=data.draw(names),
        tenant=data.draw(names.filter(accepts(words.tenant_name))),
        machines=tuple(hosts),
        runtime=data.draw(st.sampled_from(RUNTIMES)),
        repository=data.draw(
            st.sampled_from(["git@git.example.org:a/b.git", "~/src/b", "https://g.example/a:b,c/[d]"])
        ),
    )
    fleet = loaded(Path("/nowhere"), preset, given_answers)
    assert fleet.name == given_answers.fleet
    assert given_answers.tenant in fleet.tenants
    assert {(host.name, host.address, host.connect.user) for host in fleet.hosts.values()} == {
        (machine.name, machine.address, machine.user) for machine in hosts
    }
    assert {agent.runtime for agent in fleet.agents} == {given_answers.runtime}
    assert {project.repository for project in fleet.projects.values()} <= {None, given_answers.repository}


@for_each_preset
def test_preset_has_the_numbers_that_are_said_of_it(preset: Preset, tmp_path: Path) -> None:
    fleet = loaded(tmp_path, preset, answers())
    assert (len(fleet.agents), len(fleet.tenants)) == (preset.agents, preset.tenants)
    assert fleet.agents_on("desk") == fleet.agents
    used = {page for role in fleet.roles.values() for page in preset.pages if Path(page).stem == role.name}
    assert used == set(preset.pages)
    assert any(project.repository for project in fleet.projects.values()) == preset.has_repository


@pytest.mark.parametrize(
    ("name", "roles"),
    [
        ("minimal", {"orchestrator", "enhancer"}),
        ("general", {"orchestrator", "enhancer", "coder", "code-review", "research", "operations"}),
        ("coding", {"orchestrator", "enhancer", "builder", "code-review", "security-review"}),
        (
            "research",
            {"orchestrator", "enhancer", "research"}
            | {f"board-{lens}" for lens in ("moonshot", "contrarian", "technical", "business", "financial")},
        ),
        ("hybrid", {"orchestrator", "enhancer", "coder", "code-review", "research", "board-contrarian"}),
    ],
)
def test_preset_has_its_roles(name: str, roles: set[str], tmp_path: Path) -> None:
    fleet = loaded(tmp_path, PRESETS[name], answers())
    assert {agent.role for agent in fleet.agents} == roles
    assert not any(tenant.floor == "none" for tenant in fleet.tenants.values())


def test_coders_of_coding_have_worktrees_and_the_page_of_the_house_on_top_of_the_library(tmp_path: Path) -> None:
    fleet = loaded(tmp_path, PRESETS["coding"], answers())
    assert [agent.worktree for agent in fleet.agents if agent.role == "builder"] == [True] * 3
    persona = fleet.roles["builder"].persona
    assert persona.index("# Coder\n") < persona.index("# Builder\n")


def test_hybrid_spreads_its_coders_and_keeps_hours(tmp_path: Path) -> None:
    zones = [Machine(name, f"192.0.2.{number}") for number, name in enumerate(("one", "two", "three"), 1)]
    given_answers = Answers("trial", "studio", tuple(zones), "stub", "~/src/app")
    fleet = loaded(tmp_path, PRESETS["hybrid"], given_answers)
    where = [fleet.hosts[agent.host].labels["zone"] for agent in fleet.agents if agent.role == "coder"]
    assert sorted(where) in (["a", "a", "b"], ["a", "b", "b"])
    assert {agent.schedule for agent in fleet.agents} == {"always", "office", "nights"}


@pytest.mark.parametrize("tenant", ["insight", "studio", "other"])
def test_hybrid_has_a_second_tenant_beside_any_first(tenant: str, tmp_path: Path) -> None:
    assert len(loaded(tmp_path, PRESETS["hybrid"], answers(tenant=tenant)).tenants) == 2


@for_each_preset
def test_preset_teaches_by_comments_and_fits_a_terminal(preset: Preset) -> None:
    files = write_out(preset, answers())
    lines = files["fleet.yaml"].splitlines()
    assert lines[0] == f"# yaml-language-server: $schema={SCHEMAS[0]}"
    assert "plugin: watchbill.fleet.fleet" in files["fleet.yaml"]
    assert max(map(len, lines)) <= 100
    assert sum(line.lstrip().startswith("#") or " # " in line for line in lines) >= len(lines) / 3
    sections = set(yaml.safe_load(files["fleet.yaml"])) - {"plugin", "version", "fleet", "roster", "policy"}
    explained = {line.partition(":")[0] for before, line in itertools.pairwise(lines) if before.startswith("# ")}
    assert sections <= explained


@for_each_preset
def test_what_stands_in_comments_as_an_entry_is_one(preset: Preset, tmp_path: Path) -> None:
    text = write_out(preset, answers())["fleet.yaml"]
    entry = re.compile(r"^( *)# ( *(?:- \{.*|\w+:(?: (?:[{\[].*|\S+))?))(?=$|  )", re.MULTILINE)
    told, count = entry.subn(r"\1\2", text)
    assert count
    folder = tmp_path.resolve()
    pages = {folder / name: page.encode() for name, page in write_out(preset, answers()).items()}
    assert load_fleet(folder / "fleet.yaml", pages | {folder / "fleet.yaml": told.encode()})


@for_each_preset
def test_commands_in_comments_exist(preset: Preset) -> None:
    import typer

    from watchbill.cli import app

    program = typer.main.get_command(app.app)
    text = "\n".join(write_out(preset, answers()).values())
    found = {tuple(command.split()) for command in re.findall(r"watchbill ((?:[a-z-]+ ?)+)", text)}
    assert found
    context = program.make_context("watchbill", [], resilient_parsing=True)
    for first, *rest in found:
        command = program.get_command(context, first)
        assert command is not None, first
        if rest and hasattr(command, "get_command"):
            assert command.get_command(context, rest[0]) is not None, rest


@pytest.mark.parametrize(
    ("texts", "code"),
    [
        (["desk"], "bad-host"),
        (["=192.0.2.1"], "bad-name"),
        (["desk=x\n  evil: {}"], "bad-address"),
        (["desk=@192.0.2.1"], "bad-name"),
        (["desk=-oProxyCommand=x@192.0.2.1"], "bad-name"),
        (["all=192.0.2.1"], "reserved-name"),
        (["../desk=192.0.2.1"], "bad-name"),
        (["desk=ana@local"], "local-connect"),
        (["desk=192.0.2.1", "desk=192.0.2.2"], "host-twice"),
        (["desk=192.0.2.1", "attic=192.0.2.1"], "host-twice"),
    ],
)
def test_wrong_machine_is_refused_with_the_name_of_the_option(texts: list[str], code: str) -> None:
    with pytest.raises(OperationError) as caught:
        machines_of(PRESETS["minimal"], texts, as_root=True)
    assert (caught.value.code, caught.value.message.startswith("--host: ")) == (code, True)


def test_machine_is_what_was_said() -> None:
    texts = ["desk=local", "attic=ana@Forge.Example.org", "loft=2001:db8::1"]
    assert machines_of(PRESETS["minimal"], texts, as_root=False) == (
        Machine("desk", "local", rootless=True),
        Machine("attic", "forge.example.org", "ana"),
        Machine("loft", "2001:db8::1"),
    )
    assert machines_of(PRESETS["minimal"], ["desk=local"], as_root=True) == (Machine("desk", "local"),)


def test_two_tenants_want_more_than_a_machine_without_root() -> None:
    with pytest.raises(OperationError, match="a machine without root serves one"):
        machines_of(PRESETS["hybrid"], ["desk=local"], as_root=False)


def test_what_is_mistyped_is_told_what_it_may_have_meant() -> None:
    with pytest.raises(OperationError) as caught:
        preset_named("codng")
    assert caught.value.hint == 'did you mean "coding"?'
    with pytest.raises(OperationError) as caught:
        runtime_name("cluade")
    assert caught.value.hint == 'did you mean "claude"?'
    with pytest.raises(OperationError) as caught:
        runtime_name("command")
    assert caught.value.code == "bad-runtime"
