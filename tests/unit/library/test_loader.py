"""The loader: a name gives a role or an error that helps, a broken page is refused, importing costs nothing."""

from __future__ import annotations

import subprocess
import sys

import pytest

from watchbill.errors import OperationError
from watchbill.library import LibraryRole, parse_page, read_role, role_names

HEAD = {"role": "tester", "summary": "Tests.", "runtime": "stub", "skills": "[]"}


def page(*, drop: str = "", add: str = "", body: str = "# Tester\n", **changed: str) -> str:
    lines = [f"{key}: {value}\n" for key, value in (HEAD | changed).items() if key != drop]
    return f"---\n{''.join(lines)}{add}---\n{body}"


def test_role_has_everything_and_no_front_matter() -> None:
    role = read_role("coder")
    assert role.name == "coder"
    assert role.skills == ()
    assert role.persona.startswith("# Coder\n")
    assert role.persona.endswith("\n")
    assert "runtime:" not in role.persona


def test_page_gives_what_it_says() -> None:
    text = page(skills="[triage, incident-review]", add="extends: board\n", body="\n# Tester\n\nAll day.\n\n")
    read = parse_page("tester", text)
    assert read.role == LibraryRole("tester", "Tests.", "stub", ("triage", "incident-review"), "# Tester\n\nAll day.\n")
    assert read.extends == "board"


@pytest.mark.parametrize(
    ("wrong", "right"),
    [("codr", "coder"), ("codereview", "code-review"), ("board-moonshoot", "board-moonshot"), ("ops", None)],
)
def test_unknown_role_is_told_what_it_may_have_meant(wrong: str, right: str | None) -> None:
    with pytest.raises(OperationError) as caught:
        read_role(wrong)
    assert caught.value.code == "unknown-role"
    assert f'"{wrong}"' in caught.value.message
    assert caught.value.hint == (f'did you mean "{right}"?' if right else f"roles: {', '.join(role_names())}")


@pytest.mark.parametrize("name", ["../__init__", "roles/coder", "/etc/passwd", "coder.md", "", "coder\0", "a" * 5000])
def test_name_is_never_a_path(name: str) -> None:
    with pytest.raises(OperationError) as caught:
        read_role(name)
    assert caught.value.code == "unknown-role"


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("# Tester\n", "does not begin with front matter"),
        ("---\nrole: tester\n# Tester\n", "does not begin with front matter"),
        (page(body="\n \n"), "no persona"),
        (page(drop="summary"), "summary missing"),
        (page(drop="skills"), "skills missing"),
        (page(add="model: large\n"), 'key "model" is unknown'),
        (page(add="runtime: command\n"), 'key "runtime" is written twice'),
        (page(role="coder"), 'role is "coder", the file is tester.md'),
        (page(runtime="Stub Two"), 'runtime "Stub Two" is not a name'),
        (page(runtime="'-x'"), 'runtime "-x" is not a name'),
        (page(runtime="no"), "runtime holds something else than text"),
        (page(runtime="[stub]"), "runtime is a list"),
        (page(summary="{a: b}"), "summary holds something else than text"),
        (page(summary="''"), "summary is one line"),
        (page(summary=f"'{'a' * 101}'"), "summary is one line"),
        (page(summary='"one\\ntwo"'), "summary is one line"),
        (page(skills="triage"), "skills is text"),
        (page(skills="[triage, triage]"), "different names"),
        (page(skills="[../triage]"), "different names"),
        (page(skills="[1]"), "skills holds something else than text"),
        (page(skills="["), "is not YAML"),
        ("---\n- tester\n---\n# Tester\n", "not a mapping"),
    ],
)
def test_wrong_page_is_refused_by_name(text: str, complaint: str) -> None:
    with pytest.raises(OperationError, match=r"roles/tester\.md of the library: ") as caught:
        parse_page("tester", text)
    assert complaint in caught.value.message
    assert caught.value.code == "library-page"


def test_names_are_known_without_yaml_and_pydantic() -> None:
    program = (
        "import sys, watchbill.library as library; names = library.role_names(); "
        "print(len(names), sorted({'yaml', 'pydantic', 'difflib'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == f"{len(role_names())} []"
