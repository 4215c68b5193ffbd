"""How values are spelled in YAML, so that every reader takes them for what they are."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

import yaml

from watchbill.fleet.scalars import read_scalar

# Letters of any language, and the punctuation of names, paths, addresses and sentences where it means nothing to YAML.
_PLAIN = re.compile(r"[\w/~](?:[\w/~.@%+='()!*-]|:(?=[\w/~])|[ ](?=[\w/~(]))*")
# Booleans in YAML 1.1 as it is written, though not in PyYAML.
_ONE_LETTER = frozenset("yYnN")
_resolve: Any = yaml.resolver.Resolver().resolve


def scalar(value: str | int | bool, *, quoted: bool = False) -> str:
    """Return one value on one line: text plain where that is safe in every place, else in double quotes.

    `quoted` puts all text in quotes, as JSON does.
    """
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int):
        return str(value)
    return value if not quoted and _is_plain(value) else _in_quotes(value)


def flow(value: Any, *, padding: str = "", quoted: bool = False) -> str:
    """Return a value on one line: ``{name: coder, count: 2}``, ``[a, b]``, or a scalar."""
    if isinstance(value, Mapping):
        pairs = ", ".join(f"{scalar(k, quoted=quoted)}: {flow(v, quoted=quoted)}" for k, v in value.items())
        return f"{{{padding}{pairs}{padding}}}" if pairs else "{}"
    if isinstance(value, list):
        return f"[{', '.join(flow(one, quoted=quoted) for one in value)}]"
    return scalar(value, quoted=quoted)


def block(value: Mapping[str, Any]) -> list[str]:
    """Return a mapping as lines, one key each, without indentation."""
    return [f"{scalar(key)}: {flow(inner)}" for key, inner in value.items()]


def _is_plain(text: str) -> bool:
    """Say whether YAML 1.1, YAML 1.2 and Watchbill all read `text` without quotes as just that text."""
    return (
        _PLAIN.fullmatch(text) is not None
        and text not in _ONE_LETTER
        and read_scalar(text) == text
        and _resolve(yaml.ScalarNode, text, (True, False)) == "tag:yaml.org,2002:str"
    )


def _in_quotes(text: str) -> str:
    escaped = text.replace("\\", "\\\\").replace('"', '\\"')
    return '"' + "".join(c if _is_shown(c) else _escape(c) for c in escaped) + '"'


def _is_shown(character: str) -> bool:
    return character == " " or character.isprintable()


def _escape(character: str) -> str:
    code = ord(character)
    return f"\\x{code:02x}" if code < 0x100 else f"\\u{code:04x}" if code < 0x10000 else f"\\U{code:08x}"
