"""The JSON Schemas of fleet.yaml and of files that it includes, made of the model: what editors complete and underline.

They accept exactly what the model accepts (tests/unit/fleet/test_schema_agreement.py). Whether the words of a file fit
together is for `watchbill validate`.
"""

from __future__ import annotations

import copy
from collections.abc import Iterator
from typing import Any

from pydantic.json_schema import GenerateJsonSchema, JsonSchemaValue
from pydantic_core import core_schema

from watchbill.fleet.include import INCLUDED_KEYS
from watchbill.fleet.kinds import ABSENT, AGAIN, SHARED, JsonSchema
from watchbill.fleet.model import FleetSpec

DIALECT = "https://json-schema.org/draft/2020-12/schema"
# Below these stand schemas by name; below those, values.
_BY_NAME = ("properties", "$defs")
_VALUES = ("default", "examples", "enum", "const", "not", "required", "enumDescriptions", SHARED)
# What only some editors know is last in each schema; the others leave it alone, as they have to.
_FIRST = (
    "$schema",
    "$id",
    "title",
    "$ref",
    "description",
    "type",
    "const",
    "enum",
    "pattern",
    "minLength",
    "maxLength",
)
_LAST = ("default", "examples", "enumDescriptions", "patternErrorMessage", "$defs")


def fleet_schema() -> JsonSchema:
    """Return the schema of a top file. What it must hold it may leave to the files that it includes."""
    schema = _whole()
    needed = [name for name, field in FleetSpec.model_fields.items() if field.default is ABSENT]
    includes = {"required": ["include"], "properties": {"include": {"minItems": 1}}}
    head = {"$schema": DIALECT, "$id": "fleet.schema.json", "title": "fleet.yaml"}
    return _ordered({**head, **schema, "if": includes, "else": {"required": needed}})


def part_schema() -> JsonSchema:
    """Return the schema of an included file: entries only, all of them optional."""
    schema = _whole()
    properties = {key: schema["properties"][key] for key in INCLUDED_KEYS}
    definitions = schema["$defs"]
    used = _used({"properties": properties}, definitions)
    head = {"$schema": DIALECT, "$id": "fleet-part.schema.json", "title": "a file that fleet.yaml includes"}
    return _ordered(
        {
            **head,
            "description": "A part of a fleet: entries that are added to those of the file that includes it.",
            "type": "object",
            "properties": properties,
            "additionalProperties": False,
            "$defs": {name: definition for name, definition in definitions.items() if name in used},
        }
    )


def _whole() -> JsonSchema:
    # A copy: some parts of it are the model's own.
    schema = copy.deepcopy(FleetSpec.model_json_schema(by_alias=True, schema_generator=_Generator))
    sections = {_definition_name(name): section for name, section in schema.pop("$defs").items()}
    whole: JsonSchema = {**schema, "$defs": sections}
    shared: JsonSchema = {}
    for part in list(_parts(whole)):
        part.pop("title", None)
        if "$ref" in part:
            part["$ref"] = f"#/$defs/{_definition_name(part['$ref'].rpartition('/')[2])}"
        _share(part, shared)
    for part in [part for kind in shared.values() for part in _parts(kind) if AGAIN in part]:
        part["$ref"] = f"#/$defs/{part.pop(AGAIN)}"
    if both := sections.keys() & shared.keys():
        raise ValueError(f"sections and kinds of text share names: {both}")
    whole["$defs"] = dict(sorted({**sections, **shared}.items()))
    return whole


class _Generator(GenerateJsonSchema):
    """Pydantic's own, without what says nothing: titles made of names, and the defaults None and `nothing`."""

    def field_title_should_be_set(self, schema: Any) -> bool:
        """Return that no field gets a title made of its name."""
        return False

    def sort(self, value: JsonSchemaValue, parent_key: str | None = None) -> JsonSchemaValue:
        """Return the keys in the order of the model."""
        return value

    def default_schema(self, schema: core_schema.WithDefaultSchema) -> JsonSchemaValue:
        """Return the schema with its default, where that is a value that one could write."""
        inner = self.generate_inner(schema["schema"])
        default = self.get_default_value(schema)
        return {**inner, "default": default} if isinstance(default, (bool, int, str)) else inner

    def tagged_union_schema(self, schema: core_schema.TaggedUnionSchema) -> JsonSchemaValue:
        """Return that a value is one of several things: which of them, its type says."""
        return {"anyOf": [self.generate_inner(choice) for choice in schema["choices"].values()]}

    def dict_schema(self, schema: core_schema.DictSchema) -> JsonSchemaValue:
        """Return a mapping of names: what a key must look like is one rule, as in the model, and not a filter."""
        names = self.generate_inner(schema["keys_schema"])
        values = self.generate_inner(schema["values_schema"])
        most = {"maxProperties": schema["max_length"]} if "max_length" in schema else {}
        return {"type": "object", "propertyNames": names, "additionalProperties": values, **most}


def _definition_name(name: str) -> str:
    """Return how a section is called in the schema: ``agentPolicy`` for AgentPolicySpec."""
    name = name.removesuffix("Spec")
    return name[0].lower() + name[1:]


def _parts(schema: Any) -> Iterator[JsonSchema]:
    """Yield every schema in a schema, the inner ones first."""
    if isinstance(schema, list):
        for one in schema:
            yield from _parts(one)
    elif isinstance(schema, dict):
        for key, value in schema.items():
            if key in _BY_NAME:
                for one in value.values():
                    yield from _parts(one)
            elif key not in _VALUES:
                yield from _parts(value)
        yield schema


def _share(part: JsonSchema, shared: JsonSchema) -> None:
    """Turn a kind of text into a reference to its one definition; what is said beside it stays there."""
    for name, kind in part.pop(SHARED, {}).items():
        shared[name] = kind
        part["$ref"] = f"#/$defs/{name}"


def _ordered(schema: JsonSchema) -> JsonSchema:
    """Return a schema with its keys in the order in which a person wants to read them."""
    keys = [key for key in schema if key not in (*_FIRST, *_LAST)]
    ordered: JsonSchema = {}
    for key in (*_FIRST, *keys, *_LAST):
        value = schema.get(key)
        if isinstance(value, dict) and key in _BY_NAME:
            ordered[key] = {name: _ordered(one) for name, one in value.items()}
        elif isinstance(value, dict) and key not in _VALUES:
            ordered[key] = _ordered(value)
        elif key in schema:
            ordered[key] = value
    return ordered


def _used(schema: JsonSchema, definitions: JsonSchema) -> set[str]:
    """Return the names of all definitions that a schema needs."""
    used: set[str] = set()
    todo = [schema]
    while todo:
        for part in _parts(todo.pop()):
            name = part.get("$ref", "").rpartition("/")[2]
            if name and name not in used:
                used.add(name)
                todo.append(definitions[name])
    return used
