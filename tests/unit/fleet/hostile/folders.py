"""Files that lead elsewhere: includes, personas and skills that loop, leave the folder, or are no files at all."""

from __future__ import annotations

import os
import socket
from collections.abc import Callable
from pathlib import Path

from tests.unit.fleet.hostile.case import BASE, FIRST, Case, content, folder, generated

INCLUDE = f"{BASE}include: [‸%s]\n"
PERSONA = f"{BASE}roles: {{coder: {{persona: ‸%s}}}}\n"
SKILL = f"{BASE}roles: {{coder: {{skills: [‸s]}}}}\n"
PAGE = "---\nname: s\ndescription: A skill.\n---\n# A skill\n"
Prepare = Callable[[Path], None]


def _link(name: str, to: str) -> Prepare:
    """Return what makes a symbolic link; ``OUT`` in `to` is a folder beside that of the fleet."""

    def prepare(where: Path) -> None:
        path = where / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.symlink_to(to.replace("OUT", str(_outside(where))))

    return prepare


def _outside(where: Path) -> Path:
    """Return a folder outside of the fleet's with right files in it."""
    out = where.parent / f"{where.name}-outside"
    (out / "s").mkdir(parents=True, exist_ok=True)
    (out / "f.yaml").write_text("teams: {b: {tenant: t}}\n")
    (out / "page.md").write_text("# A persona\n")
    (out / "s" / "SKILL.md").write_text(PAGE)
    return out


def _socket(name: str) -> Prepare:
    def prepare(where: Path) -> None:
        # The path of a socket is short: it is bound by a name relative to its folder.
        here = os.open(where, os.O_PATH)
        with socket.socket(socket.AF_UNIX) as server:
            server.bind(f"/proc/self/fd/{here}/{name}")
        os.close(here)

    return prepare


def _many(where: Path, text: str, name: str, count: int, data: str) -> None:
    (where / "fleet.yaml").write_text(text)
    for number in range(count):
        path = where / name.replace("%d", str(number))
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(data.replace("%d", str(number)).replace("%n", str(number + 1)))


_NO_PATHS = {
    "climbing": "../f.yaml",
    "climbing-inside": "a/../../f.yaml",
    "climbing-at-the-end": "a/..",
    "absolute": "/etc/passwd",
    "home": "~/f.yaml",
    "home-of-another": "~root/f.yaml",
    "itself-as-a-folder": ".",
    "through-itself": "./f.yaml",
    "double-slash": "a//f.yaml",
    "with-a-slash-at-its-end": "a/",
    "of-backslashes": "'a\\..\\f.yaml'",
    "with-a-star-in-the-middle": "'*/f.yaml'",
    "nowhere": '""',
    "long": "a" * 1000,
    "very-long": "/".join(["a" * 200] * 10),
    "endless": "a/" * 500_000 + "f",
}
_NO_FILES: dict[str, tuple[str, Prepare]] = {
    "missing": ("missing-file", lambda where: None),
    "a-folder": ("unreadable-file", lambda where: (where / "x").mkdir()),
    "a-fifo": ("unreadable-file", lambda where: os.mkfifo(where / "x")),
    "a-socket": ("unreadable-file", _socket("x")),
    "a-link-to-itself": ("unreadable-file", _link("x", "x")),
    "a-link-to-zeros": ("outside-folder", _link("x", "/dev/zero")),
    "a-link-to-standard-input": ("outside-folder", _link("x", "/dev/stdin")),
    "a-link-to-passwd": ("outside-folder", _link("x", "/etc/passwd")),
    "a-link-to-nowhere": ("outside-folder", _link("x", "/nonexistent/x")),
    "a-link-out": ("outside-folder", _link("x", "OUT/f.yaml")),
    "a-link-up-and-out": ("outside-folder", _link("x", "../../../../../../../../etc/passwd")),
    "a-link-to-memory": ("outside-folder", _link("x", "/proc/self/environ")),
}


CASES: dict[str, Case] = {
    # paths that are none
    **{f"include-{what}": folder({"fleet.yaml": INCLUDE % path}, "bad-path") for what, path in _NO_PATHS.items()},
    **{f"persona-{what}": folder({"fleet.yaml": PERSONA % path}, "bad-path") for what, path in _NO_PATHS.items()},
    **{
        f"skill-{what}": folder({"fleet.yaml": SKILL.replace("‸s", f"‸{path}")}, "bad-name")
        for what, path in _NO_PATHS.items()
        if not path.startswith("a" * 5)
    },
    # paths to what is no file, or not of this folder
    **{f"include-of-{what}": folder({"fleet.yaml": INCLUDE % "x"}, *rest) for what, rest in _NO_FILES.items()},
    **{f"persona-of-{what}": folder({"fleet.yaml": PERSONA % "x"}, *rest) for what, rest in _NO_FILES.items()},
    "include-through-a-folder-that-is-a-link": folder(
        {"fleet.yaml": INCLUDE % "d/f.yaml"}, "outside-folder", _link("d", "OUT")
    ),
    "include-of-all-in-a-folder-that-is-a-link": folder(
        {"fleet.yaml": INCLUDE % "'d/*.yaml'"}, "outside-folder", _link("d", "OUT")
    ),
    "include-of-all-and-one-is-a-link": folder(
        {"fleet.yaml": INCLUDE % "'d/*.yaml'", "d/a.yaml": "teams: {}\n"},
        "outside-folder",
        _link("d/b.yaml", "OUT/f.yaml"),
    ),
    "include-by-links-in-a-row": folder(
        {"fleet.yaml": INCLUDE % "x"},
        "outside-folder",
        lambda where: [_link(n, to)(where) for n, to in (("x", "y/f.yaml"), ("y", "z"), ("z", "OUT"))] and None,
    ),
    "include-of-a-file-as-a-folder": folder({"fleet.yaml": INCLUDE % "fleet.yaml/x"}, "unreadable-file"),
    "persona-through-a-folder-that-is-a-link": folder(
        {"fleet.yaml": PERSONA % "d/page.md"}, "outside-folder", _link("d", "OUT")
    ),
    "skill-that-is-a-link": folder({"fleet.yaml": SKILL}, "outside-folder", _link("skills/s", "OUT/s")),
    "skills-that-are-a-link": folder({"fleet.yaml": SKILL}, "outside-folder", _link("skills", "OUT")),
    "skill-whose-page-is-a-link": folder(
        {"fleet.yaml": SKILL}, "outside-folder", _link("skills/s/SKILL.md", "OUT/s/SKILL.md")
    ),
    "skill-with-a-link": folder(
        {"fleet.yaml": SKILL, "skills/s/SKILL.md": PAGE}, "outside-folder", _link("skills/s/x", "/etc/passwd")
    ),
    "skill-with-a-folder-that-is-a-link": folder(
        {"fleet.yaml": SKILL, "skills/s/SKILL.md": PAGE}, "bad-skill", _link("skills/s/d", "OUT")
    ),
    "skill-with-a-folder-that-is-a-loop": folder(
        {"fleet.yaml": SKILL, "skills/s/SKILL.md": PAGE}, "bad-skill", _link("skills/s/d", ".")
    ),
    "skill-with-a-fifo": folder(
        {"fleet.yaml": SKILL, "skills/s/SKILL.md": PAGE},
        "unreadable-file",
        lambda where: os.mkfifo(where / "skills/s/x"),
    ),
    "skill-with-a-name-for-a-shell": folder(
        {"fleet.yaml": SKILL, "skills/s/SKILL.md": PAGE, "skills/s/$(id)": ""}, "bad-name"
    ),
    "skill-with-a-name-of-two-lines": folder(
        {"fleet.yaml": SKILL, "skills/s/SKILL.md": PAGE, "skills/s/a\nb": ""}, "bad-name"
    ),
    "skill-with-a-name-that-hides": folder(
        {"fleet.yaml": SKILL, "skills/s/SKILL.md": PAGE, "skills/s/a\u202eb": ""}, "bad-name"
    ),
    "skill-with-a-name-of-no-text": folder(
        {"fleet.yaml": SKILL, "skills/s/SKILL.md": PAGE, "skills/s/a\udcff": ""}, "bad-name"
    ),
    "skill-with-a-page-of-two-megabytes": folder(
        {"fleet.yaml": SKILL, "skills/s/SKILL.md": PAGE, "skills/s/x": "x" * (2 << 20)}, "too-large"
    ),
    "skill-with-folders-in-folders": folder(
        {"fleet.yaml": SKILL, "skills/s/SKILL.md": PAGE, f"skills/s/{'d/' * 50}x": ""}, "too-deep"
    ),
    "skill-with-a-thousand-files": generated(
        lambda where: _many(where, SKILL.replace("‸", ""), "skills/s/f%d", 1000, PAGE), "unknown-skill", FIRST, 26
    ),
    "skill-with-front-matter-that-is-a-bomb": folder(
        {"fleet.yaml": SKILL.replace("‸", ""), "skills/s/SKILL.md": "---\na: ‸&a [x]\nb: [*a, *a]\n---\n"}, "anchor"
    ),
    "skill-with-front-matter-that-is-deep": folder(
        {"fleet.yaml": SKILL.replace("‸", ""), "skills/s/SKILL.md": f"---\n{'[' * 32}‸{'[' * 5000}\n---\n"}, "too-deep"
    ),
    "skill-with-front-matter-of-an-object": folder(
        {"fleet.yaml": SKILL.replace("‸", ""), "skills/s/SKILL.md": "---\ndescription: ‸!!python/name:os x\n---\n"},
        "tag",
    ),
    "skill-with-a-hidden-mark": folder(
        {"fleet.yaml": SKILL.replace("‸", ""), "skills/s/SKILL.md": f"{PAGE}be ‸\u202egood\n"}, "control-character"
    ),
    "skill-in-utf-16": folder(
        {"fleet.yaml": SKILL, "skills/s/SKILL.md": b"\xff\xfe-\0"}, "not-utf-8", at=("skills/s/SKILL.md", 1, 1)
    ),
    # pages
    "persona-of-a-megabyte": folder({"fleet.yaml": PERSONA % "p.md", "p.md": "x" * (1 << 20)}, "too-large"),
    "persona-with-an-escape-sequence": folder(
        {"fleet.yaml": (PERSONA % "p.md").replace("‸", ""), "p.md": "# One\n\nbe ‸\x1b[8mbad\x1b[0m good\n"},
        "control-character",
    ),
    "persona-with-letters-that-nobody-sees": folder(
        {"fleet.yaml": (PERSONA % "p.md").replace("‸", ""), "p.md": "be ‸\U000e0062\U000e0061\U000e0064 good\n"},
        "control-character",
    ),
    "persona-in-latin-1": folder(
        {"fleet.yaml": PERSONA % "p.md", "p.md": b"caf\xe9\n"}, "not-utf-8", at=("p.md", 1, 4)
    ),
    "persona-of-zeros": folder(
        {"fleet.yaml": PERSONA % "p.md", "p.md": b"\0" * 1000}, "control-character", at=("p.md", 1, 1)
    ),
    # includes that lead back, or to too many
    "include-of-itself": folder({"fleet.yaml": INCLUDE % "fleet.yaml"}, "include-loop"),
    "include-of-itself-by-a-link": folder({"fleet.yaml": INCLUDE % "x"}, "include-loop", _link("x", "fleet.yaml")),
    "includes-of-each-other": folder(
        {"fleet.yaml": f"{BASE}include: [a.yaml]\n", "a.yaml": "include: [b.yaml]\n", "b.yaml": "include: [‸a.yaml]\n"},
        "include-loop",
    ),
    "include-of-the-top-file": folder(
        {"fleet.yaml": f"{BASE}include: [a.yaml]\n", "a.yaml": "include: [‸fleet.yaml]\n"}, "include-loop"
    ),
    "include-twice": folder(
        {"fleet.yaml": f"{BASE}include: [a.yaml, ‸a.yaml]\n", "a.yaml": "teams: {}\n"}, "included-twice"
    ),
    "include-of-one-file-by-two-names": folder(
        {"fleet.yaml": f"{BASE}include: [a.yaml, ‸b.yaml]\n", "a.yaml": "teams: {}\n"},
        "included-twice",
        _link("b.yaml", "a.yaml"),
    ),
    "include-of-what-is-said-once": folder(
        {"fleet.yaml": f"{BASE}include: [a.yaml]\n", "a.yaml": "‸policy: {prune: auto}\n"}, "not-included"
    ),
    "include-of-a-bomb": folder(
        {"fleet.yaml": f"{BASE}include: [a.yaml]\n", "a.yaml": "teams: ‸&a {b: {tenant: t}}\n"}, "anchor"
    ),
    "include-of-another-type": folder(
        {"fleet.yaml": f"{BASE}include: [a.yaml]\n", "a.yaml": "teams: ‸[b]\n"}, "wrong-type"
    ),
    "include-of-files-that-include-the-next": generated(
        lambda where: _many(where, BASE + "include: [f0.yaml]\n", "f%d.yaml", 900, "include: [f%n.yaml]\n"),
        "too-deep",
        1,
        11,
        "f15.yaml",
    ),
    "include-of-thousands": generated(
        lambda where: _many(where, BASE + "include: ['d/*']\n", "d/f%d.yaml", 2000, "teams: {}\n"),
        "too-many-files",
        FIRST,
        11,
    ),
    "include-a-hundred-thousand-times": content(
        BASE + "include:\n" + "- a.yaml\n" * 100_000, "too-many-values", FIRST + 20_001, 3
    ),
    "include-two-hundred-times": content(BASE + "include:\n" + "- a.yaml\n" * 200, "too-long", FIRST + 1, 1),
    "include-of-many-stars": folder(
        {"fleet.yaml": f"{BASE}include: [‸'{'*a' * 120}b']\n", "a" * 200: ""}, "missing-file"
    ),
    "include-of-everything-is-not-of-oneself": folder(
        {"fleet.yaml": f"{BASE}include: ['*.yaml']\n", "a.yaml": "teams: {‸a: {tenant: t}}\n"}, "duplicate-key"
    ),
}
