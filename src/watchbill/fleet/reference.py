"""The vocabulary of fleet.yaml described in Markdown, out of its JSON Schema: docs/reference/fleet.md is this text."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import yaml

from watchbill.fleet.include import INCLUDED_KEYS
from watchbill.fleet.kinds import JsonSchema
from watchbill.fleet.schema import fleet_schema

# What the examples are called that stand under a name.
_NAMES = {
    "tenants": "studio",
    "hosts": "desk",
    "teams": "app",
    "projects": "shop",
    "roles": "sre",
    "runtimes": "claude",
    "schedules": "office",
    "secrets": "github",
}
_HEAD = """<!-- Written by scripts/generate out of the model. Change src/watchbill/fleet/model.py. -->

# The fleet file

Every key of `fleet.yaml`. How to begin and what to do with it: [guide](../guide.md).

With this first line, editors with yaml-language-server complete the file, explain its keys and underline what is wrong
(`watchbill init` writes the line and the schema):

    # yaml-language-server: $schema=.watchbill/fleet.schema.json

What the schema accepts can still be wrong, such as the name of a team that does not exist: `watchbill validate` tells,
with the place of every mistake. The file is plain YAML without anchors, aliases and tags. A key that is there has a
value; text that YAML takes for something else is quoted: `"3"`, `"no"`.

A file that another one includes has only these keys, and a schema of its own:
{included}.

    # yaml-language-server: $schema=../.watchbill/fleet-part.schema.json
"""


def reference() -> str:
    """Return the whole page."""
    return "\n".join(_Page(fleet_schema()).paragraphs())


class _Page:
    """Writes the page from top to bottom: the keys of the file, its sections, the sections in those, kinds of text."""

    def __init__(self, schema: JsonSchema) -> None:
        self.schema = schema
        self.definitions: JsonSchema = schema["$defs"]
        sections = {name for name, definition in self.definitions.items() if "properties" in definition}
        at_the_top = {_name(_one_of(value)): key for key, value in schema["properties"].items()}
        self.headings = {name: key for name, key in at_the_top.items() if name in sections}
        self.headings |= {name: _spaced(name) for name in sorted(sections - self.headings.keys())}

    def paragraphs(self) -> Iterator[str]:
        included = ", ".join(f"`{key}`" for key in INCLUDED_KEYS)
        yield _HEAD.replace("{included}", included)
        yield "## All keys\n"
        needed = [*self.schema["required"], *self.schema["else"]["required"]]
        yield self._table(self.schema["properties"], needed)
        yield "A file that includes others may leave `tenants`, `hosts`, `teams` and `roster` to them.\n"
        for name, heading in self.headings.items():
            definition = self.definitions[name]
            yield f"## {heading}\n"
            yield definition["description"] + "\n"
            yield self._table(definition["properties"], definition.get("required", []))
            for example in definition.get("examples", []):
                yield f"```yaml\n{_example(heading, example)}```\n"
        yield "## Kinds of text\n"
        yield self._kinds()

    def _table(self, properties: JsonSchema, needed: list[str]) -> str:
        rows = []
        for key, value in properties.items():
            default = _code(value["default"]) if value.get("default", "") != "" else ""
            examples = value.get("examples") or self._kind(value)
            example = _code(examples[0]) if examples else ""
            rows.append(
                [f"`{key}`", self._type(value), "**needed**" if key in needed else default, _meaning(value), example]
            )
        return _rows(["key", "value", "default", "meaning", "example"], rows)

    def _kinds(self) -> str:
        rows = []
        for name, kind in self.definitions.items():
            if name not in self.headings:
                examples = kind.get("examples") or kind["enum"]
                told = " · ".join(_code(example) for example in examples)
                rows.append([f'<a id="{_anchor(name)}"></a>{_spaced(name)}', kind["description"], told])
        return _rows(["kind", "rule", "examples"], rows)

    def _kind(self, value: JsonSchema) -> list[Any]:
        """Return the examples of the kind of text that a value is."""
        kind = self.definitions.get(_name(value), {})
        return kind.get("examples", []) if kind.get("type") == "string" else []

    def _type(self, value: JsonSchema) -> str:
        name = _name(value)
        if name in self.headings:
            return f"[{_spaced(name)}](#{_anchor(self.headings[name])})"
        if name:
            most = f", at most {value['maxLength']}" if "maxLength" in value else ""
            return f"[{_spaced(name)}](#{_anchor(name)}){most}"
        if "anyOf" in value:
            return " or ".join(self._type(one) for one in value["anyOf"])
        if "enum" in value or "const" in value:
            return " · ".join(_code(one) for one in value.get("enum", [value.get("const")]))
        if value["type"] == "array":
            return f"list of {self._type(value['items'])}"
        if value["type"] == "object":
            return f"{self._type(value['propertyNames'])}: {self._type(value['additionalProperties'])}"
        if value["type"] == "boolean":
            return "`true` · `false`"
        most = f" to {value['maximum']}" if "maximum" in value else " on"
        return f"number from {value['minimum']}{most}"


def _example(heading: str, example: JsonSchema) -> str:
    """Return the example of a section as it stands in a file, below its key."""
    if heading in _NAMES:
        return _yaml({heading: {_NAMES[heading]: example}})
    return _yaml({heading.rpartition(" ")[2]: [example] if heading in ("roster", "ignore") else example})


def _one_of(value: JsonSchema) -> JsonSchema:
    """Return the schema of each of many, where a value holds many."""
    many = value.get("additionalProperties", value.get("items"))
    return many if isinstance(many, dict) else value


def _name(value: JsonSchema) -> str:
    """Return the name of the definition that a schema refers to, an empty one where it does not."""
    return str(value.get("$ref", "")).rpartition("/")[2]


def _values(value: dict[str, Any]) -> list[Any]:
    """Return the words that a value may be; one alone is a ``const`` in a schema."""
    return list(value["enum"]) if "enum" in value else [value["const"]] if "const" in value else []


def _meaning(value: JsonSchema) -> str:
    """Return what a key means and what each of its values does."""
    told = value.get("enumDescriptions", [])
    values = [f"<br>`{one}`: {text}" for one, text in zip(_values(value), told, strict=bool(told))]
    return f"{value['description']}{''.join(values)}"


def _spaced(name: str) -> str:
    """Return a name of the schema in words: ``host key`` for ``hostKey``."""
    return re.sub("[A-Z]", lambda capital: " " + capital[0].lower(), name)


def _anchor(text: str) -> str:
    return _spaced(text).replace(" ", "-")


def _yaml(value: Any) -> str:
    text: str = yaml.safe_dump(value, sort_keys=False, default_flow_style=None, allow_unicode=True, width=110)
    return text


def _code(value: Any) -> str:
    """Return a value as one writes it in the file, as code."""
    text: str = yaml.safe_dump(value, sort_keys=False, default_flow_style=True, allow_unicode=True, width=10_000)
    return f"`{text.removesuffix('...' + chr(10)).strip()}`"


def _rows(head: list[str], rows: list[list[str]]) -> str:
    lines = [head, ["---"] * len(head), *rows]
    return "".join("| " + " | ".join(cell.replace("|", "\\|") for cell in line) + " |\n" for line in lines)
