"""Files that are too large, in every dimension that a file has."""

from __future__ import annotations

from pathlib import Path

from tests.unit.fleet.hostile.case import BASE, FIRST, WITHOUT_ROSTER, Case, content, each, generated
from watchbill.fleet.load import MAX_VALUES, MOST_ENTRIES
from watchbill.fleet.source import MAX_BYTES

TOP, SECTION, ENTRY = MOST_ENTRIES


def _fifty_gigabytes(folder: Path) -> None:
    with (folder / "fleet.yaml").open("wb") as stream:
        stream.truncate(50 << 30)


def _fifty_megabytes(folder: Path) -> None:
    entry = "- {name: n0, team: a, role: coder, runtime: stub}\n" * 1000
    (folder / "fleet.yaml").write_text(WITHOUT_ROSTER + "roster:\n" + entry * (50_000_000 // len(entry)))


def _many_full_files(folder: Path) -> None:
    """Each file has as many values as may be, then a mistake, so that none of it is ever merged."""
    (folder / "fleet.yaml").write_text(BASE + "include: ['f*.yaml']\n")
    for number in range(20):
        (folder / f"f{number}.yaml").write_text("roster:\n" + "- 1\n" * SECTION + "}\n")


CASES: dict[str, Case] = {
    # bytes
    "fifty-megabytes": generated(_fifty_megabytes, "too-large", 1, 1),
    "fifty-gigabytes-of-nothing": generated(_fifty_gigabytes, "too-large", 1, 1),
    "one-byte-too-many": content(lambda: b"#" * (MAX_BYTES + 1), "too-large"),
    "one-line-of-plain-text": content(lambda: f"{BASE}x: {'a' * 4_000_000}\n", "unknown-key", FIRST),
    "one-line-in-quotes": content(lambda: f'{BASE}x: "{"a" * 4_000_000}"\n', "unknown-key", FIRST),
    "one-line-of-apostrophes": content(lambda: f"{BASE}x: '{chr(39) * 4_000_000}'\n", "unknown-key", FIRST),
    "one-line-of-backslashes": content(lambda: f'{BASE}x: "{chr(92) * 4_000_000}"\n', "unknown-key", FIRST),
    "one-line-of-spaces": content(lambda: f"{BASE}x:{' ' * 4_000_000}1\n", "unknown-key", FIRST),
    "a-block-of-a-million-lines": content(lambda: BASE + "x: |\n" + "  \n" * 1_000_000, "unknown-key", FIRST),
    "a-value-folded-over-a-million-lines": content(lambda: BASE + "x: a\n" + " a\n" * 1_000_000, "unknown-key", FIRST),
    "two-million-empty-lines": content(lambda: "\n" * 2_000_000 + BASE + "x: 1\n", "unknown-key", 2_000_000 + FIRST),
    "four-million-characters-of-comment": content(
        lambda: f"{BASE}#{'a' * 4_000_000}\nx: 1\n", "unknown-key", FIRST + 1
    ),
    "a-million-wide-characters": content(lambda: f"{BASE}#{'漢' * 1_300_000}\nx: 1\n", "unknown-key", FIRST + 1),
    "a-million-controls": content(lambda: BASE + "#" + "\x1b" * 1_000_000, "control-character", FIRST, 2),
    "four-million-colons": content(lambda: BASE + ":" * 4_000_000, "not-yaml", FIRST, 4_000_000),
    "two-million-question-marks": content(lambda: "? " * 2_000_000, "too-deep", 1, 65),
    "two-million-dashes": content(lambda: "- " * 2_000_000, "too-deep", 1, 65),
    "four-million-commas": content(lambda: f"[{',' * 4_000_000}]", "not-yaml", 1, 2),
    "half-a-million-anchors": content(lambda: "- &a x\n" * 500_000, "anchor", 1, 3),
    "half-a-million-tags": content(lambda: "- !a x\n" * 500_000, "tag", 1, 3),
    "a-tag-of-a-million-letters": content(lambda: f"version: !{'a' * 1_000_000} 1\n", "tag", 1, 10),
    "an-anchor-of-a-million-letters": content(lambda: f"version: &{'a' * 1_000_000} 1\n", "anchor", 1, 10),
    # values
    "a-million-values-in-a-list": content(lambda: f"[{'a,' * 1_000_000}]", "too-many-values", 1, 2 * TOP + 2),
    "four-hundred-thousand-keys": content(lambda: each(300_000, "k%d: 1"), "too-many-values", TOP + 1, 7),
    "keys-like-each-other": content(lambda: each(100_000, "k%d: 1", step=2**20), "too-many-values", TOP + 1, 13),
    "too-many-entries": content(
        lambda: WITHOUT_ROSTER + "roster:\n" + "- {}\n" * (SECTION + 1), "too-many-values", FIRST + SECTION, 3
    ),
    "too-many-values-in-an-entry": content(
        lambda: f"{BASE}policy: {{canary: [{'h,' * 2000}]}}\n", "too-many-values", FIRST, 2 * ENTRY + 19
    ),
    "too-many-values-in-all": content(
        lambda: "".join(f"{name}:\n{each(SECTION, '  k%d: x')}" for name in "abcdefg"),
        "too-many-values",
        MAX_VALUES + 2,
        11,
    ),
    "lists-in-lists": content(lambda: "a:\n" + f"- {'[' * 25}{']' * 25}\n" * 6500, "too-many-values", 4802, 27),
    "many-files-all-of-them-full": generated(_many_full_files, "too-many-values", 2, 3, "f5.yaml"),
    # mistakes
    "a-hundred-thousand-duplicates": content(lambda: BASE + "version: 1\n" * 100_000, "duplicate-key", FIRST),
    "a-roster-of-numbers": content(lambda: WITHOUT_ROSTER + "roster:\n" + "- 1\n" * SECTION, "wrong-type", FIRST, 3),
    "a-roster-of-nothing": content(lambda: WITHOUT_ROSTER + "roster:\n" + "- {}\n" * SECTION, "missing-key", FIRST, 3),
    "unknown-keys-everywhere": content(
        lambda: WITHOUT_ROSTER + "roster:\n" + f"- {{{', '.join(f'k{key}: 1' for key in range(900))}}}\n" * 120,
        "unknown-key",
        FIRST,
        4,
    ),
    "tokens-everywhere": content(
        lambda: f"{BASE}# {'gh' + 'p_q3uIFhmcVmPv4oGZQd4dfXOmiKLQKI0RQjyZ ' * 90_000}\n", "secret-in-file", FIRST, 3
    ),
    "words-like-tokens-everywhere": content(
        lambda: f"{BASE}#{' q3uIFhmcVmPv4oGZQd4dfXOm-iKLQKI0RQjyZ' * 90_000}\n", "secret-in-file", FIRST, 3
    ),
    "escapes-everywhere": content(
        lambda: BASE + "x:\n" + each(19_000, '  p%d: ["\\x61\\x62", "\\x63", "a\\\n  b"]'), "unknown-key", FIRST
    ),
    "names-that-are-none": content(lambda: BASE + "projects:\n" + each(SECTION, "  P%d: {}"), "bad-name", FIRST + 1, 3),
}
