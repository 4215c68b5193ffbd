"""From the raw data of a fleet file to its typed sections; what pydantic finds is said in our words, at its place."""

from __future__ import annotations

import re
import types
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated, Any, Union, get_args, get_origin, get_type_hints

from pydantic import BaseModel, TypeAdapter, ValidationError
from pydantic_core import ErrorDetails

from watchbill.errors import Problem
from watchbill.fleet.document import Document, Step
from watchbill.fleet.kinds import WHOLE, TextOrMapping
from watchbill.fleet.model import FleetSpec
from watchbill.fleet.words import shorten

Path = tuple[Step, ...]
ENTRY_WORDS = {
    "tenants": "tenant",
    "hosts": "host",
    "teams": "team",
    "projects": "project",
    "roles": "role",
    "runtimes": "runtime",
    "schedules": "schedule",
    "secrets": "secret",
    "notify": "notifier",
    "jobs": "job",
    "roster": "roster entry",
}
LISTS = ("jobs", "roster")
_STAND_INS: dict[str, Any] = {
    "version": 1,
    "fleet": {"name": "unnamed"},
    "tenants": {},
    "hosts": {},
    "teams": {},
    "roster": [],
}
# What pydantic has in the path of a mistake and no file has.
_NOT_STEPS = ("[key]", TextOrMapping.MAPPING, TextOrMapping.TEXT)
_KINDS = {
    "string_type": "text",
    "int_type": "a whole number",
    "bool_type": "true or false",
    "list_type": "a list",
    "dict_type": "a mapping of keys to values",
    "model_type": "a mapping of keys to values",
}


@dataclass
class Typed:
    """The typed sections without the entries that are `wrong`; `places[i]` is the index in the file of entry i."""

    spec: FleetSpec
    places: list[int]
    wrong: set[Path]

    def has_all(self, *sections: str) -> bool:
        """Say whether nothing is missing from these sections because it was wrong."""
        return not any(path[0] in sections for path in self.wrong)


def read_typed(document: Document) -> Typed:
    """Return the typed sections of a document. What is wrong is added to its problems, and left out."""
    data: dict[str, Any] = dict(document.data)
    taken = {(problem.line, problem.column) for problem in document.problems}
    wrong: set[Path] = set()
    for section, adapter in _SECTIONS.items():
        entries = data.get(section)
        if isinstance(entries, dict):
            data[section] = {}
            for name, entry in entries.items():
                try:
                    data[section].update(adapter.validate_python({name: entry}, context=WHOLE))
                except ValidationError as error:
                    _report(document, error, (section,), taken, wrong)
        elif isinstance(entries, list) and section in LISTS:
            data[section] = []
            for place, entry in enumerate(entries):
                try:
                    data[section] += adapter.validate_python([entry], context=WHOLE)
                except ValidationError as error:
                    _report(document, error, (section, place), taken, wrong)
    roster = document.data.get("roster")
    count = len(roster) if isinstance(roster, list) else 0
    places = [place for place in range(count) if ("roster", place) not in wrong]
    try:
        return Typed(FleetSpec.model_validate(data, context=WHOLE), places, wrong)
    except ValidationError as error:
        broken = _report(document, error, (), taken, wrong)
    right = {section: value for section, value in data.items() if (section,) not in broken}
    return Typed(FleetSpec.model_validate({**_STAND_INS, **right}, context=WHOLE), places, wrong)


# Entries are typed one by one: pydantic collects all errors before it tells the first, and a hostile file has millions.
_TYPES = get_type_hints(FleetSpec, include_extras=True)
_SECTIONS: dict[str, TypeAdapter[Any]] = {section: TypeAdapter(_TYPES[section]) for section in ENTRY_WORDS}


def _report(
    document: Document, error: ValidationError, where: Path, taken: set[tuple[int | None, int | None]], wrong: set[Path]
) -> set[Path]:
    """Add what pydantic found at `where` to the problems, but for places that have one; return what is `wrong` now."""
    found = set()
    for detail in error.errors(include_url=False):
        # The one entry of a list that is looked at alone is always the first.
        below = detail["loc"][1:] if len(where) > 1 else detail["loc"]
        path = (*where, *(step for step in below if step not in _NOT_STEPS))
        found.add(path[:2] if path[0] in ENTRY_WORDS else path[:1])
        problem = _problem(document, detail, path)
        if not document.is_broken(path) and (problem.line, problem.column) not in taken:
            document.add(problem)
    wrong |= found
    return found


def describe(document: Document, path: Sequence[Step]) -> tuple[str, str]:
    """Return whom a path is about (``host "desk"``), and what of it (``connect.port``)."""
    if path and path[0] in ENTRY_WORDS and len(path) >= 2:
        name: Any = path[1]
        if path[0] == "roster":
            entry = document.data["roster"][path[1]]
            name = entry.get("name", "") if isinstance(entry, dict) else ""
        shown = f' "{shorten(name)}"' if isinstance(name, str) and name else ""
        return ENTRY_WORDS[str(path[0])] + shown, _dotted(path[2:])
    return "the fleet file", _dotted(path)


def _dotted(path: Sequence[Step]) -> str:
    text = "".join(f"[{step}]" if isinstance(step, int) else f".{shorten(step)}" for step in path)
    return text.removeprefix(".")


def _problem(document: Document, detail: ErrorDetails, path: Path) -> Problem:
    """Return one of pydantic's errors as a problem of ours."""
    kind = detail["type"]
    context = detail.get("ctx", {})
    owner, key = describe(document, path)
    if kind == "extra_forbidden":
        whose, _ = describe(document, path[:-1])
        known = _known_keys(path[:-1])
        hint = document.suggest(str(path[-1]), known) or f"known keys: {', '.join(known)}"
        return document.problem("unknown-key", f'{whose} has no key "{shorten(key)}"', path, hint=hint, at_key=True)
    if kind == "missing":
        hint = f"add {path[-1]}: …"
        return document.problem("missing-key", f'{owner} needs "{key}"', path[:-1], hint=hint, at_key=True)
    if "message" in context:
        at_key = "[key]" in detail["loc"]
        message, hint = context["message"], context.get("hint", "")
        if "known" in context:
            listed = f"{kind.removeprefix('unknown-')}s: {', '.join(context['known'])}"
            hint = document.suggest(str(detail["input"]), context["known"]) or listed
        if path[0] == "schedules" and kind == "bad-schedule":
            message = f"{owner}: {message}"
        return document.problem(kind, message, path, hint=hint, at_key=at_key)
    subject = f'"{key}" of {owner}' if key else owner
    if kind in _KINDS:
        return _wrong_type(document, detail, path, subject)
    if kind == "literal_error":
        values = re.findall(r"'([^']*)'|(\d+)", str(context["expected"]))
        known = [word or number for word, number in values]
        hint = document.suggest(str(detail["input"]), known)
        message = f"{subject} must be {' or '.join(known)}"
        return document.problem("bad-value", message, path, hint=hint)
    if kind in _LIMITS:
        code, text = _LIMITS[kind]
        return document.problem(code, f"{subject} {text.format(**context)}", path)
    return document.problem("bad-value", f"{subject}: {detail['msg']}", path)


_LIMITS = {
    "greater_than_equal": ("out-of-range", "must be at least {ge}"),
    "less_than_equal": ("out-of-range", "must be at most {le}"),
    "string_too_long": ("too-long", "has at most {max_length} characters"),
    "string_too_short": ("too-short", "may not be empty"),
    "too_long": ("too-long", "has at most {max_length} entries"),
    "too_short": ("too-short", "has at least {min_length} entry"),
}


def _wrong_type(document: Document, detail: ErrorDetails, path: Path, subject: str) -> Problem:
    value = detail["input"]
    written = document.node(path).written
    wanted = _KINDS[detail["type"]]
    hint = ""
    if wanted == "text" and written is not None:
        hint = f'quote it: "{shorten(written)}"'
    elif isinstance(value, str) and wanted in ("a whole number", "true or false"):
        hint = "write it without quotes" if written is None and _looks_like(wanted, value) else ""
    elif wanted == "a list":
        hint = "write [ … ], or one line with a dash for each"
    what = _kind_of(value)
    shown = f"{shorten(written)} is {what}" if written is not None else f"this is {what}"
    return document.problem("wrong-type", f"{subject} must be {wanted}, but {shown}", path, hint=hint)


def _looks_like(wanted: str, value: str) -> bool:
    return value in ("true", "false") if wanted == "true or false" else value.isascii() and value.isdigit()


def _kind_of(value: object) -> str:
    if isinstance(value, bool):
        return "true or false"
    if isinstance(value, (int, float)):
        return "a number"
    if isinstance(value, str):
        return "text"
    return "a list" if isinstance(value, list) else "a mapping"


def _known_keys(path: Path) -> list[str]:
    """Return the keys that the mapping at `path` may have."""
    kind: Any = FleetSpec
    for step in path:
        kind = _fields(kind)[str(step)] if _is_section(kind) else get_args(kind)[-1]
        kind = _inner(kind)
    return list(_fields(kind))


def _is_section(kind: Any) -> bool:
    return isinstance(kind, type) and issubclass(kind, BaseModel)


def _fields(section: type[BaseModel]) -> dict[str, Any]:
    """Return the keys of a section, as the file says them, with their types."""
    return {field.alias or name: field.annotation for name, field in section.model_fields.items()}


def _inner(kind: Any) -> Any:
    """Return the type inside ``X | None`` and what it is annotated with."""
    if get_origin(kind) is Annotated:
        return _inner(get_args(kind)[0])
    if get_origin(kind) in (Union, types.UnionType):
        return _inner(next(option for option in get_args(kind) if option is not type(None)))
    return kind
