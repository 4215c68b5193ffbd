"""Whatever a fleet file says, a host gets it as data: exactly, where it belongs, and nowhere else."""

from __future__ import annotations

import json
import re
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from ansible_collections.watchbill.fleet.plugins.module_utils._keeper.definition import (
    parse_definition,
    parse_environment,
)
from ansible_collections.watchbill.fleet.plugins.module_utils._onboarding import Self, place_in_fleet
from ansible_collections.watchbill.fleet.plugins.module_utils._roster import parse_roster
from pydantic import ValidationError

from tests.unit.compile.inert_fleet import (
    CANARY,
    CONTROL,
    FREE,
    HARMLESS,
    PLAIN,
    TEXTS,
    UNSHOWABLE,
    document,
    put,
    write,
)
from watchbill.compile import CompiledHost, compile_host
from watchbill.errors import FleetError
from watchbill.fleet import load_fleet
from watchbill.fleet.kinds import WHOLE, TextOrMapping
from watchbill.fleet.model import FleetSpec
from watchbill.fleet.schema import fleet_schema

EVERY_TEXT = [pytest.param(text, id=name) for name, text in TEXTS.items()]
DERIVED = {"sha256", "size", "fragment", "launch", "definition", "launch_digest", "environment_sha256", "digest"}
"""Fields that say in a digest what other fields say."""
Places = dict[str, Any]


@pytest.fixture(autouse=True)
def _nothing_is_executed() -> Iterator[None]:
    Path(CANARY).unlink(missing_ok=True)
    yield
    assert not Path(CANARY).exists(), "a text was executed"


def compiled(folder: Path, whole: dict[str, Any]) -> CompiledHost:
    return compile_host(load_fleet(write(folder, whole)), "desk")


def files(host: CompiledHost) -> dict[str, bytes]:
    """Return the files of a host, by path below the configuration where they are there."""
    found = {r["name"]: host.bodies[r["sha256"]] for r in host.manifest["resources"] if "sha256" in r}
    return {re.sub("^(/etc|~/.config)/watchbill/", "", name): body for name, body in found.items()}


def picture(host: CompiledHost) -> Places:
    """Return all values that a host gets, by place: ``FILE FIELD.FIELD``, ``KIND:NAME FIELD`` or ``policy FIELD``.

    A file that is neither JSON nor an environment is one value.
    """
    places: Places = {}
    for name, body in files(host).items():
        if name.endswith(".json"):
            places |= leaves(json.loads(body), f"{name} ")
        elif name.endswith("/env"):
            places |= leaves(parse_environment(body), f"{name} ")
        else:
            places[name] = body
    for resource in host.manifest["resources"]:
        places |= leaves(resource, f"{resource['kind']}:{resource['name']} ")
    rest = {field: value for field, value in host.manifest.items() if field != "resources"}
    return places | {place.replace(".", " ", 1): value for place, value in leaves(rest, "").items()}


def leaves(value: Any, place: str) -> Places:
    """Return all values in a value by where they are, digests left out."""
    entries = enumerate(value) if isinstance(value, list) else value.items() if isinstance(value, dict) else None
    if entries is None:
        return {place: value}
    inner = ((key, one) for key, one in entries if key not in DERIVED or isinstance(one, dict))
    separator = "" if place == "" or place.endswith(" ") else "."
    return {name: leaf for key, one in inner for name, leaf in leaves(one, f"{place}{separator}{key}").items()}


def differences(one: Places, other: Places) -> Places:
    """Return what the second has where the first does not have the same."""
    assert one.keys() == other.keys()
    return {place: value for place, value in other.items() if value != one[place]}


@pytest.fixture(scope="module")
def harmless(tmp_path_factory: pytest.TempPathFactory) -> dict[bool, CompiledHost]:
    """The host of a fleet without any such text: as root manages it (False), and rootless (True)."""
    folder = tmp_path_factory.mktemp("harmless")
    return {mode: compiled(folder / str(mode), document(HARMLESS, rootless=mode)) for mode in (False, True)}


# -- every text of the vocabulary has an answer -----------------------------------------------------------------------


def texts_of_the_vocabulary() -> set[str]:
    """Return all fields that take a text: ``[]`` is an entry of a list, ``{}`` a value and ``{key}`` a key."""
    schema = fleet_schema()
    return set(_texts(schema, "", schema["$defs"]))


def _texts(part: dict[str, Any], place: str, definitions: dict[str, Any]) -> Iterator[str]:
    if "$ref" in part:
        name = part["$ref"].rpartition("/")[2]
        part = definitions[name] | {key: one for key, one in part.items() if key != "$ref"}
        # What stands in its own definition is there what it is here.
        definitions = {**definitions, name: {}}
    for one in part.get("anyOf", ()):
        yield from _texts(one, place, definitions)
    if part.get("type") == "string" or any(isinstance(one, str) for one in (*part.get("enum", ()), part.get("const"))):
        yield place
    for key, one in part.get("properties", {}).items():
        yield from _texts(one, f"{place}.{key}".lstrip("."), definitions)
    if isinstance(part.get("propertyNames"), dict):
        yield from _texts(part["propertyNames"], place + "{key}", definitions)
    if isinstance(part.get("additionalProperties"), dict):
        yield from _texts(part["additionalProperties"], place + "{}", definitions)
    if isinstance(part.get("items"), dict):
        yield from _texts(part["items"], place + "[]", definitions)


def test_every_text_of_the_vocabulary_has_an_answer() -> None:
    assert not FREE.keys() & PLAIN
    assert texts_of_the_vocabulary() == FREE.keys() | PLAIN


def refuses(field: str, text: str) -> bool:
    """Say whether the model refuses a text in a field, for what it is there."""
    whole: Any = text
    where: list[str | int] = []
    for step in reversed(re.findall(r"[a-z_]+|\[\]|\{\}|\{key\}", field)):
        if step == "[]":
            whole, where = [whole], [0, *where]
        elif step == "{key}":
            whole, where = {whole: {}}, [text, "[key]"]
        else:
            name = "stub" if step == "{}" else step
            whole, where = {name: whole}, [name, *where]
    with pytest.raises(ValidationError) as caught:
        FleetSpec.model_validate({"version": 2, **whole}, context=WHOLE)
    errors = caught.value.errors(include_url=False)
    branches = (TextOrMapping.MAPPING, TextOrMapping.TEXT)
    return tuple(where) in {tuple(step for step in error["loc"] if step not in branches) for error in errors}


@pytest.mark.parametrize("field", sorted(PLAIN))
def test_field_of_names_and_quantities_takes_no_such_text_whole_or_as_a_part(field: str) -> None:
    texts = [form.format(text) for text in (*TEXTS.values(), *CONTROL.values()) for form in ("{}", "a{}a")]
    assert [text for text in texts if not refuses(field, text)] == []


@pytest.mark.parametrize("name", sorted(FREE))
def test_field_of_free_text_refuses_what_it_must_and_nothing_else(name: str) -> None:
    field = FREE[name]
    taken = {text for text in (*TEXTS.values(), *CONTROL.values()) if not refuses(name, field.form.format(text))}
    assert taken == {text for text in TEXTS.values() if field.takes(text)}
    assert taken, "no text was tried"


@pytest.mark.parametrize("text", [pytest.param(text, id=name) for name, text in UNSHOWABLE.items()])
def test_no_field_of_a_file_takes_what_cannot_be_shown(tmp_path: Path, text: str) -> None:
    whole = document(HARMLESS)
    for field in FREE.values():
        put(whole, field.place, field.form.format(text))
    path = tmp_path / "fleet.yaml"
    path.write_text(yaml.safe_dump(whole))
    with pytest.raises(FleetError) as caught:
        load_fleet(path)
    refused = [problem for problem in caught.value.problems if problem.code == "control-character"]
    assert len({(problem.line, problem.column) for problem in refused}) == len(FREE)


# -- a host gets it as it is written, where it belongs ----------------------------------------------------------------


@pytest.mark.parametrize("rootless", [False, True], ids=["system", "rootless"])
@pytest.mark.parametrize("name", sorted(FREE))
def test_text_reaches_the_places_that_are_known_and_no_other(
    tmp_path: Path, harmless: dict[bool, CompiledHost], name: str, rootless: bool
) -> None:
    field = FREE[name]
    text = next(text for text in TEXTS.values() if field.takes(text))
    host = compiled(tmp_path, document(text, [name], rootless=rootless))
    written = field.form.format(text)
    assert differences(picture(harmless[rootless]), picture(host)) == dict.fromkeys(field.lands, written)


@pytest.mark.parametrize("rootless", [False, True], ids=["system", "rootless"])
@pytest.mark.parametrize("text", EVERY_TEXT)
def test_every_reader_gets_the_very_text(
    tmp_path: Path, harmless: dict[bool, CompiledHost], text: str, rootless: bool
) -> None:
    host = compiled(tmp_path, document(text, rootless=rootless))
    wanted = {place: field.form.format(text) for field in FREE.values() if field.takes(text) for place in field.lands}
    # Each unit, drop-in, the generator and tmux.conf is one value there, and not among those that differ.
    assert differences(picture(harmless[rootless]), picture(host)) == wanted
    environment = files(host)["agents/studio/shell/env"]
    assert environment.count(b"\n") == 3
    assert sourced(tmp_path / "env", environment) == parse_environment(environment)
    assert parse_definition(json.loads(files(host)["agents/studio/shell/definition.json"])).launch.argv[1] == text


def sourced(path: Path, content: bytes) -> dict[str, str]:
    """Return what two shells make of an environment file, which has to be the same."""
    path.write_bytes(content)
    found = []
    for shell in ("dash", "bash"):
        done = subprocess.run(
            [shell, "-c", 'set -a; . "$1"; exec env -0', shell, path],
            env={"PATH": "/usr/bin:/bin", "HOME": "/nowhere"},
            cwd=path.parent,
            capture_output=True,
            check=True,
        )
        assert done.stderr == b""
        pairs = [entry.decode().split("=", 1) for entry in done.stdout.split(b"\0")[:-1]]
        found.append(
            {name: value for name, value in pairs if name not in ("PATH", "HOME", "PWD", "SHLVL", "_", "OLDPWD")}
        )
    assert found[0] == found[1]
    return found[0]


@pytest.mark.parametrize("text", EVERY_TEXT)
def test_prompt_has_the_lines_of_a_harmless_one(tmp_path: Path, harmless: dict[bool, CompiledHost], text: str) -> None:
    told, plainly = (prompt(host) for host in (compiled(tmp_path, document(text)), harmless[False]))
    assert [opened(line) for line in told] == [opened(line) for line in plainly]


def prompt(host: CompiledHost) -> list[str]:
    """Return the lines that tell an agent its place."""
    definition = parse_definition(json.loads(files(host)["agents/studio/worker/definition.json"]))
    agent = Self(*(getattr(definition, field) for field in Self._fields))
    roster = parse_roster(json.loads(files(host)["tenants/studio/roster.json"]))
    return place_in_fleet(agent, roster, "watchbill-host peers").splitlines()


def opened(line: str) -> str:
    """Return a line with what somebody wrote taken out of its quotes."""
    return re.sub(' ?"[^"]*"', "", line).replace(". Its mission:", "")


# -- unit files have names only, and these stay what they are ---------------------------------------------------------

NAMES = ["a", "n0", "x2d", "a-b-c", "a" + "-1" * 15, "service", "h" * 24]
UNIT_LINE = re.compile(
    r"""
    \#\ Watchbill:\ [ A-Za-z0-9@/.,;-]+ | \#\ its\ own\ end\ leaves\ the\ session\ alone\.
    | \[(Unit|Service|Install|Slice)\]
    | (Description|StartLimitIntervalSec|Type|NotifyAccess|ExecStart|ExecReload|Environment|Restart|RestartSec
      |WatchdogSec|TimeoutStartSec|TimeoutStopSec|KillMode|OOMPolicy|UMask|Slice|WantedBy|SendSIGHUP|MemoryMax|CPUQuota|TasksMax)
      =[ A-Za-z0-9@/.:=\\$%_-]+ |
    """,
    re.VERBOSE,
)
# What % and \ may begin: the home and the runtime directory of the user, a share of processors, an escaped dash.
SPECIAL = re.compile(r"%[ht]/|[0-9]%$|\\x2d|\$MAINPID$")


@pytest.mark.parametrize("rootless", [False, True], ids=["system", "rootless"])
@pytest.mark.parametrize("name", NAMES)
def test_unit_files_hold_known_lines_for_whatever_name(tmp_path: Path, name: str, rootless: bool) -> None:
    limits = {"memory": "1G", "cpu": "50%", "tasks": 100}
    whole = document(HARMLESS, rootless=rootless)
    whole["tenants"] = {name[:24].rstrip("-"): {"uid": 20001, "floor": "none", "limits": limits}}
    whole["teams"]["app"]["tenant"] = name[:24].rstrip("-")
    whole["hosts"] = {name: whole["hosts"]["desk"]}
    whole["roster"] = [{**whole["roster"][0], "name": name, "limits": dict(limits)}]
    whole["jobs"][0]["agent"] = name
    host = compile_host(load_fleet(write(tmp_path, whole)), name)
    units = {
        path: body.decode() for path, body in files(host).items() if path.endswith((".service", ".slice", ".conf"))
    }
    units.pop("tmux.conf")
    assert len(units) == (4 if rootless else 5)
    for path, body in units.items():
        assert body.endswith("\n")
        for line in body.splitlines():
            assert UNIT_LINE.fullmatch(line), (path, line)
            assert not set(SPECIAL.sub("", line)) & set("%$\\"), (path, line)
    keeper = next(body for path, body in units.items() if path.endswith(f"watchbill-agent@{name}.service"))
    tenant = whole["teams"]["app"]["tenant"]
    lines = keeper.splitlines()
    assert f"Description=Watchbill keeper of {tenant}/{name}" in lines
    assert f"Environment=WATCHBILL_TENANT={tenant}" in lines
    assert next(line for line in lines if line.startswith("ExecStart=")).endswith(f" keeper {name}")
    escaped = name.replace("-", "\\x2d")
    assert f"Slice=watchbill-{escaped}.slice" in lines
