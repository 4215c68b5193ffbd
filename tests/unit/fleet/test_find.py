"""How people name one agent: by tenant and name, and shorter where only one can be meant."""

from __future__ import annotations

import pytest

from watchbill.errors import OperationError

from .conftest import Load, with_line


@pytest.fixture
def text() -> str:
    both = with_line("{name: guest, team: guest", "{name: guest, alias: Ada, team: guest")
    return both.replace("{name: orchestrator, team: app", "{name: orchestrator, alias: Ada, team: app")


def test_alias_is_a_name(load: Load, text: str) -> None:
    fleet = load(text.replace("alias: Ada, team: guest", "alias: Zoë, team: guest"))
    assert fleet.find("Zoë") is fleet.find("guests/Zoë") is fleet.find("guests/guest")


def test_alias_of_two_tenants_needs_the_tenant(load: Load, text: str) -> None:
    fleet = load(text)
    with pytest.raises(OperationError, match="2 tenants") as caught:
        fleet.find("Ada")
    assert caught.value.hint == "say which: guests/guest or studio/orchestrator"
    assert fleet.find("studio/Ada").name == "orchestrator"


def test_only_a_whole_reference_is_exact(load: Load, text: str) -> None:
    fleet = load(text)
    assert fleet.get("studio/coder0") is fleet.find("coder0")
    assert [fleet.get(one) for one in ("coder0", "studio/Ada", "studio/gone", "", None)] == [None] * 5
