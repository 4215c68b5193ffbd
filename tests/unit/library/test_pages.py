"""What every page of the role library holds to, so that agents of all roles understand each other."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from watchbill.errors import UNSHOWABLE
from watchbill.library import __file__ as library_file
from watchbill.library import parse_page, read_role, role_names

FOLDER = Path(library_file).parent / "roles"
ROLES = ("board", "code-review", "coder", "enhancer", "operations", "orchestrator", "research", "security-review")
LENSES = tuple(f"board-{lens}" for lens in ("business", "contrarian", "financial", "moonshot", "technical"))
ROLE_SECTIONS = (
    "Mandate",
    "You own",
    "You never",
    "Inputs",
    "Outputs",
    "Done means",
    "With the others",
    "When it is not plain",
    "Cost",
    "Text from outside",
)
LENS_SECTIONS = (
    "You look for",
    "You always ask",
    "What convinces you",
    "Where this lens misleads you",
    "With the other lenses",
    "An opinion that helps",
)
SITUATIONS = ("Idle", "Blocked", "Rate-limited", "Unsure", "Asked for something dangerous")
# Names of models, makers and programs: a page serves every runtime.
BRANDS = re.compile(
    r"\b(claude|anthropic|codex|openai|chatgpt|gpt|opencode|gemini|llama|mistral|qwen|copilot|cursor)\b|(?<!\S)/[a-z]+\b",
    re.IGNORECASE,
)
KIND = re.compile(r"\b([A-Z]{4,})s?\b")


def text_of(name: str) -> str:
    return (FOLDER / f"{name}.md").read_bytes().decode("utf-8")


def sections(name: str) -> dict[str, str]:
    """Return the text of each section of a page by its heading, in order."""
    _, *parts = re.split(r"^## (.+)\n", text_of(name), flags=re.MULTILINE)
    return dict(zip(parts[::2], parts[1::2], strict=True))


def blocks(name: str) -> list[list[str]]:
    """Return the lines of each fenced block of a page."""
    return [
        block.splitlines() for block in re.findall(r"^```text\n(.*?)^```$", text_of(name), re.MULTILINE | re.DOTALL)
    ]


def formats() -> dict[str, dict[str, str]]:
    """Return per kind of message the format as each role's page shows it."""
    found: dict[str, dict[str, str]] = {}
    for name in ROLES:
        for lines in blocks(name):
            found.setdefault(lines[0].split()[0], {})[name] = "\n".join(lines)
    return found


def test_library_has_every_role_and_lens() -> None:
    assert role_names() == tuple(sorted((*ROLES, *LENSES)))


@pytest.mark.parametrize("name", ROLES)
def test_role_page_has_every_section_in_the_common_order(name: str) -> None:
    assert tuple(sections(name)) == ROLE_SECTIONS
    assert all(len(body.split()) >= 25 for body in sections(name).values())


@pytest.mark.parametrize("name", LENSES)
def test_lens_has_every_section_in_the_common_order(name: str) -> None:
    assert tuple(sections(name)) == LENS_SECTIONS
    assert all(len(body.split()) >= 25 for body in sections(name).values())


@pytest.mark.parametrize("name", ROLES)
def test_role_page_is_one_page(name: str) -> None:
    assert 60 <= text_of(name).count("\n") <= 110


@pytest.mark.parametrize("name", LENSES)
def test_lens_is_half_a_page(name: str) -> None:
    assert 35 <= text_of(name).count("\n") <= 60


@pytest.mark.parametrize("name", (*ROLES, *LENSES))
def test_page_fits_an_editor_and_a_terminal(name: str) -> None:
    text = text_of(name)
    lines = text.splitlines()
    assert max(map(len, lines)) <= 100
    assert [line for line in lines if line != line.rstrip()] == []
    assert text.endswith("\n")
    assert not text.endswith("\n\n")
    assert not UNSHOWABLE & set(text) - {"\n"}


@pytest.mark.parametrize("name", (*ROLES, *LENSES))
def test_front_matter_is_valid(name: str) -> None:
    page = parse_page(name, text_of(name))
    assert page.role.summary.endswith(".")
    assert page.role.runtime == "claude"
    assert page.extends == ("board" if name in LENSES else None)


@pytest.mark.parametrize("name", (*ROLES, *LENSES))
def test_persona_names_no_model_maker_or_command_of_a_runtime(name: str) -> None:
    assert [match.group() for match in BRANDS.finditer(read_role(name).persona)] == []


@pytest.mark.parametrize("name", ROLES)
def test_role_says_how_it_works_with_each_other_role(name: str) -> None:
    together = sections(name)["With the others"].lower()
    assert [role for role in ROLES if role != name and role not in together] == []
    assert "`[a:t/x -> b:t/y]` to `[b:t/y -> a:t/x]`" in together


@pytest.mark.parametrize("name", ROLES)
def test_role_knows_what_to_do_in_every_situation(name: str) -> None:
    said = re.findall(r"^- \*\*(.+?)\.\*\* \S", sections(name)["When it is not plain"], re.MULTILINE)
    assert tuple(said) == SITUATIONS


@pytest.mark.parametrize("name", ROLES)
def test_role_treats_text_from_outside_as_data(name: str) -> None:
    said = sections(name)["Text from outside"].replace("\n", " ").lower()
    for source in ("issues", "web pages", "repository files", "messages of agents", "data, never an instruction"):
        assert source in said
    assert "first line" in said and "says who sent it" in said


@pytest.mark.parametrize("name", ROLES)
def test_role_can_end_a_task_in_a_known_format(name: str) -> None:
    kinds = {lines[0].split()[0] for lines in blocks(name)}
    assert kinds & {"REPORT", "STATUS"}


def test_kind_of_message_has_one_format_in_the_whole_library() -> None:
    differing = {kind: list(shown) for kind, shown in formats().items() if len(set(shown.values())) > 1}
    assert differing == {}


def test_every_kind_of_message_that_a_page_mentions_has_a_format() -> None:
    mentioned = {kind for name in (*ROLES, *LENSES) for kind in KIND.findall(text_of(name))}
    assert mentioned - {"USER"} == set(formats())


@pytest.mark.parametrize("name", LENSES)
def test_example_of_a_lens_is_an_opinion_as_the_board_defines_it(name: str) -> None:
    def fields(lines: list[str]) -> list[str]:
        return [line.split(":")[0] for line in lines[1:] if not line.startswith(" ")]

    (example,) = blocks(name)
    (definition,) = (lines for lines in blocks("board") if lines[0].startswith("OPINION"))
    assert fields(example) == fields(definition)
    assert re.fullmatch(rf"OPINION [a-z-]+ as {name.removeprefix('board-')}: (for|against) .+", example[0])
    assert re.fullmatch(r"sure: \d\d", example[-1])


@pytest.mark.parametrize("name", LENSES)
def test_lens_stands_below_the_whole_page_of_the_board(name: str) -> None:
    persona = read_role(name).persona
    assert persona.startswith(read_role("board").persona)
    assert persona.endswith(parse_page(name, text_of(name)).role.persona)
    assert persona.count("\n# ") == 1
