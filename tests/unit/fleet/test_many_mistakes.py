"""Many mistakes: all are told at once, none of them makes another, and it takes neither long nor pages."""

from __future__ import annotations

import time

from .conftest import GOOD, Problems, with_line
from .speed import in_time


def test_all_mistakes_are_told_at_once_in_the_order_of_the_file(problems: Problems) -> None:
    text = (
        GOOD.replace("version: 1", "version: 1\nversion: 1")
        .replace("uid: 20001", "uid: 1")
        .replace("slots: 4", "slot: 4")
        .replace("priority: 10", "priority: high")
        .replace("LEVEL: role", "LEVEL: 010, A: &x y")
        .replace("project: shop", "project: shpo, count: 3")
        .replace("team: guest, role", "team: gest, role")
    )
    found = problems(text)
    assert [(problem.code, problem.line, problem.column) for problem in found] == [
        ("duplicate-key", 3, 1),
        ("out-of-range", 6, 17),
        ("missing-key", 9, 3),
        ("unknown-key", 9, 29),
        ("wrong-type", 13, 37),
        ("ambiguous-number", 17, 24),
        ("anchor", 17, 32),
        ("unknown-project", 20, 77),
        ("duplicate-key", 20, 83),
        ("unknown-team", 21, 25),
    ]


def test_unknown_reference_and_missing_slot_are_told_together(problems: Problems) -> None:
    text = with_line("team: guest, role", "team: gest, role").replace("count: 2", "count: 9")
    found = problems(text)
    assert [problem.code for problem in found] == ["no-slot", "unknown-team"]
    assert "11 agents want a place, 7 slots are free (desk 4, attic 3)" in found[0].message


def test_a_wrong_entry_does_not_make_others_wrong(problems: Problems) -> None:
    text = with_line("{tenant: studio, priority: 80}", "{tenant: studio, priority: 800}")
    assert [problem.code for problem in problems(text)] == ["out-of-range"]
    text = with_line("{address: 10.0.0.1, slots: 4,", "{address: 10.0.0.1, slots: 4000,")
    assert [problem.code for problem in problems(text)] == ["out-of-range"]


def test_a_file_full_of_mistakes_is_told_in_bounded_length(problems: Problems) -> None:
    text = with_line("projects:\n", "projects:\n" + "".join(f"  p{number}: 1\n" for number in range(19_000)))
    assert len(problems(text)) == 1000


def test_looking_for_near_words_does_not_take_long_however_many_there_are(problems: Problems) -> None:
    teams = "".join(f"  team{number:05}: {{tenant: studio}}\n" for number in range(3000))
    entries = "".join(f"  - {{name: a{n}, team: teem{n}, role: r, runtime: stub}}\n" for n in range(3000))
    before = time.thread_time()
    found = problems(with_line("projects:\n", f"{teams}projects:\n").replace("policy:", f"{entries}policy:"))
    assert len(found) == 1000
    assert in_time(time.thread_time() - before, 2)
