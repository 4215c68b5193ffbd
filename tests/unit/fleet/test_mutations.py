"""Whatever value is in a file: a Fleet in which all holds, or located errors. Whatever text: see tests/fuzz."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.fuzz.promises import holds, refused_in_place
from watchbill.errors import FleetError
from watchbill.fleet import Fleet, load_fleet

from .conftest import GOOD

EVIL = [
    "%i", "$(id)", "{{ 1 }}", "a;b", "'", '"', "`id`", "a\nb", "a\0b", "\x1b[31m", "a\u202eb", "../../etc/passwd",
    "-oProxyCommand=id", "", " ", "~", "no", "12:30:00", "<<", "=", "#x", "&a", "*a", "!x", "[", "{", "\ud7ff",
    "\u0430pp", "root", "1", "-1", "1e999", "0x10", "\\", "$HOME", "${HOME}", "a b", "\u00a0", "\ufeff", "\U000e0041",
    "x" * 1000,
]  # fmt: skip
scalars = st.one_of(
    st.none(), st.booleans(), st.integers(), st.floats(), st.sampled_from(EVIL), st.text(max_size=20), st.just("desk")
)
values = st.recursive(
    scalars, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3)
)
WORDS = sorted(set(re.findall(r"[\w./~-]+|[{}\[\],:]|\n *", GOOD)))


def loaded(path: Path, content: bytes) -> Fleet | None:
    """Return the fleet, or None where the file was refused as it should be."""
    path.write_bytes(content)
    try:
        fleet = load_fleet(path)
    except FleetError as error:
        refused_in_place(error, {path: content})
        return None
    return fleet


def paths(data: object, here: tuple[str | int, ...] = ()) -> list[tuple[str | int, ...]]:
    """Return the path of every value in plain data."""
    pairs = data.items() if isinstance(data, dict) else enumerate(data) if isinstance(data, list) else ()
    return [here, *(path for key, value in pairs for path in paths(value, (*here, key)))]


PATHS = paths(yaml.safe_load(GOOD))[1:]


@pytest.fixture(scope="module")
def file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("mutations") / "fleet.yaml"


@settings(max_examples=400)
@given(path=st.sampled_from(PATHS), value=values, as_key=st.booleans())
def test_any_value_anywhere_is_refused_in_place_or_harmless(
    file: Path, path: tuple[str | int, ...], value: object, as_key: bool
) -> None:
    data = yaml.safe_load(GOOD)
    parent = data
    for step in path[:-1]:
        parent = parent[step]
    if as_key and isinstance(parent, dict) and isinstance(value, (str, int, float, bool)):
        parent[value] = parent.pop(path[-1])
    else:
        parent[path[-1]] = value
    fleet = loaded(file, yaml.safe_dump(data, allow_unicode=True).encode("utf-8", "replace"))
    if fleet is not None:
        holds(fleet)


@settings(max_examples=100)
@given(words=st.lists(st.sampled_from([*WORDS, *EVIL]), max_size=60))
def test_any_salad_of_words_is_refused_in_place(file: Path, words: list[str]) -> None:
    assert loaded(file, " ".join(words).encode("utf-8", "surrogatepass")) is None
