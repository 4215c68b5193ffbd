"""Roles as agents get them: personas of files and the library, each on top of what it extends; skills as folders."""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import Any

from watchbill.errors import FleetError
from watchbill.fleet.document import Document, Place
from watchbill.fleet.include import inside
from watchbill.fleet.load import GaveUp, read_yaml
from watchbill.fleet.model import FleetSpec
from watchbill.fleet.objects import Role, Skill
from watchbill.fleet.roster import env_of_role, lineage, model_of_role, roles_of, runtime_of_role, secrets_of, texts_of
from watchbill.fleet.source import Mark, Source, decode, find_controls
from watchbill.fleet.translate import Typed
from watchbill.fleet.words import Refused, shorten
from watchbill.library import LibraryRole, read_role, role_names

MAX_PERSONA = 128 * 1024
MAX_PERSONAS = 16 << 20
MAX_SKILL_FILES = 100
MAX_SKILL_BYTES = 1 << 20
MAX_SKILL_DEPTH = 5
_SKILL_FILE = re.compile(r"[A-Za-z0-9_][A-Za-z0-9._-]{0,127}")


def read_roles(document: Document, typed: Typed) -> dict[str, Role]:
    """Return every role that is described or used, by name; what is wrong is added to the document's problems."""
    spec = typed.spec
    used = {entry.role for entry in spec.roster}
    wrong = {str(path[1]) for path in typed.wrong if path[0] == "roles" and len(path) > 1}
    personas = {name: page for name in spec.roles if (page := _own_page(document, spec, name)) is not None}
    roles: dict[str, Role] = {}
    size = 0
    for name in sorted({*spec.roles, *used} - wrong):
        roles[name] = _role(spec, name, personas)
        size += len(roles[name].persona)
        if size > MAX_PERSONAS:
            message = f"the personas of all roles are larger than {MAX_PERSONAS >> 20} MiB, with what they build on"
            document.add(document.problem("too-large", message, ("roles", name), hint="shorten them", at_key=True))
            break
    return roles


def _own_page(document: Document, spec: FleetSpec, name: str) -> str | None:
    """Return the persona that the file of a role points to, None where it names none or it cannot be read."""
    persona = spec.roles[name].persona
    if persona is None:
        return None
    mark = document.node(("roles", name, "persona")).mark
    try:
        return read_page(document, folder_of(document, mark) / persona, persona).text.strip() + "\n"
    except Refused as refused:
        document.add(mark.problem(refused.code, refused.message, refused.hint))
    except FleetError as error:
        document.add(error.problems[0])
    return None


def folder_of(document: Document, mark: Mark) -> Path:
    """Return the folder of the file in which something stands: paths in it are relative to that."""
    return mark.source.path.parent if mark.source else document.folder


def read_page(document: Document, path: Path, written: str) -> Source:
    """Return a page of text of the fleet's folder, its lines ending in newlines only.

    `written` is what the file says of it. Raises Refused where it cannot be read, FleetError where a place in it is
    wrong.
    """
    real = inside(document.folder, path, written)
    shown = document.name_of(real)
    if real not in document.pages:
        content = document.disk.read(real)
        if len(content) > MAX_PERSONA:
            message = f"{shorten(shown)} is larger than {MAX_PERSONA >> 10} KiB, the most that is read"
            raise Refused("too-large", message)
        text = decode(content, shown).replace("\r\n", "\n")
        order = len(document.all_sources())
        document.pages[real] = Source(shown, real, text, document.disk.digests[real], order)
    page = document.pages[real]
    for line, column, message in find_controls(page.text, 1):
        raise FleetError([Mark(line, column, source=page).problem("control-character", message)])
    return page


def _role(spec: FleetSpec, name: str, personas: dict[str, str]) -> Role:
    names = lineage(spec, name)
    own = roles_of(spec, name)
    library = _library_role(spec, names, personas)
    pages = [library.persona] if library else []
    pages += [personas[one] for one in reversed(names) if one in personas]
    skills = [skill for role in reversed(own) for skill in role.skills]
    return Role(
        name=name,
        runtime=runtime_of_role(spec, name),
        model=model_of_role(spec, name),
        env=texts_of(env_of_role(spec, name)),
        secrets=secrets_of(env_of_role(spec, name)),
        persona="\n".join(pages),
        skills=tuple(dict.fromkeys((*(library.skills if library else ()), *skills))),
        summary=next((role.summary for role in own if role.summary), library.summary if library else ""),
        lineage=tuple(names),
    )


def _library_role(spec: FleetSpec, names: list[str], personas: dict[str, str]) -> LibraryRole | None:
    """Return the page of the library that a role begins with.

    A role of the file that is called like one of the library, and extends nothing, has that page or replaces it by its
    own.
    """
    last = names[-1]
    if last not in role_names() or last in personas:
        return None
    return read_role(last)


def read_skills(document: Document, typed: Typed) -> dict[str, Skill]:
    """Return every skill that a role has, by name; what is wrong is added to the document's problems."""
    skills: dict[str, Skill] = {}
    tried: set[str] = set()
    for name, role in typed.spec.roles.items():
        for index, skill in enumerate(role.skills):
            if skill in tried:
                continue
            tried.add(skill)
            try:
                skills[skill] = _skill(document, skill)
            except Refused as refused:
                path = ("roles", name, "skills", index)
                document.add(document.problem(refused.code, refused.message, path, hint=refused.hint))
            except FleetError as error:
                document.add(error.problems[0])
            except GaveUp:
                continue  # why is among the problems already
    return dict(sorted(skills.items()))


def _skill(document: Document, name: str) -> Skill:
    """Return one skill. Raises Refused, FleetError or GaveUp."""
    shown = f"skills/{name}"
    folder = inside(document.folder, document.folder / "skills" / name, shown)
    if not (folder / "SKILL.md").is_file():
        known = document.disk.list(document.folder / "skills", re.compile("[^.].*"))
        hint = document.suggest(name, known) or f"write its page: {shown}/SKILL.md"
        raise Refused("unknown-skill", f'there is no skill "{name}": no file {shown}/SKILL.md', hint)
    files: dict[str, bytes] = {}
    size = 0
    for relative in _files_below(folder, shown):
        real = inside(document.folder, folder / relative, f"{shown}/{relative}")
        files[relative] = document.disk.read(real)
        size += len(files[relative])
        if relative != "SKILL.md":
            _attach(document, real, files[relative])
        if size > MAX_SKILL_BYTES:
            raise Refused("too-large", f"{shown} is larger than {MAX_SKILL_BYTES >> 20} MiB, the most that is read")
    page = read_page(document, folder / "SKILL.md", f"{shown}/SKILL.md")
    return Skill(name, _description(document, page), files)


def _attach(document: Document, real: Path, content: bytes) -> None:
    """Note a file of a skill among the document's, as far as it is text."""
    text = content.replace(b"\0", b"").decode("utf-8", "replace")
    name, order = document.name_of(real), len(document.all_sources())
    document.pages.setdefault(real, Source(name, real, text, document.disk.digests[real], order, is_written=False))


def _files_below(folder: Path, shown: str) -> list[str]:
    """Return the sorted relative paths of all files of a skill. Raises Refused where names or numbers are odd."""
    found: list[str] = []
    seen = 0
    for where, folders, names in os.walk(folder, onerror=_refuse):
        relative = os.path.relpath(where, folder)
        prefix = "" if relative == "." else f"{relative}/"
        folders[:] = sorted(one for one in folders if not one.startswith("."))
        if folders and prefix.count("/") >= MAX_SKILL_DEPTH:
            raise Refused("too-deep", f"{shown} has folders more than {MAX_SKILL_DEPTH} levels deep")
        for name in (*folders, *names):
            if not name.startswith(".") and not _SKILL_FILE.fullmatch(name):
                hint = "letters, digits, . _ -"
                raise Refused("bad-name", f'"{shorten(prefix + name)}" in {shown} is not a file name of a skill', hint)
        for name in folders:
            if os.path.islink(os.path.join(where, name)):
                message = f"{shown}/{prefix}{name} is a link to a folder, which is not followed"
                raise Refused("bad-skill", message, "copy the folder there")
        seen += len(folders) + len(names)
        found.extend(prefix + name for name in names if not name.startswith("."))
        if seen > MAX_SKILL_FILES:
            raise Refused("too-many-files", f"{shown} has more than {MAX_SKILL_FILES} files")
    return sorted(found)


def _refuse(error: OSError) -> None:
    """Refuse a skill with a folder that cannot be listed: agents would get a part of it."""
    raise Refused("unreadable-file", f"{error.filename}: {error.strerror}")


def _description(document: Document, page: Source) -> str:
    """Return the description in the front matter of a skill's page. Raises Refused or GaveUp."""
    hint = "begin the page with front matter: ---, name: …, description: …, ---"
    head, end, _ = page.text.partition("\n---\n")
    if not head.startswith("---\n") or not end:
        raise Refused("bad-skill", f"{page.name} has no front matter", hint)
    values: Any
    node: Place
    values, node = read_yaml(document, page, head + "\n")
    description = values.get("description") if isinstance(values, dict) else None
    if not isinstance(description, str) or not description.strip():
        raise FleetError([node.mark.problem("bad-skill", f"{page.name} has no description", hint)])
    return " ".join(description.split())
