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
from bisect import bisect_right
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import accumulate, islice
from typing import TYPE_CHECKING

from watchbill.errors import Problem
from watchbill.fleet.source import Mark, Source
from watchbill.fleet.tokens import TEXTS, WORD, WORDS, Shape

if TYPE_CHECKING:
    from watchbill.fleet.document import Document, Respelled

MAX_FOUND = 100
CODE = "secret-in-file"
HINT = "name its source under secrets: instead, and replace it: whoever has read the file has it"

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
    """Add a problem for each secret in the files of a fleet, up to MAX_FOUND for each file."""
    for problem in _problems(document):
        document.add(problem)


def _problems(document: Document) -> Iterator[Problem]:
    lines: set[tuple[Source, int]] = set()
    for source in document.all_sources():
        for secret in _secrets(document, source):
            line = source.text.count("\n", 0, secret.start) + 1
            column = secret.start - source.text.rfind("\n", 0, secret.start)
            lines.add((source, line))
            yield _problem(Mark(line, column, source=source), secret)
    for (_, mark, last), secret in _in_respelled(document):
        if mark.source and not any((mark.source, line) in lines for line in range(mark.line, last + 1)):
            yield _problem(mark, secret)


def _problem(mark: Mark, secret: Secret) -> Problem:
    message = f"this looks like {secret.kind}, and no file of a fleet may hold one"
    return mark.problem(CODE, message, HINT, excerpt=False)


def _secrets(document: Document, source: Source) -> list[Secret]:
    if source not in document.secrets:
        document.secrets[source] = find(source.text, shapeless=source.is_written)
    return document.secrets[source]


def _in_respelled(document: Document) -> Iterator[tuple[Respelled, Secret]]:
    """Yield the values that are spelled otherwise in their file, and are secrets as they are meant."""
    values = [one.value for one in document.respelled]
    starts = list(accumulate((len(value) + 1 for value in values), initial=0))
    for secret in find("\n".join(values)):
        yield document.respelled[bisect_right(starts, secret.start) - 1], secret


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
    before = text[max(0, run.start() - 200) : run.start()]
    if _PUBLIC.search(re.split(r"\s", before)[-1] + word[:8]) or _PLACEHOLDER.search(word):
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
    """Return problems that show nothing of a secret that is in one of the files.

    Where a file is full of secrets, they are all that is told.
    """
    sources = document.all_sources()
    if any(len(_secrets(document, source)) >= MAX_FOUND for source in sources):
        told = [problem for problem in problems if problem.code == CODE]
        return told or list(islice(_problems(document), MAX_FOUND))
    pieces = {
        piece.strip()
        for source in sources
        for secret in _secrets(document, source)
        for piece in source.text[secret.start : secret.end].split("\n")
    }
    for (value, mark, last), _ in _in_respelled(document):
        lines = mark.source.lines[mark.line - 1 : last] if mark.source else [""]
        pieces |= {value, lines[0][mark.column - 1 :].strip(), *(line.strip() for line in lines[1:])}
    words = sorted((piece for piece in pieces if len(piece) > 3), key=len, reverse=True)
    if not words:
        return list(problems)
    excerpts = {problem.excerpt: _cover(problem.excerpt, words) for problem in problems if problem.excerpt is not None}
    return [
        replace(
            problem,
            message=_cover_cut(problem.message, words),
            hint=_cover_cut(problem.hint, words),
            excerpt=None if problem.excerpt is None else excerpts[problem.excerpt],
        )
        for problem in problems
    ]


def _cover(text: str, words: Iterable[str]) -> str:
    """Return a text with the words covered; it is as long as before."""
    for word in words:
        text = text.replace(word, _COVER * len(word))
    return text


def _cover_cut(text: str, words: Iterable[str]) -> str:
    """Return a message with the words covered, also where an ellipsis cuts them."""
    text = _cover(text, words)
    for end in (index for index, letter in enumerate(text) if letter == "…"):
        longest = max((_overlap(text[:end], word) for word in words), default=0)
        text = text[: end - longest] + _COVER * longest + text[end:]
    return text


def _overlap(text: str, word: str) -> int:
    """Return how many letters at the end of a text are the beginning of a word."""
    return next((length for length in range(min(len(text), len(word)), 0, -1) if text.endswith(word[:length])), 0)
