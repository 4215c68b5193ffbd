"""The schemas in schemas/, as tests read them: every object whole, nothing beside it."""

from __future__ import annotations

import json
from functools import cache
from pathlib import Path
from typing import Any

from jsonschema import Draft202012Validator
from referencing import Registry
from referencing.jsonschema import DRAFT202012

SCHEMAS = Path(__file__).resolve().parents[2] / "schemas"


def closed(schema: Any) -> Any:
    """Return a schema that refuses what it does not name: published ones allow additions, tests do not."""
    if isinstance(schema, list):
        return [closed(part) for part in schema]
    if not isinstance(schema, dict):
        return schema
    whole = {key: closed(value) for key, value in schema.items()}
    if "properties" in schema and "additionalProperties" not in schema:
        whole["unevaluatedProperties"] = False
    return whole


@cache
def published() -> dict[str, Any]:
    """Return all schemas by their names."""
    return {path.name.removesuffix(".schema.json"): json.loads(path.read_text()) for path in SCHEMAS.glob("*.json")}


def violations(name: str, value: Any) -> list[str]:
    """Return what is wrong with a value that programs read, by the schema of that name."""
    schema = published()[name]
    Draft202012Validator.check_schema(schema)
    registry: Registry[Any] = Registry().with_resources(
        (one["$id"], DRAFT202012.create_resource(one)) for one in published().values() if "$id" in one
    )
    validator = Draft202012Validator(closed(schema), registry=registry)
    return [error.message for error in validator.iter_errors(json.loads(json.dumps(value)))]
