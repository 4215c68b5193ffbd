"""One mistake, one error: with its code, at its place, and with a hint that helps."""

from __future__ import annotations

import re

import pytest

from .conftest import GOOD, Problems, with_line

ORCHESTRATOR = "  - {name: orchestrator, team: app, role: orchestrator, runtime: stub, host: desk}"
GUEST = "{name: guest, team: guest, role: coder, runtime: stub}"
KEY = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIOMqqnkVzrm0SdG6UOoqKLsabgH5C9okWi0dh2l9GKJl"
DESK = "{address: 10.0.0.1, slots: 4, labels: {zone: home}}"

# id: (old text, new text, code, what the caret points at, a part of the hint)
MISTAKES = {
    "unknown-key": ("slots: 4", "slot: 4, slots: 4", "unknown-key", "slot: 4,", 'did you mean "slots"?'),
    "unknown-key-far-off": ("slots: 4", "slots: 4, xyzzy: 1", "unknown-key", "xyzzy", "known keys: address, slots"),
    "unknown-top-key": ("policy:", "polcy:", "unknown-key", "polcy", 'did you mean "policy"?'),
    "missing-key": (GUEST, "{name: guest, role: coder, runtime: stub}", "missing-key", "{name: guest", "add team"),
    "missing-section": ("version: 1\n", "", "missing-key", "plugin:", "add version"),
    "wrong-version": ("version: 1", "version: 2", "bad-value", "2", ""),
    "wrong-plugin": ("watchbill.fleet.fleet", "constructed", "bad-value", "constructed", ""),
    "number-for-text": ("LEVEL: role", "LEVEL: 3", "wrong-type", "3}", 'quote it: "3"'),
    "no-for-text": ("role: orchestrator", "role: no", "wrong-type", "no,", 'quote it: "no"'),
    "text-for-number": ("slots: 4", 'slots: "4"', "wrong-type", '"4"', "without quotes"),
    "float-for-number": ("slots: 4", "slots: 4.0", "wrong-type", "4.0", ""),
    "true-for-number": ("slots: 4", "slots: true", "wrong-type", "true", ""),
    "text-for-boolean": (GUEST, GUEST[:-1] + ', enabled: "yes"}', "wrong-type", '"yes"', ""),
    "text-for-mapping": (DESK, "10.0.0.1", "wrong-type", "10.0.0.1", ""),
    "mapping-for-list": (
        GOOD[GOOD.index("roster:") : GOOD.index("policy:")],
        "roster: {}\n",
        "wrong-type",
        "{}",
        "a dash for each",
    ),
    "command-is-text": (GUEST, "{name: g, team: guest, role: coder, command: bash}", "wrong-type", "bash", "a dash"),
    "number-in-command": (GUEST, "{name: g, team: guest, role: coder, command: [sleep, 5]}", "wrong-type", "5]", '"5"'),
    "empty-command": (GUEST, "{name: g, team: guest, role: coder, command: []}", "too-short", "[]", ""),
    "out-of-range": ("uid: 20001", "uid: 999", "out-of-range", "999", ""),
    "uid-0": ("uid: 20001", "uid: 0", "out-of-range", "0,", ""),
    "uid-nobody": ("uid: 20001", "uid: 65534", "out-of-range", "65534", ""),
    "bad-choice": ("interval: 5s, healthy_within: 30s}", "interval: 5s}\n  prune: aks", "bad-value", "aks", '"ask"'),
    "duration-without-unit": ("interval: 5s", "interval: 5", "wrong-type", "5,", "15s, 2m or 1h"),
    "duration-with-blank": ("interval: 5s", "interval: 5 s", "bad-duration", "5 s", "15s, 2m or 1h"),
    "duration-0": ("interval: 5s", "interval: 0s", "bad-duration", "0s", ""),
    "bad-share": ("30s}", "30s}\n  max_unavailable: 0%", "bad-value", "0%", "1% to 100%"),
    "no-deletions": ("30s}", "30s}\n  max_delete: -1", "bad-value", "-1", "none"),
    # names
    "system-account": ("hosts:", "  www-data: {uid: 1005}\nhosts:", "reserved-name", "www-data", "choose another"),
    "systemd-account": ("hosts:", "  systemd-x: {uid: 1005}\nhosts:", "reserved-name", "systemd-x", ""),
    "long-tenant": ("hosts:", f"  {'g' * 25}: {{uid: 1005}}\nhosts:", "bad-name", "ggg", ""),
    "capital-host": ("  attic: {", "  Attic: {", "bad-name", "Attic", "small letters"),
    "ansible-host": ("  attic: {", "  all: {", "reserved-name", "all", ""),
    "double-dash": ("name: guest,", "name: gu--est,", "bad-name", "gu--est", "single dashes"),
    "dash-at-the-end": ("name: guest,", "name: guest-,", "bad-name", "guest-,", ""),
    "digit-first": ("name: guest,", "name: 1guest,", "bad-name", "1guest", ""),
    "homoglyph": ("name: guest,", "name: gu\u0435st,", "bad-name", "gu\u0435st", ""),
    "long-name": ("name: guest,", f"name: {'g' * 1000},", "bad-name", "ggg", ""),
    "long-counted-name": ("name: coder, count: 2", f"name: {'c' * 32}, count: 2", "bad-name", "ccc", "count: 2"),
    "shell-in-name": ("name: guest,", 'name: "$(id)",', "bad-name", '"$(id)"', ""),
    "specifier-in-name": ("name: guest,", 'name: "%i",', "bad-name", '"%i"', ""),
    "env-of-ours": ("LEVEL: role", "WATCHBILL_X: a", "reserved-name", "WATCHBILL_X", ""),
    "env-home": ("LEVEL: role", "HOME: /", "reserved-name", "HOME", ""),
    "env-name": ("LEVEL: role", "A-B: a", "bad-name", "A-B", ""),
    "long-env": ("LEVEL: role", f"LEVEL: {'x' * 4097}", "too-long", "xxx", ""),
    # addresses, paths
    "option-as-address": ("10.0.0.1", "-oProxyCommand=id", "bad-address", "-oProxy", "an IP address"),
    "half-an-address": ("10.0.0.1", "10.0.1", "bad-address", "10.0.1", ""),
    "address-with-user": ("10.0.0.1", "root@10.0.0.1", "bad-address", "root@", ""),
    "address-with-scope": ("10.0.0.1", '"fe80::1%eth0"', "bad-address", '"fe80', ""),
    "option-as-user": (DESK, "{address: a, slots: 4, connect: {user: -l}}", "bad-name", "-l", ""),
    "port": (DESK, "{address: a, slots: 4, connect: {port: 70000}}", "out-of-range", "70000", ""),
    "key": (
        DESK,
        "{address: a, slots: 4, connect: {host_key: ssh-ed25519 AAAA}}",
        "bad-host-key",
        "ssh-ed",
        "cat /etc",
    ),
    "relative-path": ("~/src/shop", "src/shop", "bad-path", "src/shop", "~/"),
    "climbing-path": ("~/src/shop", "~/src/../../x", "bad-path", "~/src/..", ""),
    "other-home": ("~/src/shop", "~root/x", "bad-path", "~root", ""),
    "option-as-repository": ("path: ~", "repository: --upload-pack=x, path: ~", "bad-repository", "--upload", ""),
    "command-as-repository": ("path: ~", "repository: 'ext::sh -c id', path: ~", "bad-repository", "'ext", ""),
    "secret-in-repository": (
        "path: ~",
        "repository: https://u:pw@h/x, path: ~",
        "bad-repository",
        "https",
        "credentials",
    ),
    "option-as-branch": ("path: ~", "branch: -x, path: ~", "bad-name", "-x", ""),
    "label": ("zone: home", 'zone: "a b"', "bad-name", '"a b"', ""),
    # references
    "team": ("team: guest, role", "team: gest, role", "unknown-team", "gest", 'did you mean "guest"?'),
    "tenant": ("tenant: guests", "tenant: guets", "unknown-tenant", "guets", 'did you mean "guests"?'),
    "host": ("host: desk", "host: dsek", "unknown-host", "dsek", 'did you mean "desk"?'),
    "project": ("project: shop", "project: shpo", "unknown-project", "shpo", 'did you mean "shop"?'),
    "project-team": ("{team: app, path", "{team: ap, path", "unknown-team", "ap,", 'did you mean "app"?'),
    "jump": (DESK, "{address: a, slots: 4, connect: {jump: atic}}", "unknown-host", "atic", 'did you mean "attic"?'),
    "runtime": ("runtime: stub, host", "runtime: stbu, host", "unknown-runtime", "stbu", 'did you mean "stub"?'),
    "runtime-section": ("policy:", "runtimes: {cluade: {}}\npolicy:", "unknown-runtime", "cluade", "claude"),
    "role-runtime": ("{env: {LEVEL: role}}", "{runtime: pie}", "unknown-runtime", "pie", ""),
    "no-command": (ORCHESTRATOR, ORCHESTRATOR.replace("stub", "command"), "missing-key", "{name: orch", "[bash, -l]"),
    "command-of-stub": (GUEST, GUEST[:-1] + ", command: [a]}", "unused-command", "command: [a]", "runtime: command"),
    # used twice, or at odds
    "uid-twice": ("uid: 20002", "uid: 20001", "duplicate-uid", "20001,", ""),
    "address-twice": ("10.0.0.2", "10.0.0.1", "duplicate-address", "10.0.0.1, slots: 3", ""),
    "agent-twice": ("name: orchestrator", "name: coder1", "duplicate-name", "coder, count", "unique within a tenant"),
    "label-groups": (
        "slots: 3}",
        "slots: 3, labels: {a-b: c}}\n  third: {address: x, slots: 1, labels: {a: b-c}}",
        "same-group",
        "b-c",
        "rename",
    ),
    "tight-heartbeat": ("healthy_within: 30s", "healthy_within: 24s", "tight-heartbeat", "24s", "at least 25s"),
    "tight-heartbeat-by-team": (
        "tenant: guests, priority: 10",
        "tenant: guests, policy: {heartbeat: {interval: 7s}}",
        "tight-heartbeat",
        "7s",
        "at least 35s",
    ),
    "foreign-project": (GUEST, GUEST[:-1] + ", project: shop}", "foreign-project", "shop}", "same tenant"),
    "jump-to-itself": (DESK, "{address: a, slots: 4, connect: {jump: desk}}", "jump-loop", "desk}", ""),
    "jump-in-a-circle": (
        "attic: {address: 10.0.0.2, slots: 3}",
        "attic: {address: x, slots: 3, connect: {jump: ring}}\n  ring: {address: y, slots: 1, connect: {jump: attic}}",
        "jump-loop",
        "ring}}",
        "",
    ),
    "too-many-jumps": (
        "attic: {address: 10.0.0.2, slots: 3}",
        "attic: {address: x, slots: 3, connect: {jump: h1}}\n"
        + "".join(f"  h{n}: {{address: a{n}, slots: 1, connect: {{jump: h{n + 1}}}}}\n" for n in (1, 2, 3))
        + "  h4: {address: a4, slots: 1}",
        "too-many-jumps",
        "h1}}",
        "",
    ),
    "jump-through-local": (
        "attic: {address: 10.0.0.2, slots: 3}",
        "attic: {address: local, slots: 3}\n  far: {address: x, slots: 1, connect: {jump: attic}}",
        "bad-jump",
        "attic}}",
        "remove jump",
    ),
    "rootless-root": (
        DESK,
        "{address: a, slots: 4, rootless: true, connect: {become: true}}",
        "rootless-become",
        "true}}",
        "remove become",
    ),
    "local-port": (DESK, "{address: local, slots: 4, connect: {port: 22}}", "local-connect", "port", ""),
    # roles, places, names, schedules
    "unknown-role": (GUEST, GUEST.replace("coder", "codr"), "unknown-role", "codr", 'did you mean "coder"?'),
    "unknown-role-alone": (GUEST, "{name: guest, team: guest, role: codr}", "unknown-role", "codr", ""),
    "unknown-base": ("{env: {LEVEL: role}}", "{extends: codr}", "unknown-role", "codr", 'did you mean "coder"?'),
    "roles-in-a-circle": (
        "{env: {LEVEL: role}}",
        "{extends: tester}\n  tester: {extends: coder}",
        "role-loop",
        "tester}",
        "",
    ),
    "role-of-itself": ("{env: {LEVEL: role}}", "{extends: coder}", "role-loop", "coder}", ""),
    "version-of-stub": (
        "policy:",
        'runtimes: {stub: {version: "1.0"}}\npolicy:',
        "unused-version",
        "version",
        "remove",
    ),
    "settings-of-stub": (
        "policy:",
        "runtimes: {stub: {settings: {a: 1}}}\npolicy:",
        "unused-settings",
        "settings",
        "remove",
    ),
    "canary-of-nobody": (
        "policy:",
        'runtimes: {pi: {version: "1.0", canary: "1.1"}}\npolicy:',
        "unused-canary",
        '"1.1"',
        "policy: {canary: [HOST]}",
    ),
    "deep-settings": (
        "policy:",
        f"runtimes: {{pi: {{settings: {{a: {'[' * 9}{']' * 9}}}}}}}\npolicy:",
        "too-deep",
        "[[[[[[[[[]",
        "",
    ),
    "large-settings": (
        "policy:",
        f"runtimes: {{pi: {{settings: {{a: [{', '.join(['x' * 4000] * 17)}]}}}}}}\npolicy:",
        "too-large",
        "settings",
        "",
    ),
    "registry-with-password": (
        "policy:",
        "runtimes: {pi: {registry: 'https://me:pw@npm.example.org/'}}\npolicy:",
        "bad-address",
        "'https://me",
        ".npmrc",
    ),
    "version-range": ("policy:", 'runtimes: {pi: {version: "^1.0"}}\npolicy:', "bad-version", '"^1.0', "exact"),
    "unknown-schedule": ("priority: 10", "schedule: nigths", "unknown-schedule", "nigths", "schedules: none"),
    "default-schedule": ("policy:", "defaults: {schedule: day}\npolicy:", "unknown-schedule", "day", ""),
    "schedule-without-zone": (
        "policy:",
        'schedules: {day: {policy: windows, windows: ["mon 09:00-10:00"]}}\npolicy:',
        "bad-schedule",
        "{policy",
        "",
    ),
    "window-that-is-none": (
        "policy:",
        'schedules: {day: {policy: windows, timezone: Europe/Berlin, windows: ["mon 9-10"]}}\npolicy:',
        "bad-schedule",
        '"mon 9-10"',
        "",
    ),
    "never-opens": (
        "policy:",
        'schedules: {day: {policy: always-on, timezone: UTC, except: ["2020-01-01..2190-01-01"]}}\npolicy:',
        "never-opens",
        "day",
        "manual",
    ),
    "at-window-without-one": (
        "policy:\n",
        "policy:\n  restart: at-window\n",
        "no-window",
        "at-window",
        "schedule with windows",
    ),
    "worktree-of-nothing": (GUEST, GUEST[:-1] + ", worktree: true}", "no-repository", "worktree", "add project"),
    "worktree-of-a-folder": (
        "runtime: stub, project: shop}",
        "runtime: stub, project: shop, worktree: true}",
        "no-repository",
        "worktree",
        "add the repository",
    ),
    # secrets
    "unknown-secret": (
        GUEST,
        GUEST[:-1] + ", env: {TOKEN: {secret: githb}}}\nsecrets: {github: {environment: GITHUB}}",
        "unknown-secret",
        "githb",
        'did you mean "github"?',
    ),
    "no-secrets": (GUEST, GUEST[:-1] + ", env: {A: {secret: x}}}", "unknown-secret", "x}", "write secrets: {x:"),
    "secret-of-nothing": ("roster:", "secrets: {x: {}}\nroster:", "missing-key", "x:", "environment: VARIABLE"),
    "secret-of-two": (
        "roster:",
        "secrets: {x: {environment: A, command: [b]}}\nroster:",
        "two-sources",
        "x:",
        "keep one",
    ),
    "secret-with-value": ("roster:", "secrets: {x: {value: abc}}\nroster:", "unknown-key", "value", "environment"),
    "number-beside-secrets": ("LEVEL: role", "LEVEL: role, B: {secret: 1}", "wrong-type", "1}", 'quote it: "1"'),
    "version-0": ("roster:", "secrets: {x: {environment: A, version: 0}}\nroster:", "out-of-range", "0}", ""),
    # projects
    "credential-without-protection": (
        "path: ~/src/shop}",
        "path: ~/src/shop, repository: http://h/x, credential: {secret: x}}\nsecrets: {x: {environment: A}}",
        "insecure-credential",
        "credential",
        "https://",
    ),
    "host-key-of-https": (
        "path: ~/src/shop}",
        f'path: ~/src/shop, repository: https://h/x, host_key: "{KEY}"}}',
        "unused-key",
        "host_key",
        "remove it",
    ),
    "host-key-of-a-folder": (
        "path: ~/src/shop}",
        f'path: ~/src/shop, host_key: "{KEY}"}}',
        "no-repository",
        "host_key",
        "add repository",
    ),
    "clone-over-a-home": (
        "path: ~/src/shop}",
        'path: "~", repository: https://h/x}',
        "bad-path",
        '"~"',
        "~/src/shop",
    ),
    "two-projects-at-one-path": (
        "path: ~/src/shop}",
        "path: ~/a, repository: https://h/x}\n  docs: {team: app, path: ~/a, repository: https://h/y}",
        "duplicate-path",
        "~/a, repository: https://h/y",
        "its own",
    ),
    "place-beside-a-pin": (
        ORCHESTRATOR,
        ORCHESTRATOR[:-1] + ", place: {spread: host}}",
        "unused-place",
        "place",
        "remove host",
    ),
    "spread-by-nothing": (GUEST, GUEST[:-1] + ", place: {spread: zoen}}", "unknown-label", "zoen", 'mean "zone"?'),
    "label-of-no-host": (
        GUEST,
        GUEST[:-1] + ", place: {labels: {zoen: home}}}",
        "unknown-label",
        "zoen",
        'mean "zone"?',
    ),
    "alias-of-many": ("name: coder, count: 2,", "name: coder, count: 2, alias: Ada,", "shared-alias", "Ada", "count"),
    "alias-of-another": (
        ORCHESTRATOR,
        ORCHESTRATOR[:-1] + ", alias: coder1}",
        "duplicate-name",
        "coder1",
        "choose another",
    ),
    "canary-host": ("policy:\n", "policy:\n  canary: [dessk]\n", "unknown-host", "dessk", 'mean "desk"?'),
    "no-floor": ("{uid: 20002, floor: none}", "{uid: 20002}", "no-floor", "guests", "floor: none"),
    "skill-that-is-not-there": ("{env: {LEVEL: role}}", "{skills: [juggle]}", "unknown-skill", "juggle", "SKILL.md"),
    "persona-that-is-not-there": ("{env: {LEVEL: role}}", "{persona: roles/x.md}", "missing-file", "roles/x.md", ""),
    "persona-above": ("{env: {LEVEL: role}}", "{persona: ../x.md}", "bad-path", "../x.md", "without .."),
    "pinned-to-cordoned": ("slots: 4,", "slots: 4, cordon: true,", "cordoned-host", "desk}", "remove the pin"),
    "too-many-agents": (GUEST, GUEST.replace("}", ", count: 1000}"), "no-slot", "", "left out: guest"),
}


@pytest.mark.parametrize("name", MISTAKES)
def test_one_mistake_is_one_error_at_its_place(name: str, problems: Problems) -> None:
    old, new, code, at, hint = MISTAKES[name]
    text = with_line(old, new)
    found = problems(text)
    assert [problem.code for problem in found] == [code], [str(problem) for problem in found]
    problem = found[0]
    assert problem.line is not None and problem.column is not None
    assert text.split("\n")[problem.line - 1][problem.column - 1 :].startswith(at)
    assert hint in problem.hint
    assert re.match(r".*fleet\.yaml:\d+:\d+: error\[[a-z0-9-]+\]: \S", str(problem))


def test_rootless_host_serves_exactly_one_tenant(problems: Problems) -> None:
    text = with_line("slots: 3}", "slots: 3, rootless: true}")
    text = text.replace("host: desk}", "host: attic}").replace("runtime: stub}\n", "runtime: stub, host: attic}\n")
    (problem,) = problems(text)
    assert (problem.code, problem.line) == ("rootless-tenants", 20)
    assert 'serves tenant "studio", not "guests"' in problem.message


def test_mistake_looks_like_a_mistake(problems: Problems) -> None:
    (problem,) = problems(with_line("team: guest, role", "team: gest, role"))
    lines = problem.render().split("\n")
    assert lines[0].endswith(
        'fleet.yaml:20:25: error[unknown-team]: agent "guest" belongs to team "gest", which does not exist'
    )
    assert lines[1:] == [
        "   20 |   - {name: guest, team: gest, role: coder, runtime: stub}",
        '      |                         ^^^^ did you mean "guest"?',
    ]
