"""Secrets in the files of a fleet, told by what they are and never by the name of their key.

A fleet file is shared, reviewed and kept for ever: what is secret does not belong there. Known tokens are found in all
that is read, comments included; long random words without a shape of their own only in what people write. Where there
is a secret, no output shows it, whatever else is wrong with the file.
"""

from __future__ import annotations

import base64
import binascii
import math
import re
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import islice
from typing import TYPE_CHECKING

from watchbill.errors import Problem
from watchbill.fleet.source import Mark, Source
from watchbill.fleet.tokens import TEXTS, WORD, WORDS, Shape

if TYPE_CHECKING:
    from watchbill.fleet.document import Document

MAX_FOUND = 100
HINT = "keep it on the host, in the HOME of the agent, and replace it: whoever has read the file has it"

_COVER = "•"
_LONG = re.compile(f"[!-~]{{{WORD},}}")
_PLACEHOLDER = re.compile(r"(?i)your|example|placeholder|redacted|x{5}|\*{3}|\.{3}")
_DISTINCT = 6  # characters in a prefix that is a part of nothing else
_LEAST_VARIETY = 8  # different characters, so that a row of zeros is no token

_RUN = re.compile(r"(?<![A-Za-z0-9+/_~.-])[A-Za-z0-9+/_-]{32,200}={0,2}(?![A-Za-z0-9+/_=~-])")
_MAX_RUNS = 10_000
_HEX = re.compile(r"[0-9a-fA-F=_-]+")
_KINDS = re.compile(r"[a-z]+|[A-Z]+|[0-9]+|[^A-Za-z0-9]+")
# Public keys of OpenSSH, fingerprints, sums of packages, images; addresses, whose secrets have a shape; C++.
_PUBLIC = re.compile(r"AAAA[BCDE]|SHA256:|sha(?:1|256|384|512)-|h1:|data:|://|_Z")
_PUBLIC_BLOCK = re.compile("-----BEGIN (?![A-Z0-9 ]{0,60}PRIVATE)[A-Z0-9 ]{1,60}-----[^-]{0,20000}-----END")
# A random word of 40 letters and digits has 5 bits for each and changes its kind 24 times; CamelCase does 13 times.
_LEAST_BITS = 4.2
_LEAST_TURNS = 0.4
_LEAST_DIGITS = 3
_LEAST_PART = 12  # letters between dashes, of which names have more


@dataclass(frozen=True)
class Secret:
    """What looks like a secret in a text: from `start` to `end`; `kind` is for a sentence."""

    start: int
    end: int
    kind: str


def check(document: Document) -> None:
    """Add a problem for each secret in the files of a fleet."""
    for mark, kind in _places(document):
        message = f"this looks like {kind}, and no file of a fleet may hold one"
        document.add(mark.problem("secret-in-file", message, HINT, excerpt=False))


def _places(document: Document) -> Iterator[tuple[Mark, str]]:
    """Yield place and kind of each secret in all files of a fleet, and in values that are spelled otherwise there."""
    seen: set[tuple[Source, int]] = set()
    for source in document.all_sources():
        for secret in _secrets(document, source):
            line = source.text.count("\n", 0, secret.start) + 1
            column = secret.start - source.text.rfind("\n", 0, secret.start)
            seen.add((source, line))
            yield Mark(line, column, source=source), secret.kind
    for value, mark, last in document.respelled:
        found = find(value)
        if found and mark.source and not any((mark.source, line) in seen for line in range(mark.line, last + 1)):
            yield mark, found[0].kind


def _secrets(document: Document, source: Source) -> list[Secret]:
    if source not in document.secrets:
        document.secrets[source] = find(source.text, shapeless=source.is_written)
    return document.secrets[source]


def find(text: str, *, shapeless: bool = True) -> list[Secret]:
    """Return the secrets in a text, in order, none inside another; those without a known shape only where wanted."""
    words = "\n".join(_LONG.findall(text))
    shapes = [shape for shape in WORDS if shape.part in words] + [shape for shape in TEXTS if shape.part in text]
    found = [secret for shape in shapes for secret in islice(_shaped(text, shape), MAX_FOUND)]
    if shapeless:
        runs = islice(_RUN.finditer(_PUBLIC_BLOCK.sub(_blank, text)), _MAX_RUNS)
        random = [Secret(run.start(), run.end(), "a key or token") for run in runs if _is_random(text, run)]
        found += [one for one in random if not any(one.start < other.end and other.start < one.end for other in found)]
    kept: list[Secret] = []
    for secret in sorted(found, key=lambda one: (one.start, -one.end)):
        if not kept or secret.start >= kept[-1].end:
            kept.append(secret)
    return kept[:MAX_FOUND]


def _blank(block: re.Match[str]) -> str:
    return " " * len(block.group())


def _shaped(text: str, shape: Shape) -> Iterator[Secret]:
    for match in shape.compiled.finditer(text):
        word = match.group()
        before = text[match.start() - 1 : match.start()]
        in_a_word = before.isascii() and (before.isalnum() or before in ("_", "-"))
        if in_a_word and word.startswith(shape.part) and len(shape.part) < _DISTINCT:
            continue  # the end of another word: "task-" ends in "sk-"
        if len(set(word)) >= _LEAST_VARIETY and not _PLACEHOLDER.search(word):
            yield Secret(match.start(), match.end(), shape.kind)


def _is_random(text: str, run: re.Match[str]) -> bool:
    """Say whether a long word is one that nobody made up, and no digest, public key, path, or text in base64."""
    word = run.group()
    if sum(map(word.count, "0123456789")) < _LEAST_DIGITS or _HEX.fullmatch(word):
        return False
    if len(word) < _LEAST_PART * (word.count("-") + word.count("_") + 1):
        return False
    kinds = _KINDS.findall(word)
    if len(kinds) < _LEAST_TURNS * len(word) or word.lower() == word or word.upper() == word:
        return False
    line = text[text.rfind("\n", 0, run.start()) + 1 : run.start()]
    if _PUBLIC.search(line[-200:].rsplit(" ", 1)[-1] + word[:8]) or _PLACEHOLDER.search(word):
        return False
    return _bits(word) >= _LEAST_BITS and not _is_encoded_text(word)


def _bits(word: str) -> float:
    """Return the entropy of a word by its letters, in bits for each (Shannon 1948)."""
    return -sum(count / len(word) * math.log2(count / len(word)) for count in Counter(word).values())


def _is_encoded_text(word: str) -> bool:
    """Say whether a word is the base64 of plain text."""
    padded = word.rstrip("=") + "=" * (-len(word.rstrip("=")) % 4)
    try:
        return base64.b64decode(padded.translate(_FROM_URL), validate=True).decode().isprintable()
    except (binascii.Error, UnicodeDecodeError):
        return False


_FROM_URL = str.maketrans("-_", "+/")


def covered(document: Document, problems: Sequence[Problem]) -> list[Problem]:
    """Return problems that show nothing of a secret that is in one of the files."""
    pieces = {
        piece.strip()
        for source in document.all_sources()
        for secret in _secrets(document, source)
        for piece in source.text[secret.start : secret.end].split("\n")
    }
    for value, mark, last in document.respelled:
        if find(value) and mark.source:
            lines = mark.source.lines[mark.line - 1 : last]
            pieces |= {value, lines[0][mark.column - 1 :].strip(), *(line.strip() for line in lines[1:])}
    words = sorted((piece for piece in pieces if len(piece) > 3), key=len, reverse=True)
    return [_covered(problem, words) for problem in problems] if words else list(problems)


def _covered(problem: Problem, words: Sequence[str]) -> Problem:
    excerpt = None if problem.excerpt is None else _cover(problem.excerpt, words)
    return replace(problem, message=_cover(problem.message, words), hint=_cover(problem.hint, words), excerpt=excerpt)


def _cover(text: str, words: Iterable[str]) -> str:
    """Return a text with the words covered, also where an ellipsis cuts them."""
    for word in words:
        text = text.replace(word, _COVER * len(word))
    for end in (index for index, letter in enumerate(text) if letter == "…"):
        longest = max((_overlap(text[:end], word) for word in words), default=0)
        text = text[: end - longest] + _COVER * longest + text[end:]
    return text


def _overlap(text: str, word: str) -> int:
    """Return how many letters at the end of a text are the beginning of a word."""
    return next((length for length in range(min(len(text), len(word)), 0, -1) if text.endswith(word[:length])), 0)
