"""The JSON Schema that editors use agrees with the loader about files that we publish."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import yaml
from jsonschema import Draft202012Validator

PROJECT = Path(__file__).resolve().parents[2]
EXAMPLES = sorted(PROJECT.glob("inventories/*/fleet.yaml"))


@pytest.fixture(scope="module")
def validator() -> Draft202012Validator:
    schema = json.loads((PROJECT / "schemas/fleet.schema.json").read_text())
    Draft202012Validator.check_schema(schema)
    return Draft202012Validator(schema)


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: path.parent.name)
def test_editor_accepts_every_example(path: Path, validator: Draft202012Validator) -> None:
    assert [error.message for error in validator.iter_errors(yaml.safe_load(path.read_text()))] == []


def test_there_are_examples() -> None:
    assert EXAMPLES


def test_editor_underlines_an_unknown_key(validator: Draft202012Validator) -> None:
    fleet = yaml.safe_load(EXAMPLES[0].read_text()) | {"rooster": []}
    assert any("rooster" in error.message for error in validator.iter_errors(fleet))
