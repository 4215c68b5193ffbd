"""What the compiler writes is what keeper, launcher, shell and systemd read; what nobody can mean is refused."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.watchbill.fleet.plugins.module_utils._keeper.definition import (
    DefinitionError,
    format_environment,
    parse_definition,
    parse_environment,
    read_definition,
)
from hypothesis import example, given, settings
from hypothesis import strategies as st

from tests.unit.keeper.bench import definition

NAMES = st.from_regex(r"[A-Za-z_][A-Za-z0-9_]{0,10}", fullmatch=True)
VALUES = st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]), max_size=40)
NASTY = "a \"b\" 'c' $HOME ${X} `id` $(id) \\ \\\\ \\n %h # ! ~ é 漢\n\r\t\x7f\x81 \\"


@given(st.dictionaries(NAMES, VALUES, max_size=5))
@example({"X": NASTY, "EMPTY": ""})
def test_environment_survives_writing_and_reading(variables: dict[str, str]) -> None:
    assert parse_environment(format_environment(variables)) == variables


@given(VALUES)
@example(NASTY)
@settings(max_examples=60, deadline=None)
def test_shell_reads_what_was_written(value: str) -> None:
    script = format_environment({"X": value}) + b'printf %s "$X"'
    said = subprocess.run(["sh"], input=script, capture_output=True, check=True)
    assert (said.stdout, said.stderr) == (value.encode(), b"")


def test_environment_is_the_same_bytes_whatever_the_order() -> None:
    assert format_environment({"B": "2", "A": "1"}) == format_environment({"A": "1", "B": "2"}) == b'A="1"\nB="2"\n'


@pytest.mark.parametrize("variables", [{"A-B": ""}, {"1A": ""}, {"A": "\0"}, {"": ""}, {"A\n": ""}, {"A=B": "x"}])
def test_what_no_environment_can_hold_is_refused(variables: dict[str, str]) -> None:
    with pytest.raises(ValueError, match=r"name of a variable|NUL"):
        format_environment(variables)


@pytest.mark.parametrize(
    "content",
    [b"A=1\n", b'A="1', b'A="1" \n', b'A="$HOME"\n', b'A="`id`"\n', b'A="\\x"\n', b"A", b'export A="1"\n', b'="1"\n'],
)
def test_environment_of_another_form_is_refused_and_not_guessed(content: bytes) -> None:
    with pytest.raises(ValueError, match=r"character|end"):
        parse_environment(content)


def test_definition_has_what_a_keeper_needs() -> None:
    orders = parse_definition(definition())
    assert (orders.tenant, orders.name, orders.runtime, orders.enabled) == ("studio", "coder0", "stub", True)
    assert (orders.interval, orders.healthy_within, orders.restart, orders.stuck) == (5.0, 30.0, "when-idle", "restart")


@pytest.mark.parametrize(
    "changes",
    [
        {"format_version": 2},
        {"enabled": "no"},
        {"tenant": ""},
        {"runtime": None},
        {"launch": {"argv": [], "working_directory": "~", "path": "/bin", "term": "x"}},
        {"launch": {"argv": "sh -c", "working_directory": "~", "path": "/bin", "term": "x"}},
        {"heartbeat": {"interval": 0, "healthy_within": 30}},
        {"heartbeat": {"interval": True, "healthy_within": 30}},
        {"heartbeat": {"interval": 5, "healthy_within": float("nan")}},
        {"policy": {"restart": "whenever", "stuck": "restart"}},
        {"policy": None},
        {"start_delay": -1},
    ],
)
def test_definition_that_nobody_can_mean_is_refused(changes: dict[str, Any]) -> None:
    with pytest.raises(ValueError):
        parse_definition(definition(**changes))


@pytest.mark.parametrize("content", [b"", b"[]", b"{", b"\xff", b"[" * 100_000])
def test_broken_definition_file_is_an_error_that_names_it(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "definition.json").write_bytes(content)
    with pytest.raises(DefinitionError, match=r"definition\.json"):
        read_definition(str(tmp_path))


def test_definition_is_not_read_through_a_link(tmp_path: Path) -> None:
    (tmp_path / "elsewhere.json").write_text(json.dumps(definition()))
    (tmp_path / "definition.json").symlink_to(tmp_path / "elsewhere.json")
    with pytest.raises(DefinitionError):
        read_definition(str(tmp_path))
