"""Clones and worktrees: what is there is never reset, moved or deleted; what a remote brings along does nothing."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.watchbill.fleet.plugins.module_utils._layout import Account
from ansible_collections.watchbill.fleet.plugins.module_utils._projects._bring import bring, fetch
from ansible_collections.watchbill.fleet.plugins.module_utils._projects._look import look

DAY = 86400.0


def git(directory: Path, *words: str) -> str:
    """Run git as a person would who has no settings; what it would do later in the background is left out."""
    who = ["-c", "user.name=Ana", "-c", "user.email=ana@example.org", "-c", "init.defaultBranch=main"]
    here = {name: value for name, value in os.environ.items() if not name.startswith("GIT_")}
    done = subprocess.run(
        ["git", *who, "-c", "gc.auto=0", "-c", "maintenance.auto=false", *words],
        cwd=directory,
        env={**here, "GIT_CONFIG_GLOBAL": "/dev/null", "GIT_CONFIG_NOSYSTEM": "1"},
        capture_output=True,
        text=True,
        check=True,
    )
    return done.stdout.strip()


def commit(directory: Path, name: str = "a", text: str = "a\n") -> str:
    (directory / name).write_text(text)
    git(directory, "add", "-A")
    git(directory, "commit", "-q", "-m", name)
    return git(directory, "rev-parse", "HEAD")


class Place:
    """A home, and a remote with one commit on main."""

    def __init__(self, folder: Path) -> None:
        self.home = folder / "home"
        self.home.mkdir()
        self.source = folder / "source"
        self.source.mkdir()
        git(self.source, "init", "-q")
        self.first = commit(self.source)
        self.remote = folder / "remote.git"
        git(folder, "clone", "-q", "--bare", str(self.source), str(self.remote))
        git(self.source, "remote", "add", "origin", str(self.remote))
        self.clone = self.home / "src/shop"
        self.who = Account("ana", os.geteuid(), os.getegid(), str(self.home))

    def project(self, *agents: str, **more: Any) -> dict[str, Any]:
        worktrees = [
            {"agent": name, "path": f"~/src/shop-worktrees/{name}", "branch": f"agent/{name}"} for name in agents
        ]
        own = {"tenant": "ana", "name": "shop", "path": "~/src/shop", "repository": str(self.remote), "branch": None}
        more = {"host_key": None, "credential": None, "worktree_ttl": 14 * DAY, **more}
        return {**own, "worktrees": worktrees, **more}

    def bring(self, *agents: str, staying: tuple[str, ...] = (), **more: Any) -> list[tuple[str, str]]:
        results = bring(self.who, [self.project(*agents, **more)], list(staying))
        return [(result["todo"], result["error"]) for result in results]

    def look(self, *agents: str, staying: tuple[str, ...] = (), **more: Any) -> dict[str, Any]:
        (facts,) = look(self.who, [self.project(*agents, **more)], list(staying))
        return facts

    def worktree(self, agent: str) -> Path:
        return self.home / "src/shop-worktrees" / agent

    def push(self, name: str, branch: str = "main") -> str:
        git(self.source, "checkout", "-q", "-B", branch)
        head = commit(self.source, name)
        git(self.source, "push", "-q", "-f", "origin", branch)
        return head

    def age(self, agent: str, days: float) -> None:
        """Make git's last word in a worktree as old as that."""
        own = Path(git(self.worktree(agent), "rev-parse", "--absolute-git-dir"))
        old = own.stat().st_mtime - days * DAY
        for path in own.rglob("*"):
            os.utime(path, (old, old))


@pytest.fixture
def place(tmp_path: Path) -> Place:
    return Place(tmp_path)


def state(facts: dict[str, Any]) -> dict[str, tuple[Any, ...]]:
    return {own["agent"]: (own["state"], own["todo"], own["dirty"], own["unpushed"]) for own in facts["worktrees"]}


def test_project_is_cloned_with_a_worktree_and_a_branch_for_each_agent(place: Place) -> None:
    assert place.bring("coder0", "coder1") == [("clone", ""), ("worktree", ""), ("worktree", "")]
    assert git(place.clone, "rev-parse", "HEAD") == place.first
    for agent in ("coder0", "coder1"):
        assert git(place.worktree(agent), "rev-parse", "--abbrev-ref", "HEAD") == f"agent/{agent}"
        assert git(place.worktree(agent), "rev-parse", "HEAD") == place.first
    facts = place.look("coder0", "coder1")
    assert (facts["state"], facts["todo"], facts["problem"]) == ("present", "", "")
    assert state(facts) == {agent: ("present", "", 0, 0) for agent in ("coder0", "coder1")}
    assert place.bring("coder0", "coder1") == []


def test_looking_writes_nothing(place: Place) -> None:
    facts = place.look("coder0")
    assert (facts["state"], facts["todo"], state(facts)["coder0"][:2]) == ("missing", "clone", ("missing", "worktree"))
    assert list(place.home.iterdir()) == []


def test_empty_directory_in_which_an_agent_was_started_is_no_obstacle(place: Place) -> None:
    place.clone.mkdir(parents=True)
    assert place.bring() == [("clone", "")]


@pytest.mark.parametrize("kind", ["files", "file", "link", "other clone"])
def test_what_occupies_the_path_is_told_and_left_alone(place: Place, tmp_path: Path, kind: str) -> None:
    place.clone.parent.mkdir()
    if kind == "files":
        place.clone.mkdir()
        (place.clone / "notes").write_text("mine")
    elif kind == "file":
        place.clone.write_text("mine")
    elif kind == "link":
        (tmp_path / "elsewhere").mkdir()
        place.clone.symlink_to(tmp_path / "elsewhere")
    else:
        git(place.home, "clone", "-q", str(place.source), str(place.clone))
        git(place.clone, "remote", "set-url", "origin", "https://ana:secret@example.org/x.git")
    before = sorted(str(path) for path in tmp_path.rglob("*") if ".git/" not in str(path))
    facts = place.look("coder0")
    assert (facts["state"], facts["todo"], facts["worktrees"]) == ("occupied", "", [])
    assert str(place.clone) in facts["problem"]
    assert "secret" not in facts["problem"]
    assert place.bring("coder0") == []
    assert sorted(str(path) for path in tmp_path.rglob("*") if ".git/" not in str(path)) == before


def test_clone_that_somebody_made_of_the_same_repository_is_taken_over_as_it_is(place: Place) -> None:
    place.clone.parent.mkdir()
    git(place.home, "clone", "-q", str(place.remote), str(place.clone))
    (place.clone / "a").write_text("not committed")
    assert place.bring("coder0") == [("worktree", "")]
    facts = place.look("coder0")
    assert (facts["state"], facts["dirty"]) == ("present", 1)
    assert (place.clone / "a").read_text() == "not committed"


def test_remote_that_is_away_fails_its_project_and_leaves_nothing_half(place: Place) -> None:
    gone = str(place.remote) + "-gone"
    results = bring(place.who, [place.project("coder0", repository=gone), place.project("coder1")], [])
    assert [(result["todo"], bool(result["error"])) for result in results] == [
        ("clone", True),
        ("worktree", True),
        ("clone", False),
        ("worktree", False),
    ]
    assert "gone' does not exist" in results[0]["error"]
    assert "its project could not be cloned" in results[1]["error"]
    assert sorted(path.name for path in (place.home / "src").iterdir()) == ["shop", "shop-worktrees"]


def test_other_address_in_the_file_is_set_where_watchbill_made_the_clone(place: Place, tmp_path: Path) -> None:
    place.bring()
    place.remote.rename(tmp_path / "moved.git")
    place.remote = tmp_path / "moved.git"
    assert place.look()["todo"] == "remote"
    assert place.bring() == [("remote", "")]
    assert place.look()["todo"] == ""


DIRTY = {
    "changed": lambda path: (path / "a").write_text("changed"),
    "new": lambda path: (path / "new").write_text("new"),
    "staged": lambda path: ((path / "b").write_text("b"), git(path, "add", "b")),
    "deleted": lambda path: (path / "a").unlink(),
}


@pytest.mark.parametrize("how", DIRTY)
def test_dirty_work_of_an_agent_that_left_stays(place: Place, how: str) -> None:
    place.bring("coder0")
    DIRTY[how](place.worktree("coder0"))
    place.age("coder0", 100)
    assert state(place.look()) == {"coder0": ("kept", "", 1, 0)}
    assert place.bring() == []
    assert place.worktree("coder0").is_dir()


def test_work_that_no_remote_has_stays_wherever_head_is_moved(place: Place) -> None:
    place.bring("coder0", "coder1", "coder2")
    for agent in ("coder0", "coder1", "coder2"):
        commit(place.worktree(agent), "work")
    git(place.worktree("coder1"), "checkout", "-q", "--detach")
    # Its branch has what HEAD has not any more.
    git(place.worktree("coder2"), "checkout", "-q", "--detach", place.first)
    for agent in ("coder0", "coder1", "coder2"):
        place.age(agent, 100)
    assert {agent: own[:2] + own[3:] for agent, own in state(place.look()).items()} == {
        "coder0": ("kept", "", 1),
        "coder1": ("kept", "", 1),
        # The branch is found by the name of the agent.
        "coder2": ("kept", "", 1),
    }
    assert place.bring() == []


def test_rebase_in_the_middle_is_work(place: Place) -> None:
    place.bring("coder0")
    git(place.worktree("coder0"), "push", "-q", "origin", "agent/coder0")
    own = Path(git(place.worktree("coder0"), "rev-parse", "--absolute-git-dir"))
    (own / "rebase-merge").mkdir()
    place.age("coder0", 100)
    assert state(place.look())["coder0"] == ("kept", "", 1, 0)


def test_clean_and_pushed_worktree_goes_when_its_time_is_over_and_its_branch_stays(place: Place) -> None:
    place.bring("coder0")
    head = commit(place.worktree("coder0"), "work")
    git(place.worktree("coder0"), "push", "-q", "origin", "agent/coder0")
    assert state(place.look())["coder0"] == ("kept", "", 0, 0)
    place.age("coder0", 15)
    assert state(place.look("coder0"))["coder0"][:2] == ("present", ""), "as long as its agent is in the file"
    assert state(place.look(staying=("coder0",))) == {}, "as long as its agent is not pruned"
    assert state(place.look(worktree_ttl=30 * DAY))["coder0"][:2] == ("kept", "")
    assert state(place.look())["coder0"] == ("stale", "remove", 0, 0)
    assert place.bring() == [("remove", "")]
    assert not place.worktree("coder0").exists()
    assert git(place.clone, "rev-parse", "agent/coder0") == head
    # An agent of that name that comes back goes on where it was.
    assert place.bring("coder0") == [("worktree", "")]
    assert git(place.worktree("coder0"), "rev-parse", "HEAD") == head


def test_worktree_in_which_somebody_works_does_not_go(place: Place) -> None:
    place.bring("coder0")
    place.age("coder0", 100)
    with subprocess.Popen(["sleep", "600"], cwd=place.worktree("coder0")) as somebody:
        assert state(place.look())["coder0"][0] == "kept"
        somebody.kill()
    assert state(place.look())["coder0"][0] == "stale"


def test_new_worktree_begins_with_what_the_remote_has_now(place: Place) -> None:
    place.bring()
    head = place.push("later")
    assert place.bring("coder0") == [("worktree", "")]
    assert git(place.worktree("coder0"), "rev-parse", "HEAD") == head
    assert git(place.clone, "rev-parse", "HEAD") == place.first, "the clone itself is not moved"


def test_worktree_is_made_of_what_is_here_while_the_remote_is_away(place: Place) -> None:
    place.bring()
    place.remote.rename(place.remote.with_name("gone.git"))
    assert place.bring("coder0") == [("worktree", "")]


def test_branch_of_the_file_is_what_clone_and_worktrees_begin_with(place: Place) -> None:
    head = place.push("next", branch="next")
    assert place.bring("coder0", branch="next") == [("clone", ""), ("worktree", "")]
    assert git(place.clone, "rev-parse", "--abbrev-ref", "HEAD") == "next"
    assert git(place.worktree("coder0"), "rev-parse", "HEAD") == head
    ((_, error),) = place.bring("coder0", "coder1", branch="nowhere")
    assert error == "the repository has no branch nowhere"


def test_fetch_brings_what_is_new_and_moves_nothing(place: Place) -> None:
    place.bring("coder0")
    commit(place.worktree("coder0"), "work")
    (place.worktree("coder0") / "a").write_text("dirty")
    head = git(place.worktree("coder0"), "rev-parse", "HEAD")
    git(place.source, "commit", "-q", "--amend", "-m", "history rewritten")
    new = place.push("later")
    assert [result["error"] for result in fetch(place.who, [place.project("coder0")])] == [""]
    assert git(place.clone, "rev-parse", "origin/main") == new
    assert git(place.clone, "rev-parse", "HEAD") == place.first
    assert git(place.worktree("coder0"), "rev-parse", "HEAD") == head
    assert (place.worktree("coder0") / "a").read_text() == "dirty"


def test_worktree_that_somebody_deleted_is_made_again_with_its_branch(place: Place) -> None:
    place.bring("coder0")
    head = commit(place.worktree("coder0"), "work")
    subprocess.run(["rm", "-rf", place.worktree("coder0")], check=True)
    assert place.bring("coder0") == [("worktree", "")]
    assert git(place.worktree("coder0"), "rev-parse", "HEAD") == head


def test_place_of_a_worktree_that_is_taken_is_told_and_left_alone(place: Place) -> None:
    place.bring()
    place.worktree("coder0").mkdir(parents=True)
    (place.worktree("coder0") / "mine").write_text("mine")
    (own,) = place.look("coder0")["worktrees"]
    assert (own["state"], own["todo"]) == ("occupied", "") and "is no worktree of" in own["problem"]
    assert place.bring("coder0") == []


def test_nothing_that_a_repository_brings_along_is_run(place: Place, tmp_path: Path) -> None:
    canary = tmp_path / "canary"
    hooks = place.source / "hooks"
    hooks.mkdir()
    for hook in ("post-checkout", "post-merge", "reference-transaction"):
        (hooks / hook).write_text(f"#!/bin/sh\ntouch {canary}\n")
        (hooks / hook).chmod(0o755)
    (place.source / ".gitattributes").write_text("* filter=evil diff=evil merge=evil\n")
    (place.source / ".gitconfig").write_text(f'[filter "evil"]\n smudge = touch {canary}\n clean = touch {canary}\n')
    (place.source / ".gitmodules").write_text(
        f'[submodule "x"]\n path = x\n url = ext::sh -c "touch {canary}"\n update = !touch {canary}\n'
    )
    os.symlink("/etc", place.source / "etc")
    place.push("evil")
    assert place.bring("coder0") == [("clone", ""), ("worktree", "")]
    assert fetch(place.who, [place.project("coder0")])[0]["error"] == ""
    assert place.look("coder0")["problem"] == ""
    assert not canary.exists()


@pytest.mark.parametrize("url", ["ext::sh -c 'touch {canary}'", "fd::3", "--upload-pack=touch {canary}"])
def test_no_other_way_of_git_is_gone(place: Place, tmp_path: Path, url: str) -> None:
    """The fleet file refuses such an address already."""
    canary = tmp_path / "canary"
    ((todo, error),) = place.bring(repository=url.format(canary=canary))
    assert todo == "clone" and error
    assert not canary.exists()


def test_settings_of_the_user_change_nothing(place: Place, tmp_path: Path) -> None:
    canary = tmp_path / "canary"
    (place.home / ".gitconfig").write_text(
        f'[core]\n sshCommand = touch {canary}\n hooksPath = {tmp_path}\n[url "https://x/"]\n insteadOf = {tmp_path}\n'
    )
    assert place.bring("coder0") == [("clone", ""), ("worktree", "")]
    assert not canary.exists()
