"""A fleet can be begun, and edited with help, wherever Watchbill came from: nothing is fetched for it."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.packaging.conftest import PROJECT, Installation
from watchbill.presets import PRESETS, SCHEMAS


@pytest.mark.parametrize("preset", PRESETS)
def test_installed_wheel_begins_every_preset(preset: str, from_wheel: Installation) -> None:
    shown = from_wheel.run("watchbill", "init", "--preset", preset, f"begun/{preset}")
    assert f"begun/{preset}/fleet.yaml is valid" in shown
    for schema in SCHEMAS:
        written = from_wheel.directory / "begun" / preset / schema
        assert written.read_bytes() == (PROJECT / "schemas" / written.name).read_bytes()


def test_source_distribution_has_the_schema_where_examples_look_for_it(source_distribution: Path) -> None:
    examples = [path.read_text() for path in source_distribution.glob("inventories/*/fleet.yaml")]
    assert any("$schema=../schemas/fleet.schema.json\n" in text for text in examples)
    wanted = (source_distribution / "schemas" / "fleet.schema.json").read_bytes()
    assert (source_distribution / "inventories" / "schemas" / "fleet.schema.json").read_bytes() == wanted
