"""Writes a fleet in any style that YAML has for it, with comments everywhere. Each comment is there once."""

from __future__ import annotations

from random import Random
from typing import Any


class Writer:
    """One style, chosen by `random`, for a mapping of sections."""

    def __init__(self, random: Random) -> None:
        self.random = random
        self.comments = 0
        self.indent = random.choice([2, 3, 4])
        self.dash_indent = random.choice([0, 2, 4])
        self.dash = random.choice(["- ", "-   "])
        self.padding = random.choice(["", " "])
        self.spaced = random.random() < 0.3
        self.commented = random.choice([0.0, 0.3, 0.6])

    def text(self, sections: dict[str, Any]) -> str:
        """Return the whole text."""
        lines = self.maybe_comments(0)
        for name, value in sections.items():
            lines += self.section(name, value)
            lines += [""] * self.random.choice([0, 1, 2])
        newline = self.random.choice(["\n", "\r\n"])
        text = newline.join(lines).rstrip("\r\n")
        return text + (newline if self.random.random() < 0.8 else "")

    def section(self, name: str, value: Any) -> list[str]:
        """Return the lines of one section."""
        if not isinstance(value, (dict, list)):
            return [f"{name}: {value}{self.trailing()}"]
        style = self.random.choice(["block", "block", "block", "one line", "lines"]) if value else "one line"
        if style != "block":
            flow = self.flow(value, 2, lines=style == "lines")
            return [f"{name}: {flow[0]}", *flow[1:-1], *(flow[-1:] if len(flow) > 1 else [])]
        lines = [f"{name}:{self.trailing()}"]
        entries = list(value.items() if isinstance(value, dict) else enumerate(value))
        for number, (key, entry) in enumerate(entries):
            column = self.indent if isinstance(value, dict) else self.dash_indent
            lines += [""] if number and self.spaced else []
            lines += self.maybe_comments(column)
            lines += self.entry(key, entry, column)
            lines += self.maybe_comments(column + 1)
        return lines

    def entry(self, key: Any, entry: dict[str, Any], column: int) -> list[str]:
        """Return the lines of one entry of a section in block style."""
        is_item = isinstance(key, int)
        head = " " * column + (self.dash if is_item else f"{key}:")
        if self.random.random() < 0.6:
            flow = self.flow(entry, column + 4, lines=self.random.random() < 0.2)
            flow[0] = head + ("" if is_item else self.random.choice([" ", "  "])) + flow[0]
            flow[-1] += self.trailing() if len(flow) == 1 else ""
            return flow
        inner = column + (len(self.dash) if is_item else self.indent)
        lines = [] if is_item else [head + self.trailing()]
        for number, (name, value) in enumerate(entry.items()):
            beside = head if is_item and number == 0 else " " * inner
            lines += self.maybe_comments(inner) if beside != head else []
            lines.append(f"{beside}{name}: {self.scalar(value)}{self.trailing()}")
        return lines

    def flow(self, value: Any, column: int, *, lines: bool) -> list[str]:
        """Return a value in flow style, on one line or with a line for each element."""
        opening, closing = ("{", "}") if isinstance(value, dict) else ("[", "]")
        elements = [
            f"{key}: {self.flow_inside(one)}" if isinstance(value, dict) else self.flow_inside(one)
            for key, one in (value.items() if isinstance(value, dict) else enumerate(value))
        ]
        if not lines or not elements:
            pad = self.padding if elements and opening == "{" else ""
            return [f"{opening}{pad}{', '.join(elements)}{pad}{closing}"]
        commas = ["," for _ in elements[:-1]] + [self.random.choice(["", ","])]
        body = [" " * column + one + comma + self.trailing() for one, comma in zip(elements, commas, strict=True)]
        return [opening + self.trailing(), *body, " " * max(1, column - 2) + closing]

    def flow_inside(self, value: Any) -> str:
        """Return a value inside of another in flow style: on one line."""
        return self.flow(value, 0, lines=False)[0] if isinstance(value, (dict, list)) else self.scalar(value)

    def scalar(self, value: Any) -> str:
        """Return a scalar in one of the ways it can be written."""
        if isinstance(value, (dict, list)):
            return self.flow_inside(value)
        if isinstance(value, str):
            return self.random.choice([value, f'"{value}"', f"'{value}'"])
        return str(value).lower()

    def maybe_comments(self, column: int) -> list[str]:
        """Return some lines of comments."""
        return [" " * column + self.comment() for _ in range(2) if self.random.random() < self.commented / 2]

    def trailing(self) -> str:
        """Return a comment for the end of a line, or nothing."""
        return "  " + self.comment() if self.random.random() < self.commented else ""

    def comment(self) -> str:
        """Return a comment that is there once, made of what would mean something elsewhere."""
        self.comments += 1
        return f"# {self.comments}: {self.random.choice(['{', '- x', '], [', 'a: b,', 'é', ''])};"
