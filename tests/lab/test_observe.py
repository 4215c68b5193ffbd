"""People who look at agents: nothing they do reaches one, unless they attach, and all of it is written down."""

from __future__ import annotations

import signal
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.lab.command_line import WATCHBILL, answer, eventually, watchbill
from tests.lab.conftest import Lab
from tests.lab.keeper_host import RUNTIME, KeeperHost
from tests.lab.terminals import Terminal, terminals

# Writes down each key it gets, and each size its terminal ever has; `f` makes it print four megabytes.
RECORDER = """\
#!/usr/bin/python3
import os, signal, sys, tty
home = os.environ["HOME"]
def note(name, text):
    with open(home + "/" + name, "a") as stream:
        stream.write(text)
def size(*_):
    note("sizes", "%d %d\\n" % tuple(os.get_terminal_size()))
signal.signal(signal.SIGWINCH, size)
tty.setcbreak(0)
note("keys", "")
size()
print("recorder is ready \\x1b[31mred\\x1b[0m \\x1b]52;c;b3duZWQ=\\x07 \\x1b]0;recording\\x07", flush=True)
while keys := os.read(0, 1024):
    note("keys", keys.decode())
    if keys == b"f":
        for number in range(40000):
            print("flood", number, "x" * 90)
        note("floods", "one\\n")
"""
FLEET = """
version: 1
fleet: {name: observe}
tenants:
  studio: {uid: 20001, floor: none}
hosts: {desk: {address: 10.77.0.1, slots: 9}}
teams:
  app: {tenant: studio}
roster:
  - {name: coder, count: 2, team: app, role: coder, runtime: stub}
  - {name: recorder, team: app, role: operations, runtime: command, command: [/usr/local/bin/recorder]}
policy:
  heartbeat: {interval: 1s, healthy_within: 60s}
"""
HOME = "/home/studio/agents/recorder"
VIEWERS = "pgrep -af 'watchbill-host (watch|tail|logs)|tmux.* -C attach'"


@pytest.fixture(scope="module")
def desk(lab: Callable[[str | Path], Lab]) -> KeeperHost:
    """A machine with agents that are up."""
    machines = lab(FLEET)
    machines.ssh(
        "desk", f"cat > /usr/local/bin/recorder <<'END'\n{RECORDER}END\nchmod 755 /usr/local/bin/recorder", check=True
    )
    done = watchbill(machines.path, "apply", "--yes")
    assert done.returncode == 0, done.stdout + done.stderr
    desk = KeeperHost(machines)
    for agent in ("coder0", "coder1"):
        desk.until(agent, state="idle")
    desk.until("recorder", state="working")
    eventually(lambda: "recorder is ready" in desk.screen("recorder"), "the recorder")
    return desk


def command(desk: KeeperHost, *words: str) -> list[str]:
    return [*WATCHBILL, "--lab", *words, "-f", str(desk.lab.path)]


def recorded(desk: KeeperHost, name: str) -> str:
    return desk.do(f"cat {HOME}/{name} 2>/dev/null", check=False)


def viewers(desk: KeeperHost) -> str:
    return desk.do(VIEWERS, check=False)


def watched(desk: KeeperHost, agent: str) -> int:
    """Return how often somebody began to watch an agent, as it is written down."""
    trail = answer(desk.lab.path, "audit", "--agent", agent)
    return [entry["verb"] for entry in trail["entries"]].count("watch")


def test_three_viewers_come_and_go_and_the_agent_never_notices(desk: KeeperHost) -> None:
    watch_one = (command(desk, "watch", "recorder"), (24, 80))
    watch_all = (command(desk, "watch", "--team", "app"), (60, 240))
    screen = (command(desk, "tui"), (12, 42))
    with terminals(watch_one, watch_all, screen) as people:
        for person, seen in zip(people, ("recorder is ready", "recorder is ready", "studio/coder0"), strict=True):
            person.shows(seen)
        assert "200x50" in people[0].text
        # The third one looks at a terminal once its list has stood for a moment, and what is typed changes the list.
        wanted = {"recorder": 2, "coder0": 2, "coder1": 1}
        eventually(lambda: all(watched(desk, one) >= times for one, times in wanted.items()), "all watch")
        for person in people:
            person.type("hello from a viewer\x1b[A\x02d\r")
            person.resize(33, 99)
        people[2].type("\x1b/words\r")
        desk.as_tenant(f"printf '\\033[9;1Hthe agent goes on' > $(tmux -N -S {RUNTIME}/recorder/tmux.sock "
                       "display-message -p -t %0 '#{pane_tty}')")  # fmt: skip
        for person in people[:2]:
            person.shows("the agent goes on")
        people[0].type("q")
        assert people[0].ended() == 0
        people[1].process.send_signal(signal.SIGHUP)
        people[2].kill()
    eventually(lambda: not viewers(desk), "nothing of the viewers left on the host")
    assert recorded(desk, "sizes") == "200 50\n"
    assert recorded(desk, "keys") == ""
    assert "hello" not in desk.screen("recorder") + desk.screen("coder0") + desk.screen("coder1")


def test_escapes_of_an_agent_stay_in_its_own_terminal(desk: KeeperHost) -> None:
    with Terminal(command(desk, "watch", "recorder")) as person:
        person.shows("recorder is ready")
        person.type("q")
        person.ended()
    assert b"\x1b]52" not in person.raw
    assert b"\x1b]0;" not in person.raw
    assert b"\x1b[31mred" in person.raw


def test_viewer_that_is_stopped_holds_up_nobody(desk: KeeperHost) -> None:
    with Terminal(command(desk, "watch", "recorder")) as person:
        person.shows("recorder is ready")
        desk.do("pkill -STOP -f 'watchbill-host watch'")
        try:
            desk.as_tenant(f"tmux -N -S {RUNTIME}/recorder/tmux.sock send-keys -t %0 f")
            eventually(lambda: recorded(desk, "floods") != "", "four megabytes printed while nobody reads")
        finally:
            desk.do("pkill -CONT -f 'watchbill-host watch'")
        person.shows("flood 39999")


def test_message_is_delivered_while_somebody_watches(desk: KeeperHost) -> None:
    # As wide as the name of this machine, from which the message is, may make its first line.
    with Terminal(command(desk, "watch", "coder0"), (24, 200)) as person:
        person.shows("stub agent")
        sent = answer(desk.lab.path, "send", "coder0", "Rebase on main.", "--verify")
        assert sent["state"] in ("accepted", "answered")
        person.shows(sent["id"])


def test_attach_types_keeps_the_size_and_is_written_down_with_everybody_who_looked(desk: KeeperHost) -> None:
    with Terminal(command(desk, "attach", "recorder"), (30, 90)) as person:
        person.shows("keys you type go to the agent")
        tmux = f"tmux -N -S {RUNTIME}/recorder/tmux.sock"
        eventually(lambda: desk.as_tenant(f"{tmux} list-clients") != "", "somebody at the terminal")
        person.type("typed by a person")
        eventually(lambda: recorded(desk, "keys").endswith("typed by a person"), "what was typed")
        person.type("\x02d")
        assert person.ended() == 0
    assert recorded(desk, "sizes") == "200 50\n"
    assert watchbill(desk.lab.path, "tail", "recorder").returncode == 0
    assert watchbill(desk.lab.path, "logs", "recorder").returncode == 0
    trail = answer(desk.lab.path, "audit", "--agent", "recorder")
    verbs = [entry["verb"] for entry in trail["entries"]]
    assert verbs[-3:] == ["attach", "tail", "logs"]
    assert all(entry["who"] and entry["account"] == "root" and entry["from"] for entry in trail["entries"])
    written = desk.do("stat --format '%U %a' /var/lib/watchbill/audit.jsonl").split()
    assert written == ["root", "600"], "no agent can change it"


def test_agent_without_a_record_is_followed_at_its_terminal(desk: KeeperHost) -> None:
    with Terminal(command(desk, "tail", "coder1", "--follow")) as person:
        person.shows("coder1 keeps no record; this is its terminal")
        desk.type("coder1", "env HOME")
        person.shows("HOME=/home/studio/agents/coder1")
    eventually(lambda: not viewers(desk), "nothing left on the host")


def test_watch_goes_on_with_the_next_session(desk: KeeperHost) -> None:
    with Terminal(command(desk, "watch", "coder1")) as person:
        person.shows("stub agent studio/coder1")
        assert watchbill(desk.lab.path, "stop", "coder1").returncode == 0
        person.shows("it has no terminal now")
        assert watchbill(desk.lab.path, "start", "coder1").returncode == 0
        eventually(lambda: "stub agent" in person.text.rpartition("no terminal now")[2], "the next session")


def test_screen_shows_the_fleet_and_does_what_is_confirmed(desk: KeeperHost) -> None:
    with Terminal(command(desk, "tui")) as person:
        person.shows("studio/coder0")
        person.shows("stub agent studio/coder0")
        asked(person, "p", "pause studio/coder0?")
        person.type("n")
        asked(person, "r", "restart studio/coder0?")
        person.type("n")
        asked(person, "p", "pause studio/coder0?")
        person.type("y")
        desk.until("coder0", state="paused")
        asked(person, "u", "resume studio/coder0?")
        person.type("y")
        desk.until("coder0", state="idle")
        asked(person, "m", "message to studio/coder0")
        person.type("hello agent\r")
        eventually(lambda: "hello agent" in desk.do("cat /home/studio/agents/coder0/stub-transcript.jsonl"), "sent")
        person.type("q")
        assert person.ended() == 0
    assert b"Traceback" not in person.raw


def asked(person: Terminal, key: str, words: str) -> None:
    """Press a key until it is answered with a question: one that comes before the last dialog has gone is lost."""
    before = len(person.raw)

    def holds() -> bool:
        person.type(key)
        time.sleep(0.5)
        return words in person.text_since(before)

    eventually(holds, words)
