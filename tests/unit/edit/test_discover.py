"""Repositories are found as data: no git runs, no link is followed, no credential is ever shown."""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from watchbill.errors import OperationError
from watchbill.fleet import load_fleet
from watchbill.fleet.words import repository as accepted
from watchbill.ops import repositories
from watchbill.ops.discover import Discovery, discover
from watchbill.ops.repositories import find_repositories, same_repository, without_credentials


def clone(folder: Path, url: str | None = None, head: str = "ref: refs/heads/main\n", more: str = "") -> Path:
    """Make what git makes of a clone, as far as it is looked at."""
    git = folder / ".git"
    git.mkdir(parents=True)
    (git / "HEAD").write_text(head)
    remote = "" if url is None else f'[remote "origin"]\n\turl = {url}\n\tfetch = +refs/heads/*:refs/remotes/origin/*\n'
    (git / "config").write_text(f"[core]\n\tbare = false\n{remote}{more}")
    return folder


@pytest.fixture
def source(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return ~/src, empty."""
    folder = tmp_path / "home" / "src"
    folder.mkdir(parents=True)
    monkeypatch.setenv("HOME", str(folder.parent))
    return folder


def found(root: Path, depth: int = 5) -> list[str]:
    return [str(one.folder.relative_to(root)) for one in find_repositories([root], depth).repositories]


def test_a_repository_is_proposed_with_what_it_says_of_itself(fleet: Path, source: Path) -> None:
    clone(source / "Site 2.0", "git@git.example.org:studio/site.git")
    result = discover(fleet, [source], team="app")
    [proposal] = result.proposals
    assert (proposal.name, proposal.path, proposal.branch) == ("site-2-0", "~/src/Site 2.0", "main")
    assert proposal.repository == "git@git.example.org:studio/site.git"
    assert result.yaml().splitlines()[1].startswith("  site-2-0: {team: app, repository: git@git.example.org:studio")


def test_real_repositories_are_read_as_git_wrote_them(source: Path) -> None:
    def git(*words: str) -> None:
        environment = {"PATH": os.environ["PATH"], "HOME": str(source), "GIT_CONFIG_NOSYSTEM": "1"}
        identity = ("-c", "user.name=a", "-c", "user.email=a@b", "-c", "protocol.file.allow=always")
        subprocess.run(["git", *identity, *words], env=environment, check=True, capture_output=True)

    origin, copy = source / "origin", source / "copy"
    git("init", "--initial-branch=trunk", str(origin))
    git("-C", str(origin), "commit", "--allow-empty", "-m", "x")
    git("clone", str(origin), str(copy))
    git("-C", str(copy), "switch", "-c", "feature/x")
    git("-C", str(copy), "worktree", "add", str(source / "worktree"))
    git("-C", str(copy), "submodule", "add", str(origin), "part")
    git("init", "--separate-git-dir", str(source / ".elsewhere"), str(source / "apart"))
    result = {one.folder.name: one for one in find_repositories([source]).repositories}
    assert sorted(result) == ["apart", "copy", "origin"]
    assert (result["copy"].remote, result["copy"].branch) == (str(origin), "trunk")
    assert find_repositories([copy]).repositories == [result["copy"]]


def test_what_is_hidden_linked_or_installed_is_passed_by(source: Path) -> None:
    for name in ("node_modules/a", ".venv/b", "venv/c", ".cache/d", "kept/e"):
        clone(source / name)
    (source / "link").symlink_to(source / "kept")
    fake = source / "fake"
    fake.mkdir()
    (fake / ".git").symlink_to(source / "kept" / "e" / ".git")
    assert found(source) == ["kept/e"]


def test_depth_counts_from_the_root(source: Path) -> None:
    for name in ("a", "b/c", "d/e/f"):
        clone(source / name)
    assert [found(source, depth) for depth in (0, 1, 2, 3)] == [[], ["a"], ["a", "b/c"], ["a", "b/c", "d/e/f"]]


def test_inside_a_repository_nothing_is_looked_for_unless_it_is_the_root(source: Path) -> None:
    clone(source)
    clone(source / "a")
    clone(source / "a" / "vendored")
    assert found(source) == [".", "a"]


def test_there_is_an_end_to_what_is_looked_at(source: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for number in range(8):
        clone(source / f"r{number}")
    monkeypatch.setattr(repositories, "MAX_REPOSITORIES", 3)
    search = find_repositories([source])
    assert len(search.repositories) == 3
    assert "name folders further down" in search.notes[0]
    monkeypatch.setattr(repositories, "MAX_FOLDERS", 2)
    assert "ended after 2 folders" in find_repositories([source]).notes[0]


@pytest.mark.parametrize(
    ("config", "remote"),
    [
        ('[remote "origin"]\nurl = https://git.example.org/a\n', "https://git.example.org/a"),
        ('[remote "up"]\nurl=https://h/up\n[remote "origin"]\nurl=https://h/o\n', "https://h/o"),
        ('[remote "up"]\n\tURL = https://h/up\n\turl = https://h/second\n', "https://h/up"),
        ('[Remote "origin"] url = "https://h/a#b" ; x\n', "https://h/a"),
        ('[remote "origin"]\nurl = https://h/a ; https://h/b\n', "https://h/a"),
        ('[remote "origin"]\nurl = https://h/\\\na\n', "https://h/a"),
        ('[remote "or\\"igin"]\nurl = https://h/a\n', "https://h/a"),
        ('[branch "origin"]\nurl = https://h/a\n', None),
        ('[remote "origin"]\nurl = ext::sh -c id\n', None),
        ('[remote "origin"]\nurl = --upload-pack=id\n', None),
        ('[remote "origin"]\nurl = ../relative\n', None),
        ('[remote "origin"]\nurl = https://h/a b\n', None),
        ("[include]\npath = /etc/passwd\n", None),
        ("\0\xff[[[\n= =\nurl\n", None),
        ("", None),
    ],
)
def test_a_configuration_is_read_as_git_would_and_never_obeyed(source: Path, config: str, remote: str | None) -> None:
    clone(source / "a")
    (source / "a" / ".git" / "config").write_bytes(config.encode("latin-1"))
    [one] = find_repositories([source]).repositories
    assert one.remote == remote


@pytest.mark.parametrize(
    ("head", "branch"),
    [
        ("ref: refs/heads/feature/x\n", "feature/x"),
        ("0123456789abcdef\n", None),
        ("ref: refs/heads/-x\n", None),
        ("ref: refs/heads/\x1b[31m\n", None),
    ],
)
def test_branch_is_taken_where_it_is_one(source: Path, head: str, branch: str | None) -> None:
    clone(source / "a", head=head)
    assert find_repositories([source]).repositories[0].branch == branch


def test_huge_strange_and_unreadable_things_are_no_repositories(source: Path) -> None:
    huge = clone(source / "huge", "https://h/a")
    (huge / ".git" / "config").write_bytes(b"x" * (2 << 20))
    fifo = source / "fifo" / ".git"
    fifo.mkdir(parents=True)
    os.mkfifo(fifo / "HEAD")
    loop = source / "loop"
    loop.mkdir()
    (loop / ".git").write_text("gitdir: .git\n")
    linked = clone(source / "linked", "https://h/a")
    (linked / ".git" / "HEAD").unlink()
    (linked / ".git" / "HEAD").symlink_to("/etc/hostname")
    [one] = find_repositories([source]).repositories
    assert (one.folder, one.remote) == (huge, None)


SECRETS = "hunter2"


@pytest.mark.parametrize(
    ("address", "shown"),
    [
        (f"https://ana:{SECRETS}@git.example.org/a/b.git", "https://git.example.org/a/b.git"),
        (f"https://{SECRETS}@git.example.org:8443/a", "https://git.example.org:8443/a"),
        (f"https://git.example.org/a?token={SECRETS}#x", "https://git.example.org/a"),
        (f"ssh://git:{SECRETS}@git.example.org:22/a", "ssh://git@git.example.org:22/a"),
        (f"http://a@b:{SECRETS}@h/x", "http://h/x"),
        (f"git:{SECRETS}@git.example.org:a/b", None),
        (f"ftp://ana:{SECRETS}@h/x", None),
        (f"https://[{SECRETS}@h/x", None),
        ("git@git.example.org:a/b.git", "git@git.example.org:a/b.git"),
        ("/srv/git/a.git", "/srv/git/a.git"),
    ],
)
def test_credentials_in_an_address_are_dropped(address: str, shown: str | None) -> None:
    assert without_credentials(address) == shown


@given(
    st.sampled_from(["https", "http", "ssh", "git", "HTTPS"]),
    st.text(st.characters(min_codepoint=33, max_codepoint=126), max_size=10),
)
def test_no_password_comes_through_whatever_it_is_made_of(scheme: str, password: str) -> None:
    shown = without_credentials(f"{scheme}://user:{password}{SECRETS}@git.example.org/a")
    assert SECRETS not in (shown or "") or any(c in password for c in "/?#\\")
    if shown is not None:
        assert accepted(shown) == shown


def test_credentials_reach_neither_screen_nor_file(fleet: Path, source: Path) -> None:
    clone(source / "site", f"https://ana:{SECRETS}@git.example.org/site.git")
    result = discover(fleet, [source], team="app", write=True)
    assert SECRETS not in json.dumps(result.to_json()) + result.yaml() + fleet.read_text()
    assert load_fleet(fleet).projects["site"].repository == "https://git.example.org/site.git"


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        ("git@git.example.org:a/b.git", "https://git.example.org/a/b", True),
        ("ssh://git@Git.example.org:22/a/b.git", "https://git.example.org/a/b/", True),
        ("https://git.example.org/a/b", "https://git.example.org/a/c", False),
        ("https://one.example.org/a", "https://two.example.org/a", False),
        ("/srv/a.git", "/srv/a", True),
        (None, None, False),
    ],
)
def test_one_repository_has_many_addresses(one: str | None, other: str | None, same: bool) -> None:
    assert same_repository(one, other) is same


def written(result: Discovery) -> bool:
    return result.edited is not None and result.edited.written


def test_written_once_nothing_is_left_to_write(fleet: Path, source: Path) -> None:
    clone(source / "b" / "api", "https://git.example.org/b")
    clone(source / "a" / "api", "https://git.example.org/a")
    clone(source / "copy", "ssh://git@git.example.org/a.git")
    clone(source / "shop", "git@git.example.org:studio/shop.git")
    (fleet.parent / "home" / "src" / "new").mkdir()
    first = discover(fleet, [source, source / "a"], team="app", write=True)
    assert written(first)
    assert [(one.name, one.path, one.known) for one in first.proposals] == [
        ("api", "~/src/a/api", False),
        ("api-2", "~/src/b/api", False),
        ("api", "~/src/copy", True),
        ("shop", "~/src/shop", True),
    ]
    assert set(load_fleet(fleet).projects) == {"shop", "api", "api-2"}
    again = discover(fleet, [source], team="app", write=True)
    assert not written(again) and not again.new


def test_hostile_folders_are_named_safely_or_left_out(fleet: Path, source: Path) -> None:
    for name in ("$(id)", "Ünïcode", "a\nb", "\x1b[31mred", "9", "x" * 200, "no", "日本"):
        clone(source / name)
    clone(Path(os.fsdecode(os.fsencode(source) + b"/\xff")))
    result = discover(fleet, [source], team="app", write=True)
    assert sorted(one.name for one in result.proposals) == [
        "id", "no", "project", "project-9", "unicode", "x" * 32,
    ]  # fmt: skip
    assert len(result.notes) == 3
    assert "\x1b" not in json.dumps(result.to_json(), ensure_ascii=False)
    assert load_fleet(fleet).projects["id"].path == "~/src/$(id)"


def test_whose_they_are_is_asked_only_where_it_is_needed(fleet: Path, source: Path) -> None:
    clone(source / "site")
    assert "team: TEAM" in discover(fleet, [source]).yaml()
    with pytest.raises(OperationError, match="say which one"):
        discover(fleet, [source], write=True)
    with pytest.raises(OperationError) as caught:
        discover(fleet, [source], team="ap")
    assert caught.value.hint == 'did you mean "app"?'
    with pytest.raises(OperationError, match="is not a folder"):
        discover(fleet, [source / "nowhere"])


def test_many_are_added_at_once(fleet: Path, source: Path) -> None:
    for number in range(100):
        clone(source / f"r{number}", f"https://git.example.org/r{number}")
    result = discover(fleet, [source], team="app", write=True)
    assert [one.name for one in result.new] == list(load_fleet(fleet).projects)[:100]
