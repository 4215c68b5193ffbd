"""What somebody types on a command line is read back as just that text, by every reader of YAML."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from watchbill.edit import spelling
from watchbill.edit.layout import compose, data_of

HOSTILE = [
    *("no", "on", "y", "N", "~", "null", "true", "12:30", "12:30:00", "0x1f", "010", "1e3", "1_000", ".5", ".inf", "="),
    *("#", "a #b", "a: b", "a:", ":a", "- a", "-", "? a", "&a", "*a", "!a", "%a", "@a", "`a`", "|", ">", "a,b", "[a]"),
    *("{a}", "'a", '"a', "a\\b", 'a"b', "a'b", " a", "a ", "", "---", "...", "<<", "2026-01-01", "{{ a }}", "$(a)"),
    *("a\tb", "a\nb", "\u00a0", "Überall 😀", "\u2029", "\x1b[31m", "\0", "\ufeff", "\U000e0041", "\x85", "x" * 500),
]
texts = st.one_of(
    st.sampled_from(HOSTILE),
    st.text(" -?:,[]{}#&*!|>'\"%@`=~.0a/\\()", max_size=6),
    st.text(st.characters(exclude_categories=["Cs"]), max_size=20),
)
PLACES: dict[str, Callable[[str], str]] = {
    "value": lambda text: f"x: {text}\ny: 1\n",
    "value before a comment": lambda text: f"x: {text} # y\n",
    "key": lambda text: f"{text}: 1\n",
    "item": lambda text: f"x:\n- {text}\n- y\n",
    "value in braces": lambda text: f"x: {{x: {text}, y: 1}}\n",
    "last value in braces": lambda text: f"x: {{x: {text}}}\n",
    "key in braces": lambda text: f"x: {{{text}: 1}}\n",
    "item in brackets": lambda text: f"x: [{text}]\n",
}


@pytest.mark.parametrize("place", PLACES)
@settings(max_examples=300)
@given(text=texts, quoted=st.booleans())
def test_text_is_read_back_exactly(place: str, text: str, quoted: bool) -> None:
    document = PLACES[place](spelling.scalar(text, quoted=quoted))
    assert document.count("\n") == PLACES[place]("").count("\n")
    for data in (
        yaml.load(document, yaml.SafeLoader),
        yaml.load(document, yaml.CSafeLoader),
        data_of(compose(document)),
    ):
        assert text in leaves(data)


@given(st.dictionaries(st.text("abc", min_size=1), st.one_of(texts, st.integers(), st.booleans(), st.lists(texts))))
def test_an_entry_is_the_same_in_flow_and_in_block_style(entry: dict[str, Any]) -> None:
    assert yaml.safe_load(spelling.flow(entry)) == entry
    assert yaml.safe_load(spelling.flow(entry, padding=" ", quoted=True)) == entry
    assert yaml.safe_load("\n".join(spelling.block(entry)) or "{}") == entry


@pytest.mark.parametrize(
    "text",
    ["~/src/shop", "10.0.0.1", "https://git.example.org/a/b.git", "git@host:a/b.git", "gpt-5.5:high", "Ein Café (alt)"],
)
def test_what_needs_no_quotes_has_none(text: str) -> None:
    assert spelling.scalar(text) == text


def leaves(value: Any) -> list[Any]:
    """Return all keys and scalars in a value."""
    if isinstance(value, dict):
        return [leaf for pair in value.items() for one in pair for leaf in leaves(one)]
    return [leaf for one in value for leaf in leaves(one)] if isinstance(value, list) else [value]
