"""The launcher makes an agent's world from its definition and nothing else."""

from __future__ import annotations

import io
import json
import os
import pwd
import signal
import subprocess
import sys
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.watchbill.fleet.plugins.module_utils._keeper import world
from ansible_collections.watchbill.fleet.plugins.module_utils._keeper.definition import format_environment
from ansible_collections.watchbill.fleet.plugins.module_utils._keeper.world import expand
from ansible_collections.watchbill.fleet.plugins.module_utils._layout import Layout

from tests.unit.half.rosters import agent, roster
from tests.unit.keeper.bench import definition

LAUNCH = """
import sys
from ansible_collections.watchbill.fleet.plugins.module_utils._keeper import launcher
from ansible_collections.watchbill.fleet.plugins.module_utils._layout import Account, Layout
home, uid = sys.argv[1], int(sys.argv[2])
Layout.of_installation = classmethod(lambda cls, program: Layout.rootless(home, uid))
Layout.account_of = lambda self, tenant: Account("me", uid, uid, home)
Layout.runtime_directory = staticmethod(lambda uid: home + "/run")
sys.exit(launcher.main())
"""


def run(home: Path, env: dict[str, str], argv: list[str], **launch: Any) -> subprocess.CompletedProcess[str]:
    """Launch a program as an agent in *home*, from a session whose environment is full of other things."""
    layout = Layout.rootless(str(home), os.getuid())
    (home / "run/watchbill/coder0").mkdir(parents=True, exist_ok=True)
    (home / ".config/watchbill/tenants/studio/roles/coder").mkdir(parents=True, exist_ok=True)
    directory = Path(layout.agent_directory("studio", "coder0"))
    directory.mkdir(parents=True, exist_ok=True)
    orders = {
        "argv": argv,
        "working_directory": "~/src/shop",
        "path": "/usr/bin:/bin",
        "term": "xterm-256color",
    } | launch
    (directory / "definition.json").write_text(json.dumps(definition(launch=orders, skills=["incident-review"])))
    (directory / "env").write_bytes(format_environment(env))
    session = {
        "WATCHBILL_TENANT": "studio",
        "WATCHBILL_AGENT": "coder0",
        "INVOCATION_ID": "abc",
        "TMUX": "/x",
        "SECRET": "x",
    }
    session |= {"PYTHONPATH": os.pathsep.join(sys.path)}
    return subprocess.run(
        [sys.executable, "-c", LAUNCH, str(home), str(os.getuid())],
        env=session,
        capture_output=True,
        text=True,
        check=False,
    )


def ignore_interrupts() -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)


def pages(home: Path) -> tuple[Path, Path]:
    """Write what a tenant's agents are told, and return roster and persona."""
    tenant = home / ".config/watchbill/tenants/studio"
    persona = tenant / "roles/coder/persona.md"
    persona.parent.mkdir(parents=True)
    persona.write_text("# Coder\n\nOne task at a time.\n")
    (tenant / "roster.json").write_text(json.dumps(roster(agent("coder0"), agent("coder1", host="attic"))))
    return tenant / "roster.json", persona


def test_agent_gets_its_environment_and_nothing_of_the_sessions(tmp_path: Path) -> None:
    pages(tmp_path)
    done = run(
        tmp_path,
        {"LEVEL": "3", "TEXT": "a\nb"},
        [sys.executable, "-c", "import os, json; print(json.dumps(dict(os.environ)))"],
    )
    assert (done.returncode, done.stderr) == (0, "")
    seen = json.loads(done.stdout)
    seen.pop("LC_CTYPE", None)  # Python's own, in the C locale
    assert seen == {
        "HOME": f"{tmp_path}/agents/coder0",
        "LANG": "C.UTF-8",
        "LEVEL": "3",
        "LOGNAME": "me",
        "PATH": "/usr/bin:/bin",
        "SHELL": "/bin/bash",
        "TERM": "xterm-256color",
        "TEXT": "a\nb",
        "USER": "me",
        "WATCHBILL_ACCEPTED": f"{tmp_path}/.local/state/watchbill/coder0/accepted",
        "WATCHBILL_AGENT": "coder0",
        "WATCHBILL_BEAT": f"{tmp_path}/run/watchbill/coder0/beat",
        "WATCHBILL_HOST": "desk",
        "WATCHBILL_INTERVAL": "5",
        "WATCHBILL_PROGRAM": f"{tmp_path}/.local/lib/watchbill/watchbill-host.pyz",
        "WATCHBILL_PROMPT": f"{tmp_path}/run/watchbill/coder0/prompt.md",
        "WATCHBILL_SESSION_ID": "abc",
        "WATCHBILL_TENANT": "studio",
    }


def test_environment_of_the_fleet_may_say_path_and_language_but_not_who_the_agent_is(tmp_path: Path) -> None:
    env = {
        "PATH": "/opt/bin:/usr/bin:/bin",
        "LANG": "de_DE.UTF-8",
        "HOME": "/root",
        "WATCHBILL_BEAT": "/dev/null",
        "USER": "root",
    }
    seen = dict(line.split("=", 1) for line in run(tmp_path, env, ["env"]).stdout.splitlines())
    assert (seen["PATH"], seen["LANG"]) == (env["PATH"], env["LANG"])
    assert (seen["HOME"], seen["USER"]) == (f"{tmp_path}/agents/coder0", "me")
    assert seen["WATCHBILL_BEAT"].endswith("/coder0/beat")


def test_home_is_private_and_the_working_directory_is_made(tmp_path: Path) -> None:
    assert run(tmp_path, {}, ["pwd"]).stdout == f"{tmp_path}/src/shop\n"
    for name, mode in (("agents", 0o700), ("agents/coder0", 0o700), ("src/shop", 0o755)):
        assert (tmp_path / name).stat().st_mode & 0o777 == mode, name


def test_arguments_reach_the_program_as_they_are(tmp_path: Path) -> None:
    words = ["", "a b", "$HOME", "`id`", "~", '"', "é\n"]
    done = run(tmp_path, {}, [sys.executable, "-c", "import sys, json; print(json.dumps(sys.argv[1:]))", *words])
    assert json.loads(done.stdout) == words


def test_program_ignores_no_signal_that_it_did_not_choose_to(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    # The child inherits it, as from a session that was started in the background.
    monkeypatch.setattr(subprocess, "run", partial(subprocess.run, preexec_fn=ignore_interrupts))
    _, ignored = run(tmp_path, {}, ["grep", "SigIgn", "/proc/self/status"]).stdout.split()
    # 32 and 33 are glibc's own: its posix_spawn has children ignore them, and nobody can change that.
    assert int(ignored, 16) & ~(0b11 << 31) == 0


def test_program_in_the_home_of_the_tenant_is_found(tmp_path: Path) -> None:
    (tmp_path / "bin").mkdir()
    (tmp_path / "bin" / "agent").write_text("#!/bin/sh\necho found\n")
    (tmp_path / "bin" / "agent").chmod(0o755)
    assert run(tmp_path, {}, ["~/bin/agent"]).stdout == "found\n"


@pytest.mark.parametrize(
    ("argv", "status", "words"),
    [
        (["no-such-program"], 127, "no-such-program: not found"),
        (["/etc/passwd"], 126, "Permission denied"),
    ],
)
def test_program_that_cannot_be_started_says_so_on_the_terminal(
    tmp_path: Path, argv: list[str], status: int, words: str
) -> None:
    pages(tmp_path)
    done = run(tmp_path, {}, argv)
    assert (done.returncode, done.stderr) == (status, "")
    assert done.stdout.startswith("watchbill: the agent cannot be started: ")
    assert words in done.stdout


def test_working_directory_that_cannot_be_made_says_so(tmp_path: Path) -> None:
    (tmp_path / "src").write_text("a file")
    done = run(tmp_path, {}, ["true"])
    assert done.returncode == 126
    assert "src" in done.stdout


# -- what an agent is told ---------------------------------------------------------------------------------------------


def test_agent_reads_role_skills_and_place_in_one_file_of_its_own(tmp_path: Path) -> None:
    pages(tmp_path)
    told = run(tmp_path, {}, ["sh", "-c", 'cat "$WATCHBILL_PROMPT"']).stdout
    assert told.startswith("# Coder\n\nOne task at a time.\n\n# Your skills\n")
    skill = f"`{tmp_path}/.config/watchbill/tenants/studio/skills/incident-review/SKILL.md`"
    assert f'- incident-review: "Write a blameless review": {skill}\n' in told
    assert "- You are `desk:studio/coder0`, role coder, team app" in told
    assert "`attic:studio/coder1`" in told
    # Without root its PATH does not lead to the host half.
    assert f"`{tmp_path}/.local/bin/watchbill-host peers`" in told
    assert (tmp_path / "run/watchbill/coder0/prompt.md").stat().st_mode & 0o777 == 0o600


def test_next_session_is_told_what_holds_then(tmp_path: Path) -> None:
    written, persona = pages(tmp_path)
    run(tmp_path, {}, ["true"])
    written.write_text(json.dumps(roster(agent("coder0"), agent("coder2"))))
    persona.write_text("# Coder, second edition\n")
    told = run(tmp_path, {}, ["sh", "-c", 'cat "$WATCHBILL_PROMPT"']).stdout
    assert told.startswith("# Coder, second edition\n")
    assert "coder2" in told
    assert "coder1" not in told


@pytest.mark.parametrize(
    ("damage", "words"),
    [
        (lambda path: path.unlink(), "No such file or directory"),
        (lambda path: path.write_text('{"format_version": 1'), "delimiter"),
        (lambda path: path.write_text('{"format_version": 2}'), "this host half reads 1"),
        (lambda path: path.write_bytes(b'{"\xff"'), "decode"),
        (lambda path: (path.unlink(), path.symlink_to("/etc/passwd")), "symbolic link"),
    ],
)
def test_roster_that_cannot_be_read_stops_no_agent_and_is_told_to_it_and_to_people(
    tmp_path: Path, damage: Callable[[Path], object], words: str
) -> None:
    written, _ = pages(tmp_path)
    damage(written)
    done = run(tmp_path, {}, ["sh", "-c", 'cat "$WATCHBILL_PROMPT"'])
    assert done.returncode == 0
    assert done.stdout.startswith("# Coder\n")
    assert "- You are `desk:studio/coder0`, role coder, team app\n- The roster could not be read" in done.stdout
    [event] = (tmp_path / ".local/state/watchbill/coder0/events.jsonl").read_text().splitlines()
    assert json.loads(event)["event"] == "prompt-incomplete"
    assert f"{written}: " in json.loads(event)["why"]
    assert words in json.loads(event)["why"]
    assert "event: prompt-incomplete" in done.stderr


def test_agent_without_its_page_is_told_to_be_careful(tmp_path: Path) -> None:
    _, persona = pages(tmp_path)
    persona.unlink()
    told = run(tmp_path, {}, ["sh", "-c", 'cat "$WATCHBILL_PROMPT"']).stdout
    assert told.startswith("# Role coder\n")
    assert "change nothing that cannot be undone" in told


def test_agent_without_a_prompt_does_not_start(tmp_path: Path) -> None:
    pages(tmp_path)
    (tmp_path / "run/watchbill/coder0").mkdir(parents=True)
    (tmp_path / "run/watchbill/coder0/prompt.md").mkdir()
    done = run(tmp_path, {}, ["true"])
    assert done.returncode == 126
    assert "prompt.md" in done.stdout


def test_home_of_somebody_else_is_not_touched() -> None:
    name = pwd.getpwuid(os.getuid()).pw_name
    assert expand(f"~{name}/x", "/home/studio") == f"~{name}/x"
    assert expand("~", "/home/studio") == "/home/studio"
    assert expand("~/x", "/home/studio") == "/home/studio/x"
    assert expand("/x/~", "/home/studio") == "/x/~"


@pytest.mark.parametrize(("uptime", "behind"), [(5000.0, 0.0), (4999.9, 0.0), (750.25, 4249.75), (None, 0.0)])
def test_programs_without_the_keepers_clock_are_told_how_far_theirs_is_behind(
    monkeypatch: pytest.MonkeyPatch, uptime: float | None, behind: float
) -> None:
    """In a container of LXC /proc/uptime begins with the container: every beat would be older than its session."""

    def shown(path: str, **more: str) -> io.StringIO:
        if uptime is None:
            raise FileNotFoundError(path)
        return io.StringIO(f"{uptime:.2f} 99.00\n")

    monkeypatch.setattr(world.time, "clock_gettime", lambda clock: 5000.0)
    monkeypatch.setattr("builtins.open", shown)
    assert world.uptime_behind() == behind
