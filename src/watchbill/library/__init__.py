"""The role library: personas that a fleet uses by name, one page of markdown each, in `roles/`.

A page begins with front matter. A lens of the board has `extends: board`: its persona is the board's page and then its
own. Importing this costs next to nothing; PyYAML is loaded with the first page.
"""

from __future__ import annotations

import functools
import re
from dataclasses import dataclass

from watchbill.errors import OperationError

__all__ = ["LibraryRole", "parse_page", "read_role", "role_names"]

MAX_SUMMARY = 100
_SUFFIX = ".md"
_FENCE = "---\n"
_REQUIRED = ("role", "summary", "runtime", "skills")
_OPTIONAL = ("extends",)
_NAME = re.compile(r"[a-z](?:-?[a-z0-9]){0,31}")


@dataclass(frozen=True, slots=True)
class LibraryRole:
    """One role of the library. `persona` is markdown without front matter, ending in one newline.

    `runtime` is the last resort: it counts where neither the roster, the file's own role nor `defaults` names one.
    """

    name: str
    summary: str
    runtime: str
    skills: tuple[str, ...]
    persona: str


@dataclass(frozen=True, slots=True)
class Page:
    """One page as written: its own part of a role, and the name of the role it builds on."""

    role: LibraryRole
    extends: str | None


@functools.cache
def role_names() -> tuple[str, ...]:
    """Return the names of all roles of the library, sorted."""
    from importlib import resources

    folder = resources.files(__name__) / "roles"
    files = (entry.name for entry in folder.iterdir())
    return tuple(sorted(name.removesuffix(_SUFFIX) for name in files if name.endswith(_SUFFIX)))


@functools.cache
def read_role(name: str) -> LibraryRole:
    """Return one role, complete. Raises OperationError: ``unknown-role``, or ``library-page`` for a broken page."""
    page = parse_page(name, _page_text(name))
    if page.extends is None:
        return page.role
    base = parse_page(page.extends, _page_text(page.extends))
    if base.extends is not None:
        raise _broken(name, f'"{page.extends}" builds on another role itself; one step is allowed')
    own = page.role
    skills = tuple(dict.fromkeys((*base.role.skills, *own.skills)))
    return LibraryRole(own.name, own.summary, own.runtime, skills, f"{base.role.persona}\n{own.persona}")


def parse_page(name: str, text: str) -> Page:
    """Return the page of role `name` from its text. Raises OperationError (``library-page``) for wrong front matter."""
    head, separator, body = text.removeprefix(_FENCE).partition("\n" + _FENCE)
    if not text.startswith(_FENCE) or not separator:
        raise _broken(name, "it does not begin with front matter between two lines ---")
    values = _front_matter(name, head)
    persona = body.strip()
    if not persona:
        raise _broken(name, "there is no persona below the front matter")
    summary = _string(name, "summary", values)
    if not summary.strip() or "\n" in summary or len(summary) > MAX_SUMMARY:
        raise _broken(name, f"summary is one line of 1 to {MAX_SUMMARY} characters")
    if _name(name, "role", values) != name:
        raise _broken(name, f'role is "{values["role"]}", the file is {name}{_SUFFIX}')
    extends = _name(name, "extends", values) if "extends" in values else None
    role = LibraryRole(name, summary, _name(name, "runtime", values), _names(name, "skills", values), persona + "\n")
    return Page(role, extends)


def _page_text(name: str) -> str:
    """Return the text of one page. The name is looked up, never made a path of, as it may come from a fleet file."""
    known = role_names()
    if name not in known:
        from watchbill.fleet.objects import did_you_mean

        hint = did_you_mean(name, known) or f"roles: {', '.join(known)}"
        raise OperationError(f'the library has no role "{name}"', hint, "unknown-role")
    from importlib import resources

    return (resources.files(__name__) / "roles" / f"{name}{_SUFFIX}").read_text(encoding="utf-8")


def _front_matter(name: str, head: str) -> dict[str, str | list[str]]:
    """Return the values by key: strings and lists of strings, each key known and written once, none missing."""
    import yaml

    try:
        top = yaml.compose(head, yaml.SafeLoader)
    except yaml.YAMLError as error:
        raise _broken(name, f"the front matter is not YAML: {error}") from error
    if not isinstance(top, yaml.MappingNode):
        raise _broken(name, "the front matter is not a mapping")
    values: dict[str, str | list[str]] = {}
    for key_node, node in top.value:
        key = key_node.value
        if key not in (*_REQUIRED, *_OPTIONAL) or key in values:
            raise _broken(name, f'key "{key}" is {"written twice" if key in values else "unknown"}')
        items = node.value if isinstance(node, yaml.SequenceNode) else [node]
        if not all(isinstance(item, yaml.ScalarNode) and item.tag == "tag:yaml.org,2002:str" for item in items):
            raise _broken(name, f"{key} holds something else than text")
        texts = [str(item.value) for item in items]
        values[key] = texts if isinstance(node, yaml.SequenceNode) else texts[0]
    missing = [key for key in _REQUIRED if key not in values]
    if missing:
        raise _broken(name, f"{', '.join(missing)} missing")
    return values


def _string(name: str, key: str, values: dict[str, str | list[str]]) -> str:
    value = values[key]
    if not isinstance(value, str):
        raise _broken(name, f"{key} is a list, not text")
    return value


def _name(name: str, key: str, values: dict[str, str | list[str]]) -> str:
    value = _string(name, key, values)
    if not _NAME.fullmatch(value):
        raise _broken(name, f'{key} "{value}" is not a name')
    return value


def _names(name: str, key: str, values: dict[str, str | list[str]]) -> tuple[str, ...]:
    value = values[key]
    if not isinstance(value, list):
        raise _broken(name, f"{key} is text, not a list")
    if len(set(value)) != len(value) or not all(_NAME.fullmatch(item) for item in value):
        raise _broken(name, f"{key} is a list of different names")
    return tuple(value)


def _broken(name: str, message: str) -> OperationError:
    return OperationError(f"roles/{name}{_SUFFIX} of the library: {message}", "install Watchbill again", "library-page")
