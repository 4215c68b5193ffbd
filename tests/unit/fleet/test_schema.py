"""What editors and readers get: two schemas that explain themselves, examples that they accept, a page of reference."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from ansible_collections.watchbill.fleet.plugins.module_utils._schedule_words import DEFAULT_GRACE, read_words
from jsonschema import Draft202012Validator

from watchbill.fleet import AgentPolicy, Heartbeat, Schedule, words
from watchbill.fleet.include import INCLUDED_KEYS
from watchbill.fleet.reference import reference
from watchbill.fleet.schema import fleet_schema, part_schema

PROJECT = Path(__file__).resolve().parents[3]
SCHEMAS = {"fleet.schema.json": fleet_schema(), "fleet-part.schema.json": part_schema()}
PIECE = {key: value for key, value in fleet_schema().items() if key not in ("required", "if", "else")}
EXAMPLES = sorted(PROJECT.glob("inventories/*/**/*.yaml"))
PAGES = [PROJECT / "README.md", *sorted((PROJECT / "docs").glob("*.md"))]

for_each_schema = pytest.mark.parametrize("schema", SCHEMAS.values(), ids=list(SCHEMAS))


class PlainLoader(yaml.SafeLoader):
    """Reads YAML as editors do, for whom a date is text."""


PlainLoader.yaml_implicit_resolvers = {
    first: [(tag, rule) for tag, rule in rules if not tag.endswith(":timestamp")]
    for first, rules in yaml.SafeLoader.yaml_implicit_resolvers.items()
}


def mistakes(schema: str | dict[str, Any], text: str) -> list[str]:
    """Return what an editor would underline in a file with that schema."""
    validator = Draft202012Validator(SCHEMAS[schema] if isinstance(schema, str) else schema)
    return [error.message for error in validator.iter_errors(yaml.load(text, PlainLoader))]  # noqa: S506 - a safe one


def parts(schema: Any, path: str = "#") -> Iterator[tuple[str, dict[str, Any]]]:
    """Yield every schema inside one, with where it is."""
    if isinstance(schema, list):
        for index, one in enumerate(schema):
            yield from parts(one, f"{path}/{index}")
    elif isinstance(schema, dict):
        by_name = path.endswith(("/properties", "/$defs"))
        if not by_name:
            yield path, schema
        for key, one in schema.items():
            if by_name or key not in ("examples", "default", "enum", "const", "not", "required", "if", "else"):
                yield from parts(one, f"{path}/{key}")


@for_each_schema
def test_schema_is_one_by_its_own_standard(schema: dict[str, Any]) -> None:
    assert schema["$schema"] == Draft202012Validator.META_SCHEMA["$id"]
    Draft202012Validator.check_schema(schema)
    assert json.loads((PROJECT / "schemas" / schema["$id"]).read_text())["$id"] == schema["$id"]


@for_each_schema
def test_every_key_section_and_kind_is_explained(schema: dict[str, Any]) -> None:
    explained = [schema, *schema["$defs"].values()]
    for path, part in parts(schema):
        explained.extend(part.get("properties", {}).values())
        assert part.get("type") != "object" or "additionalProperties" in part, path
    assert all(len(one["description"]) > 8 for one in explained)
    assert len(explained) > 60


@for_each_schema
def test_examples_and_defaults_are_right_themselves(schema: dict[str, Any]) -> None:
    found = 0
    for path, part in parts(schema):
        if path == "#":
            continue
        validator = Draft202012Validator({**part, "$defs": schema["$defs"]})
        for value in [*part.get("examples", []), *([part["default"]] if "default" in part else [])]:
            assert [error.message for error in validator.iter_errors(value)] == [], path
            found += 1
    assert found > 60


def test_the_defaults_that_editors_show_are_those_that_hold() -> None:
    sections = SCHEMAS["fleet.schema.json"]["$defs"]
    schedule = {key: value.get("default") for key, value in sections["schedule"]["properties"].items()}
    assert words.duration(schedule["grace"]) == DEFAULT_GRACE
    assert words.duration(schedule["backlog_every"]) == Schedule.backlog_every
    assert schedule["outside"] == read_words({"policy": "manual"}).outside
    policy = sections["policy"]["properties"]
    assert (policy["restart"]["default"], policy["stuck"]["default"]) == (AgentPolicy.restart, AgentPolicy.stuck)
    beat = sections["heartbeat"]["properties"]
    assert f"; {Heartbeat.interval:g}s " in beat["interval"]["description"]
    assert f"; {Heartbeat.healthy_within:g}s " in beat["healthy_within"]["description"]


def test_included_files_have_the_entries_of_the_whole_and_nothing_else() -> None:
    whole, part = SCHEMAS.values()
    assert part["properties"] == {key: whole["properties"][key] for key in INCLUDED_KEYS}
    assert all(whole["$defs"][name] == definition for name, definition in part["$defs"].items())
    assert mistakes("fleet-part.schema.json", "roster: [{name: a, team: b, role: c}]") == []
    assert len(mistakes("fleet-part.schema.json", "fleet: {name: x}")) == 1


def test_editor_underlines_an_unknown_key() -> None:
    text = (PROJECT / "inventories/demo/fleet.yaml").read_text()
    (mistake,) = mistakes("fleet.schema.json", f"{text}\nrooster: []\n")
    assert "rooster" in mistake


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: str(path.relative_to(PROJECT)))
def test_every_example_names_its_schema_which_accepts_it(path: Path) -> None:
    text = path.read_text()
    named = re.match(r"# yaml-language-server: \$schema=(\S+)\n", text)
    assert named is not None
    schema = (path.parent / named[1]).resolve()
    assert schema.parent == PROJECT / "schemas"
    assert schema.name == ("fleet.schema.json" if path.name == "fleet.yaml" else "fleet-part.schema.json")
    assert mistakes(schema.name, text) == []


def test_there_are_examples() -> None:
    assert len(EXAMPLES) >= 5


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_fleet_in_the_documentation_is_accepted(page: Path) -> None:
    for block in re.findall(r"^```yaml\n(.*?)^```", page.read_text(), re.MULTILINE | re.DOTALL):
        whole = re.search("^version: 1", block, re.MULTILINE)
        if whole or (block.partition(":")[0] in PIECE["properties"] and "…" not in block):
            assert mistakes("fleet.schema.json" if whole else PIECE, block) == [], block


def test_every_link_of_the_reference_leads_somewhere() -> None:
    page = reference()
    anchors = re.findall(r'<a id="([^"]+)">', page)
    anchors += [heading.replace(" ", "-").lower() for heading in re.findall(r"^#+ (.+)$", page, re.MULTILINE)]
    assert len(anchors) == len(set(anchors))
    links = re.findall(r"\]\(#([^)]+)\)", page)
    assert len(links) > 60
    assert set(links) <= set(anchors)


def test_the_reference_has_every_key() -> None:
    page = reference()
    for path, part in parts(SCHEMAS["fleet.schema.json"]):
        for key in part.get("properties", {}):
            assert f"\n| `{key}` | " in page, f"{path}/{key}"
