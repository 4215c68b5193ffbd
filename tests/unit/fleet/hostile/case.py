"""What a hostile file is: how it is written, and the error that must come of it, at its place."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

HERE = "‸"
"""In the text of a case: the place of the error, right behind it."""
BASE = """\
version: 1
fleet: {name: x}
tenants: {t: {uid: 20001, floor: none}}
hosts: {h: {address: 10.0.0.1, slots: 1000}}
teams: {a: {tenant: t}}
roster: [{name: n, team: a, role: coder, runtime: stub}]
"""
WITHOUT_ROSTER = BASE[: BASE.index("roster")]
FIRST = BASE.count("\n") + 1
"""The line of what follows BASE, or of the first entry of a roster of one's own."""


@dataclass(frozen=True)
class Case:
    """One hostile fleet. `write` puts it into an empty folder; `code` at `line` and `column` of `file` is the error."""

    write: Callable[[Path], None]
    code: str
    line: int
    column: int
    file: str = "fleet.yaml"


def content(data: bytes | str | Callable[[], bytes | str], code: str, line: int = 1, column: int = 1) -> Case:
    """Return the case of one file with this content, which is made late where it is large."""
    return Case(lambda folder: _write(folder / "fleet.yaml", data() if callable(data) else data), code, line, column)


def each(count: int, line: str, step: int = 1) -> str:
    """Return so many lines, in which ``%d`` stands for the number of each."""
    return "".join(line.replace("%d", str(number * step)) + "\n" for number in range(count))


def marked(text: str, code: str) -> Case:
    """Return the case of one file, whose text has HERE at the place of the error."""
    return folder({"fleet.yaml": text}, code)


def based(old: str, new: str, code: str) -> Case:
    """Return the case of BASE with one piece of text replaced; `new` has HERE at the place of the error."""
    assert BASE.count(old) == 1, old
    return marked(BASE.replace(old, new), code)


def added(text: str, code: str) -> Case:
    """Return the case of BASE with text at its end, which has HERE at the place of the error."""
    return marked(BASE + text, code)


def generated(
    write: Callable[[Path], None], code: str, line: int = 1, column: int = 1, file: str = "fleet.yaml"
) -> Case:
    """Return the case of files that a function makes, because they are large or no files."""
    return Case(write, code, line, column, file)


def folder(
    files: Mapping[str, str | bytes],
    code: str,
    prepare: Callable[[Path], None] = lambda folder: None,
    at: tuple[str, int, int] | None = None,
) -> Case:
    """Return the case of several files, one of which has HERE, where `at` does not name the place of the error.

    `prepare` makes what is no file.
    """
    if at is None:
        [(name, text)] = [(name, text) for name, text in files.items() if isinstance(text, str) and HERE in text]
        before = text[: text.index(HERE)]
        at = name, before.count("\n") + 1, len(before) - before.rfind("\n")
    file, line, column = at

    def write(where: Path) -> None:
        for name, text in files.items():
            _write(where / name, text.replace(HERE, "") if isinstance(text, str) else text)
        prepare(where)

    return Case(write, code, line, column, file)


def _write(path: Path, data: bytes | str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(data.encode("utf-8", "surrogatepass") if isinstance(data, str) else data)
