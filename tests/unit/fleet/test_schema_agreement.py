"""Editors (by the JSON Schema) and the loader (by the model) accept the same files, whatever is in them.

The long form: WATCHBILL_FUZZ=20000 python -m pytest tests/unit/fleet/test_schema_agreement.py
"""

from __future__ import annotations

import copy
import functools
import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from watchbill.errors import FleetError
from watchbill.fleet.include import read_document

from .schema_edges import DEFINITIONS, EDGES, SCHEMA, agree, fleet_with

PLACE = Path("/nowhere/fleet.yaml")
EXAMPLES = int(os.environ.get("WATCHBILL_FUZZ", "300"))

in_agreement = settings(max_examples=EXAMPLES, deadline=None, suppress_health_check=list(HealthCheck))


def as_read(data: Any) -> Any:
    """Return data as it comes out of our YAML loader, None where that finds no mapping."""
    text = json.dumps(data, ensure_ascii=False).encode("utf-8", "replace")
    try:
        return read_document(PLACE, {PLACE: text}).data
    except FleetError:
        return None


def right(schema: dict[str, Any]) -> st.SearchStrategy[Any]:
    """Return a strategy for values that a part of our schema accepts."""
    if "$ref" in schema:
        name = schema["$ref"].rpartition("/")[2]
        length = (schema.get("minLength", 0), schema.get("maxLength", 10**6))
        if name in EDGES and "anyOf" not in DEFINITIONS[name]:
            return right_text(name, *length)
        return right_definition(name)
    if "anyOf" in schema:
        return st.one_of([right(one) for one in schema["anyOf"]])
    if "const" in schema:
        return st.just(schema["const"])
    if "enum" in schema:
        return st.sampled_from(schema["enum"])
    if schema["type"] == "boolean":
        return st.booleans()
    if schema["type"] == "string":
        return st.sampled_from(["", "a b", "é"])
    if schema["type"] == "number":
        return st.floats(schema["minimum"], schema["maximum"]) | st.integers(-9, 9)
    if schema["type"] == "integer":
        least, most = schema["minimum"], schema.get("maximum", 10**6)
        return st.sampled_from([least, most, float(most)]) | st.integers(least, most)
    if schema["type"] == "array":
        least = schema.get("minItems", 0)
        return st.lists(right(schema["items"]), min_size=least, max_size=least + 2)
    if "properties" not in schema:
        names = right({"type": "string", **schema["propertyNames"]})
        return st.dictionaries(names, right(schema["additionalProperties"]), max_size=2)
    needed = schema.get("required", []) + schema.get("else", {}).get("required", [])
    return right_section({key: right(one) for key, one in schema["properties"].items()}, needed)


@functools.cache
def right_definition(name: str) -> st.SearchStrategy[Any]:
    """Return a strategy for what a name in the schema stands for; some stand in their own definition."""
    return st.deferred(lambda: right(DEFINITIONS[name]))


@st.composite
def right_section(draw: st.DrawFn, keys: dict[str, st.SearchStrategy[Any]], needed: list[str]) -> dict[str, Any]:
    """Return a section with what it must have, and a few of the others: small ones make many examples."""
    others = draw(st.lists(st.sampled_from(sorted(keys)), max_size=3, unique=True))
    return {key: draw(keys[key]) for key in dict.fromkeys([*needed, *others])}


def right_text(name: str, shortest: int, longest: int) -> st.SearchStrategy[str]:
    return st.sampled_from([text for text in EDGES[name][0] if shortest <= len(text) <= longest])


RIGHT_FLEETS = right(SCHEMA)
STRANGE_CHARACTERS = [
    *"aZ0-_.:/@~*%$ \\{}[]\"'#\n\t\0", "\x7f", "\x85", "\u2028", "\u200b", "é", "\u017f", "\u212a", "名", "💡"
]  # fmt: skip
OTHERS = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-2, 70_000),
    st.floats(allow_nan=False),
    # Made anew each time: what is drawn is bent, too.
    st.builds(list) | st.builds(dict) | st.builds(lambda: [[]]) | st.builds(lambda: {"a": {}}),
    st.sampled_from(["", "none", "no", "25%", "x" * 5000, 10**30]),
    st.sampled_from([text for edges in EDGES.values() for texts in edges for text in texts]),
)
KEYS = sorted({key for one in [SCHEMA, *DEFINITIONS.values()] for key in one.get("properties", {})})


def places(value: Any) -> Iterator[tuple[Any, Any]]:
    """Yield every container in a value with each of its keys."""
    for key, one in list(value.items() if isinstance(value, dict) else enumerate(value)):
        yield value, key
        if isinstance(one, (dict, list)):
            yield from places(one)


def bend(draw: st.DrawFn, container: Any, key: Any) -> None:
    """Change one value a little, or its key."""
    value = container[key]
    how = draw(st.sampled_from(["drop", "add", "swap", "perturb", "rename", "repeat"]))
    if how == "drop":
        del container[key]
    elif how == "add" and isinstance(value, dict):
        value[draw(st.sampled_from(KEYS) | st.text(max_size=4))] = draw(OTHERS)
    elif how == "perturb" and isinstance(value, str):
        container[key] = perturbed(draw, value)
    elif how == "perturb" and isinstance(value, int) and not isinstance(value, bool):
        container[key] = draw(st.sampled_from([float(value), value + 0.5, str(value), -value, value + 1, value - 1]))
    elif how == "rename" and isinstance(key, str):
        container[perturbed(draw, key)] = container.pop(key)
    elif how == "repeat" and isinstance(value, list) and value:
        container[key] = value * draw(st.sampled_from([2, 101, 401]))
    else:
        container[key] = draw(OTHERS)


def perturbed(draw: st.DrawFn, text: str) -> str:
    at = draw(st.integers(0, len(text)))
    head, tail, character = text[:at], text[at:], draw(st.sampled_from(STRANGE_CHARACTERS))
    forms = [head + character + tail, head + tail[1:], head + character + tail[1:]]
    forms += [f"{text}\n", f" {text}", text.upper(), text * 20]
    return forms[draw(st.integers(0, len(forms) - 1))]


@st.composite
def bent_fleets(draw: st.DrawFn) -> Any:
    """Return a fleet with a few things wrong."""
    fleet = copy.deepcopy(draw(RIGHT_FLEETS))
    for _ in range(draw(st.integers(1, 3))):
        everywhere = list(places(fleet))
        if everywhere:
            bend(draw, *everywhere[draw(st.integers(0, len(everywhere) - 1))])
    return fleet


@in_agreement
@given(fleet=RIGHT_FLEETS)
def test_what_the_schema_describes_both_accept(fleet: dict[str, Any]) -> None:
    assert agree(fleet)
    agree(as_read(fleet))


@in_agreement
@given(fleet=bent_fleets())
def test_what_is_bent_both_accept_or_both_refuse(fleet: Any) -> None:
    agree(fleet)
    if (read := as_read(fleet)) is not None:
        agree(read)


@in_agreement
@given(data=st.data())
def test_what_any_text_is_both_say_alike(data: st.DataObject) -> None:
    kind = data.draw(st.sampled_from(sorted(EDGES)))
    texts = st.sampled_from([text for texts in EDGES[kind] for text in texts])
    text = data.draw(texts | st.from_regex(DEFINITIONS[kind].get("pattern", "^x$")))
    for _ in range(data.draw(st.integers(0, 3))):
        text = perturbed(data.draw, text)
    agree(fleet_with(kind, text))
