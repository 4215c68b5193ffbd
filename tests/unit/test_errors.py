"""Errors: one line each, a caret in the right place, nothing that a terminal would obey."""

from __future__ import annotations

import pickle

from watchbill.errors import FleetError, OperationError, Problem, visible


def test_problem_without_excerpt_has_its_hint_below() -> None:
    problem = Problem("no-slot", "12 agents want a place", "left out: writer", "fleet.yaml", 31, 5)
    assert problem.render() == "fleet.yaml:31:5: error[no-slot]: 12 agents want a place\n   left out: writer"


def test_caret_stands_under_its_word_behind_wide_and_escaped_characters() -> None:
    for before in ("ä", "日本", "\t", "\x1b[2J"):
        text = f"{before} wrong here"
        problem = Problem("x", "y", "", "f", 1, len(before) + 2, text, 5)
        _, shown, caret = problem.render().split("\n")
        wide = sum(1 for c in shown if c in "日本")
        assert caret.index("^") - wide == shown.index("wrong")
        assert caret.count("^") == 5


def test_long_line_is_cut_around_the_mistake() -> None:
    text = "a" * 500 + " wrong " + "b" * 500
    rendered = Problem("x", "y", "a hint", "f", 1, 502, text, 5).render().split("\n")
    assert all(len(line) <= 100 for line in rendered)
    assert rendered[1][rendered[2].index("^") :].startswith("wrong")


def test_nothing_a_terminal_would_obey_is_shown() -> None:
    evil = "a\x1b[31m\u202eb\nc\x9b\u2028\ue000"
    problem = Problem("x", evil, evil, evil, 1, 1, evil)
    for shown in (problem.render(), str(problem), *map(str, problem.to_json().values())):
        assert not set(shown) & set("\x1b\u202e\x9b\u2028")
    assert str(problem).count("\n") == 0
    assert visible("\x1b") == "\\x1b"


def test_json_has_the_six_keys() -> None:
    problem = Problem("code", "message", "", "fleet.yaml", 3, 4, "text")
    assert FleetError([problem]).to_json() == {
        "errors": [{"file": "fleet.yaml", "line": 3, "column": 4, "code": "code", "message": "message", "hint": None}]
    }
    assert OperationError("message", "hint", "code").to_json() == {
        "errors": [{"file": None, "line": None, "column": None, "code": "code", "message": "message", "hint": "hint"}]
    }


def test_errors_survive_a_process_boundary() -> None:
    fleet_error = pickle.loads(pickle.dumps(FleetError([Problem("a", "b")])))  # noqa: S301 - our own bytes
    operation_error = pickle.loads(pickle.dumps(OperationError("a", "b", "c")))  # noqa: S301
    assert fleet_error.problems == (Problem("a", "b"),)
    assert (operation_error.message, operation_error.hint, operation_error.code) == ("a", "b", "c")
