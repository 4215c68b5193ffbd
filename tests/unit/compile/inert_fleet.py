"""Texts that mean something to systemd, shells, Ansible or terminals, and a fleet that has them wherever it takes any.

FREE and PLAIN together name every text of the vocabulary: what takes such texts, with where they end up on a host, and
what takes none of them.
"""

from __future__ import annotations

import copy
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

CANARY = "/tmp/watchbill-inert-canary"
"""A file that is made by whoever takes one of the texts for a command."""

HARMLESS = "plain"
WHITE = {"leading blanks": "  \u00a0begins", "trailing blanks": "ends \u00a0 ", "only blanks": "   "}
TEXTS: dict[str, str] = WHITE | {
    "specifiers of systemd": "%i %h %% %s %",
    "variables": "$HOME ${X} $$ $ ${X:-y}",
    "a command in brackets": f"$(touch {CANARY})",
    "a command in backticks": f"`touch {CANARY}`",
    "a second command": f"a; touch {CANARY}",
    "one command and another": f"true && touch {CANARY}",
    "a pipe": f"a | tee {CANARY} > b",
    "both quotes": "it's \"so\" ''\"",
    "a way out of double quotes": f'"; touch {CANARY}; "',
    "a way out of single quotes": f"'; touch {CANARY}; '",
    "escapes that are none": r"\\ \x2d \n \t \0 \" \$",
    "a backslash at the end": "ends\\",
    "an expression of Jinja": "{{ x }} {{ lookup('pipe', 'touch " + CANARY + "') }}",
    "statements of Jinja": "{% for x in y %} {# note #} {%",
    "a comment": "# nothing follows",
    "a comment at the end": "this # stays #",
    "an assignment": "A=B=C",
    "another section": "[Service] ExecStartPre=/bin/id",
    "prefixes of a command line": "-+!!:@/bin/id",
    "options": "-rf --help --",
    "globs": "* ? [a-z] {a,b}",
    "homes": "~ ~root",
    "history": "!! !$ ^a^b",
    "markup": "<b>&amp;</b> </system>",
    "tags of YAML": "!!python/name:os.system &a *a",
    "no text to YAML": "null, yes, 12:30:00, 0x1F: {}",
    "formats of Python": "%(name)s {0} {name!r}",
    "formats of tmux": "#{pane_id} #(id) #[fg=red]",
    "many scripts": "é 漢字 😀 \u05d0\u0627 e\u0301",
    "letters of other scripts": "\u00e9\u6f22\u5b57\u00d1",
    "bytes that dash uses itself": "".join(chr(0xC0 + number) for number in range(64)),
    "very long": "long $x " * 100,
}

CONTROL = {
    "a tab": "a\tb",
    "a new line": "a\nExecStart=/bin/id",
    "a carriage return": "a\rb",
    "NUL": "a\0b",
    "ESC": "\x1b[31mred\x1b[0m",
    "DEL": "a\x7fb",
    "C1": "a\x9bb",
    "NEL": "a\x85b",
    "LINE SEPARATOR": "a\u2028b",
}
"""No field takes one of these."""

UNSHOWABLE = CONTROL | {
    "a zero width space": "a\u200bb",
    "right to left": "a\u202eb",
    "an isolate": "a\u2066b",
    "a byte order mark": "a\ufeffb",
    # systemd reads no environment file with one of these.
    "no character": "a\ufdd0b",
    "no character either": "a\U0010ffffb",
}
"""No file takes one of these, wherever it is."""


@dataclass(frozen=True)
class Free:
    """A field that takes such texts: where it is in the fleet, how it is written, and where on a host it ends up.

    :ivar form: what stands around the text; it stays there on the host as well.
    :ivar refused: characters that no text in this field may have.
    :ivar blank_first: whether the text may begin with a blank.
    :ivar longest: characters of the text that fit into the form, None for any of TEXTS.
    :ivar lands: places as ``picture`` in test_inert.py names them; none: it stays with who wrote the fleet.
    """

    place: tuple[str | int, ...]
    lands: tuple[str, ...] = ()
    form: str = "{}"
    refused: str = ""
    longest: int | None = None
    blank_first: bool = True

    def takes(self, text: str) -> bool:
        """Say whether this field takes a text."""
        fits = self.longest is None or len(text) <= self.longest
        return fits and not set(text) & set(self.refused) and (self.blank_first or not text[0].isspace())


KEY = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIOMqqnkVzrm0SdG6UOoqKLsabgH5C9okWi0dh2l9GKJl"
_SIGNS = "".join(chr(code) for code in range(0xA0) if not chr(code).isalnum() and chr(code) not in "._-")
_SIGNS += "\u00a0\u00d7\u00ad"

FREE: dict[str, Free] = {
    "fleet.description": Free(("fleet", "description")),
    "include[]": Free(("include", 0), form="more/{}.yaml", refused="\\", longest=245),
    "defaults.working_directory": Free(
        ("defaults", "working_directory"),
        ("agents/studio/roamer/definition.json launch.working_directory", "agent:studio/roamer working_directory"),
        form="~/{}",
        longest=255,
    ),
    "hosts{}.connect.host_key": Free(("hosts", "desk", "connect", "host_key"), form=f"{KEY} {{}}"),
    "teams{}.name": Free(("teams", "app", "name"), ("tenants/studio/roster.json teams.app.title",)),
    "teams{}.mission": Free(("teams", "app", "mission"), ("tenants/studio/roster.json teams.app.mission",)),
    "projects{}.path": Free(
        ("projects", "shop", "path"),
        (
            "agents/studio/worker/definition.json launch.working_directory",
            "agents/studio/worker/definition.json checkout.path",
            "agent:studio/worker working_directory",
            "projects 0.path",
            "tenants/studio/projects.json projects.0.path",
        ),
        form="/srv/{}",
        longest=255,
    ),
    "projects{}.repository": Free(
        ("projects", "shop", "repository"),
        ("projects 0.repository", "tenants/studio/projects.json projects.0.repository"),
        form="ssh://git.example.org/{}.git",
        refused=" \u00a0",
    ),
    "projects{}.host_key": Free(("projects", "shop", "host_key"), form=f"{KEY} {{}}"),
    "roles{}.persona": Free(("roles", "keeper", "persona"), form="pages/{}.md", refused="\\*", longest=245),
    "roles{}.summary": Free(
        ("roles", "keeper", "summary"), ("tenants/studio/roster.json roles.keeper.summary",), longest=100
    ),
    "roles{}.env{}": Free(
        ("roles", "keeper", "env", "OF_ROLE"), ("agents/studio/shell/env OF_ROLE", "agent:studio/shell env.OF_ROLE")
    ),
    "runtimes{}.env{}": Free(
        ("runtimes", "command", "env", "OF_RUNTIME"),
        ("agents/studio/shell/env OF_RUNTIME", "agent:studio/shell env.OF_RUNTIME"),
    ),
    "secrets{}.command[]": Free(("secrets", "github", "command", 1)),
    # The pages of the runtime itself are its adapter's; nobody in this fleet is one.
    "runtimes{}.settings{}": Free(("runtimes", "claude", "settings", "note")),
    "schedules{}.backlog[]": Free(
        ("schedules", "queue", "backlog", 1),
        ("agents/studio/worker/definition.json schedule.backlog.1", "agent:studio/worker schedule.backlog.1"),
    ),
    "roster[].command[]": Free(
        ("roster", 0, "command", 1),
        (
            "agents/studio/shell/definition.json command.1",
            "agents/studio/shell/definition.json launch.argv.1",
            "agent:studio/shell command.1",
        ),
    ),
    "roster[].working_directory": Free(
        ("roster", 0, "working_directory"),
        ("agents/studio/shell/definition.json launch.working_directory", "agent:studio/shell working_directory"),
        form="~/{}",
        longest=255,
    ),
    "roster[].env{}": Free(("roster", 0, "env", "OWN"), ("agents/studio/shell/env OWN", "agent:studio/shell env.OWN")),
    "roster[].alias": Free(
        ("roster", 0, "alias"),
        (
            "agents/studio/shell/definition.json alias",
            "tenants/studio/roster.json agents.1.alias",
            "agent:studio/shell alias",
        ),
        form="A{}",
        # One word of letters: of all the texts only those of a script.
        refused=_SIGNS,
        longest=31,
    ),
    "notify{}.command[]": Free(
        ("notify", "pager", "command", 1),
        tuple(f"agents/studio/{name}/definition.json notify.0.command.1" for name in ("roamer", "shell", "worker")),
    ),
    "jobs[].prompt": Free(("jobs", 0, "prompt"), ("agents/studio/shell/definition.json jobs.0.prompt",)),
    "policy.ignore[].path": Free(
        ("policy", "ignore", 0, "path"), ("policy ignore.0.path",), form="file.{}.mode", longest=480, blank_first=False
    ),
    "policy.ignore[].reason": Free(("policy", "ignore", 0, "reason"), ("policy ignore.0.reason",)),
}

PLAIN = frozenset(
    """
    plugin fleet.name
    defaults.runtime defaults.model defaults.schedule defaults.limits.memory defaults.limits.cpu
    tenants{key} tenants{}.floor tenants{}.limits.memory tenants{}.limits.cpu
    hosts{key} hosts{}.address hosts{}.labels{key} hosts{}.labels{} hosts{}.connect.user hosts{}.connect.jump
    teams{key} teams{}.tenant teams{}.schedule
    teams{}.policy.restart teams{}.policy.stuck
    teams{}.policy.heartbeat.interval teams{}.policy.heartbeat.healthy_within
    projects{key} projects{}.team projects{}.branch projects{}.credential.secret
    roles{key} roles{}.extends roles{}.skills[] roles{}.runtime roles{}.model roles{}.env{key} roles{}.env{}.secret
    roles{}.policy.restart roles{}.policy.stuck
    roles{}.policy.heartbeat.interval roles{}.policy.heartbeat.healthy_within
    runtimes{key} runtimes{}.version runtimes{}.canary runtimes{}.registry runtimes{}.settings{key}
    runtimes{}.env{key} runtimes{}.env{}.secret
    schedules{key} schedules{}.policy schedules{}.timezone schedules{}.windows[] schedules{}.except[]
    schedules{}.outside schedules{}.grace schedules{}.backlog_every
    roster[].name roster[].team roster[].role roster[].runtime roster[].model roster[].host roster[].project
    roster[].env{key} roster[].env{}.secret
    secrets{key} secrets{}.environment
    notify{key} notify{}.events[] notify{}.webhook notify{}.webhook.secret notify{}.teams[] notify{}.every
    jobs[].name jobs[].agent jobs[].schedule jobs[].if
    roster[].schedule roster[].place.labels{key} roster[].place.labels{} roster[].place.spread
    roster[].limits.memory roster[].limits.cpu
    roster[].policy.restart roster[].policy.stuck
    roster[].policy.heartbeat.interval roster[].policy.heartbeat.healthy_within
    policy.restart policy.stuck policy.heartbeat.interval policy.heartbeat.healthy_within
    policy.prune policy.max_delete policy.max_unavailable policy.canary[]
    policy.worktree_ttl policy.ignore[].hosts[] policy.ignore[].until
    """.split()  # noqa: SIM905 - one word a line would hide the list
)
"""Fields that take names, quantities and one of a few words: none of TEXTS, neither whole nor as a part."""

_BASE: dict[str, Any] = {
    "version": 1,
    "include": [],
    "fleet": {"name": "inert"},
    "defaults": {"runtime": "stub"},
    "tenants": {"studio": {"uid": 20001, "floor": "none"}},
    "hosts": {"desk": {"address": "10.77.63.1", "slots": 4, "connect": {}}},
    "teams": {"app": {"tenant": "studio"}},
    "projects": {"shop": {"team": "app"}},
    "roles": {"keeper": {"env": {}}},
    "runtimes": {"command": {"env": {}}, "claude": {"settings": {}}},
    "secrets": {"github": {"command": ["pass", ""]}},
    "notify": {"pager": {"events": ["stuck"], "command": ["page", ""]}},
    "jobs": [{"name": "standup", "agent": "shell", "schedule": "mornings", "prompt": "?"}],
    "schedules": {
        "mornings": {"policy": "windows", "timezone": "UTC", "windows": ["mon 09:00-09:05"]},
        "queue": {"policy": "burst-on-backlog", "backlog": ["test", ""]},
    },
    "roster": [
        {"name": "shell", "team": "app", "role": "keeper", "runtime": "command", "command": ["sleep", ""], "env": {}},
        {"name": "roamer", "team": "app", "role": "coder"},
        {"name": "worker", "team": "app", "role": "coder", "project": "shop", "schedule": "queue"},
    ],
    "policy": {"ignore": [{}]},
}


def document(text: str, fields: Iterable[str] = FREE, **host: Any) -> dict[str, Any]:
    """Return a fleet in which *fields* hold *text* wherever they take it, and a harmless one elsewhere.

    :param host: what its host is besides, such as ``rootless``.
    """
    whole = copy.deepcopy(_BASE)
    whole["hosts"]["desk"].update(host)
    wanted = set(fields)
    for name, field in FREE.items():
        put(whole, field.place, field.form.format(text if name in wanted and field.takes(text) else HARMLESS))
    return whole


def put(whole: dict[str, Any], place: tuple[str | int, ...], value: Any) -> None:
    """Put a value into a document; its section is there, in a list perhaps not the entry."""
    target: Any = whole
    for step in place[:-1]:
        target = target[step]
    if isinstance(target, list) and place[-1] == len(target):
        target.append(value)
    else:
        target[place[-1]] = value


def write(folder: Path, whole: dict[str, Any]) -> Path:
    """Write a fleet and the files that it names into *folder*; return the path of the fleet file."""
    folder.mkdir(parents=True, exist_ok=True)
    # What an include may hold as a wildcard, a file may not be called.
    contents = {whole["include"][0].replace("*", "any"): "projects: {more: {team: app, path: ~/more}}\n"}
    contents[whole["roles"]["keeper"]["persona"]] = "# Keeper\n"
    for name, content in contents.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(content)
    fleet = folder / "fleet.yaml"
    fleet.write_text(yaml.safe_dump(whole, sort_keys=False))
    return fleet
