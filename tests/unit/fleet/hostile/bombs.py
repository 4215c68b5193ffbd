"""Right YAML that is small, or not very large, and stands for something enormous or takes long to judge."""

from __future__ import annotations

from pathlib import Path

from tests.unit.fleet.hostile.case import BASE, FIRST, WITHOUT_ROSTER, Case, based, content, each, generated
from watchbill.fleet.roster import MAX_AGENTS

STUB = "team: a, role: coder, runtime: stub"
HEAD = WITHOUT_ROSTER.replace("hosts: {h: {address: 10.0.0.1, slots: 1000}}\n", "")
BEHIND = FIRST - 1
"""The line of what follows HEAD."""


def _hosts(count: int, more: str = "slots: 1") -> str:
    """Return so many hosts, with an address each."""
    entries = (
        f"  h{n}: {{address: 10.{n >> 16}.{n >> 8 & 255}.{n & 255}, {more.replace('%d', str(n))}}}\n"
        for n in range(count)
    )
    return "hosts:\n" + "".join(entries)


def _persona_on_persona(folder: Path) -> None:
    (folder / "page.md").write_text("x" * 120_000)
    roles = "  r0: {persona: page.md}\n" + "".join(f"  r{n}: {{extends: r0}}\n" for n in range(1, 1000))
    (folder / "fleet.yaml").write_text(f"{BASE}roles:\n{roles}")


_LARGE_ENV = ", ".join(f"V{number}: {'x' * 4000}" for number in range(120))
_ALL_MINUTES = ", ".join(f"mon-sun {n // 60:02}:{n % 60:02}-{n // 60:02}:{n % 60 + 1:02}" for n in range(0, 100, 2))
_SCHEDULE = "policy: windows, timezone: UTC, windows"
_WINDOW = "mon 09:00-10:00, "
_MANY_DAYS = ", ".join(f"{year}-{month:02}-01" for year in range(1980, 2010) for month in range(1, 13))

CASES: dict[str, Case] = {
    # counts
    "one-agent-too-many": content(
        lambda: (
            f"{HEAD}{_hosts(51, 'slots: 1000')}roster:\n"
            + each(MAX_AGENTS // 1000, f"- {{name: n%d-, count: 1000, {STUB}}}")
            + f"- {{name: n, {STUB}}}\n"
        ),
        "too-many-agents",
        BEHIND + 51,
        1,
    ),
    "fifty-million-agents": content(
        lambda: f"{WITHOUT_ROSTER}roster:\n" + each(19_000, f"- {{name: n%d-, count: 1000, {STUB}}}"),
        "too-many-agents",
        FIRST - 1,
    ),
    "as-many-agents-as-may-be-and-a-mistake": content(
        lambda: (
            f"{HEAD}{_hosts(50, 'slots: 1000')}x: 1\nroster:\n"
            + each(MAX_AGENTS // 1000, f"- {{name: n%d-, count: 1000, {STUB}}}")
        ),
        "unknown-key",
        BEHIND + 50,
    ),
    "as-many-agents-as-may-be-and-no-slots": content(
        lambda: f"{WITHOUT_ROSTER}roster:\n" + each(MAX_AGENTS // 1000, f"- {{name: n%d-, count: 1000, {STUB}}}"),
        "no-slot",
        FIRST,
        3,
    ),
    "a-count-of-all-digits": based("runtime: stub", "runtime: stub, count: ‸999999999999999999", "out-of-range"),
    "a-count-below-nothing": based("runtime: stub", "runtime: stub, count: ‸-1", "out-of-range"),
    # text that is multiplied
    "an-environment-for-everybody": content(
        lambda: f"{WITHOUT_ROSTER}roster:\n- {{name: n, count: 1000, {STUB}, env: {{{_LARGE_ENV}}}}}\n",
        "too-large",
        FIRST,
        3,
    ),
    "an-environment-from-the-role": content(
        lambda: (
            f"{WITHOUT_ROSTER}roles: {{coder: {{env: {{{_LARGE_ENV}}}}}}}\nroster:\n"
            + each(900, f"- {{name: n%d, {STUB}}}")
        ),
        "too-large",
        FIRST + 1 + 139,
        3,
    ),
    "a-command-for-everybody": content(
        lambda: (
            f"{WITHOUT_ROSTER}roster:\n- {{name: n, count: 1000, team: a, role: coder, runtime: command, "
            f"command: [{', '.join(['x' * 4000] * 200)}]}}\n"
        ),
        "too-large",
        FIRST,
        3,
    ),
    "a-persona-for-every-role": generated(_persona_on_persona, "too-large", 231, 3),
    "a-persona-of-the-library-for-every-role": content(
        lambda: f"{BASE}roles:\n" + each(19_000, "  r%d: {extends: coder}"), "too-long", FIRST + 1, 3
    ),
    # chains
    "roles-on-roles": content(
        lambda: f"{BASE}roles:\n" + each(900, "  r%d: {extends: r%d0}"), "unknown-role", FIRST + 100, 18
    ),
    "a-chain-of-roles": content(
        lambda: f"{BASE}roles:\n" + "".join(f"  r{n}: {{extends: r{n + 1}}}\n" for n in range(900)),
        "too-deep",
        FIRST + 1,
        17,
    ),
    "a-loop-of-roles": content(
        lambda: f"{BASE}roles:\n" + "".join(f"  r{n}: {{extends: r{(n + 1) % 7}}}\n" for n in range(900)),
        "role-loop",
        FIRST + 1,
        17,
    ),
    "a-loop-of-all-roles": content(
        lambda: f"{BASE}roles:\n" + "".join(f"  r{n}: {{extends: r{(n + 1) % 900}}}\n" for n in range(900)),
        "too-deep",
        FIRST + 1,
        17,
    ),
    "a-chain-of-jumps": content(
        lambda: (
            f"{HEAD}hosts:\n"
            + "".join(
                f"  h{n}: {{address: 10.{n >> 16}.{n >> 8 & 255}.{n & 255}, slots: 1, connect: {{jump: h{n + 1}}}}}\n"
                for n in range(19_000)
            )
            + "roster: []\n"
        ),
        "too-many-jumps",
        BEHIND + 1,
        53,
    ),
    # what is compared with each other
    "nobody-s-teams": content(
        lambda: f"{WITHOUT_ROSTER}roster:\n" + each(19_000, "- {name: n%d, team: b, role: coder, runtime: stub}"),
        "unknown-team",
        FIRST,
        20,
    ),
    "teams-nearly-called-so": content(
        lambda: f"{WITHOUT_ROSTER}projects:\n{each(19_000, '  p%d: {team: abcdefghijklmno%d}')}roster: []\n",
        "missing-key",
        FIRST,
        3,
    ),
    "one-name-for-all": content(
        lambda: f"{WITHOUT_ROSTER}roster:\n" + f"- {{name: n, {STUB}}}\n" * 19_000, "duplicate-name", FIRST + 1, 10
    ),
    "one-alias-for-all": content(
        lambda: f"{WITHOUT_ROSTER}roster:\n" + each(19_000, f"- {{name: n%d, alias: A, {STUB}}}"),
        "duplicate-name",
        FIRST + 1,
        21,
    ),
    "one-uid-for-all": content(
        lambda: (
            "version: 1\nfleet: {name: x}\nhosts: {}\nteams: {}\nroster: []\ntenants:\n"
            + each(19_000, "  t%d: {uid: 20001}")
        ),
        "duplicate-uid",
        8,
        13,
    ),
    "one-address-for-all": content(
        lambda: f"{HEAD}roster: []\nhosts:\n" + each(19_000, "  h%d: {address: 10.0.0.1, slots: 1}"),
        "duplicate-address",
        BEHIND + 3,
        17,
    ),
    "labels-of-one-group": content(
        lambda: f"{HEAD}roster: []\n{_hosts(19_000, 'slots: 1, labels: {a: b%d}')}".replace("b0}", "b.1}").replace(
            "b2}", "b-1}"
        ),
        "same-group",
        BEHIND + 3,
        49,
    ),
    "labels-nobody-has": content(
        lambda: (
            f"{HEAD}{_hosts(8_000, 'slots: 1, labels: {l%d: v}')}roster:\n"
            + each(9_000, f"- {{name: n%d, {STUB}, place: {{labels: {{x%d: y}}}}}}")
        ),
        "unknown-label",
        BEHIND + 8_002,
        68,
    ),
    "pins-on-few-hosts": content(
        lambda: (
            f"{HEAD}{_hosts(8_000)}roster:\n"
            + "".join(f"- {{name: n{n}, {STUB}, host: h{n // 2}}}\n" for n in range(14_000))
        ),
        "no-slot",
        BEHIND + 8_002,
        3,
    ),
    "pins-on-rootless-hosts": content(
        lambda: (
            f"{HEAD}{_hosts(7_000, 'slots: 0, rootless: true')}roster:\n"
            + "".join(f"- {{name: n{n}, {STUB}, host: h{n // 2}}}\n" for n in range(13_000))
        ),
        "no-slot",
        BEHIND + 7_001,
        3,
    ),
    "orchestrators-everywhere": content(
        lambda: (
            f"{WITHOUT_ROSTER.replace(', floor: none', '')}roster:\n"
            + each(19_000, "- {name: n%d, team: a, role: orchestrator, runtime: stub}")
        ),
        "two-orchestrators",
        FIRST + 1,
        29,
    ),
    "policies-everywhere": content(
        lambda: (
            f"{WITHOUT_ROSTER}roster:\n"
            + each(13_000, f"- {{name: n%d, {STUB}, policy: {{heartbeat: {{interval: 60s, healthy_within: 61s}}}}}}")
        ),
        "tight-heartbeat",
        FIRST,
        103,
    ),
    # schedules
    "more-schedules-than-anybody-has": content(
        lambda: f"{BASE}schedules:\n" + each(19_000, f"  s%d: {{{_SCHEDULE}: [mon 09:00-10:00]}}"),
        "too-long",
        FIRST + 1,
        3,
    ),
    "schedules-that-never-open": content(
        lambda: (
            f"{BASE}schedules:\n"
            + each(
                900,
                f"  s%d: {{{_SCHEDULE}: [{_ALL_MINUTES}], except: [1970-01-01..2199-12-31]}}",
            )
        ),
        "never-opens",
        FIRST + 1,
        3,
    ),
    "schedules-of-exceptions": content(
        lambda: (
            f"{BASE}schedules:\n"
            + each(300, f"  s%d: {{{_SCHEDULE}: [mon 09:00-10:00], except: [{_MANY_DAYS}]}}")
            + "x: 1\n"
        ),
        "unknown-key",
        FIRST + 301,
    ),
    "ten-thousand-windows": content(
        lambda: f"{BASE}schedules: {{s: {{{_SCHEDULE}: [{_WINDOW * 10_000}]}}}}\n",
        "too-many-values",
        FIRST,
        17_059,
    ),
    "a-window-of-ten-thousand-days": content(
        lambda: f'{BASE}schedules: {{s: {{{_SCHEDULE}: ["{"mon," * 10_000}mon 09:00-10:00"]}}}}\n',
        "bad-schedule",
        FIRST,
        59,
    ),
    "a-zone-outside-of-the-zones": content(
        lambda: (
            f"{BASE}schedules: {{s: {{policy: windows, timezone: ../../etc/passwd, windows: [mon 09:00-10:00]}}}}\n"
        ),
        "bad-schedule",
        FIRST,
        44,
    ),
}
