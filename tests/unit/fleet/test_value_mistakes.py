"""What is wrong with a key or value by itself is told in words that mend it, however deep in the file it is."""

from __future__ import annotations

import pytest

from .conftest import Problems, with_line

POLICY = "policy:"
GUEST = "{name: guest, team: guest, role: coder, runtime: stub}"
DESK = "{address: 10.0.0.1, slots: 4, labels: {zone: home}}"

# id: (old text, new text, code, what the caret points at, the message, a part of the hint)
MISTAKES = {
    # keys, however deep
    "deep-key": (
        "healthy_within: 30s",
        "helthy_within: 30s",
        "unknown-key",
        "helthy",
        'the fleet file has no key "policy.heartbeat.helthy_within"',
        'did you mean "healthy_within"?',
    ),
    "key-in-a-list": (
        "  heartbeat",
        '  ignore: [{path: "a.b.c", reason: x, untli: 2027-01-01}]\n  heartbeat',
        "unknown-key",
        "untli",
        'the fleet file has no key "policy.ignore[0].untli"',
        'did you mean "until"?',
    ),
    "key-of-a-limit": (
        GUEST,
        GUEST[:-1] + ", limits: {mem: 2G}}",
        "unknown-key",
        "mem:",
        'roster entry "guest" has no key "limits.mem"',
        'did you mean "memory"?',
    ),
    "key-as-the-file-says-it": (
        POLICY,
        "schedules: {s: {policy: manual, expect: []}}\npolicy:",
        "unknown-key",
        "expect",
        'schedule "s" has no key "expect"',
        'did you mean "except"?',
    ),
    "key-as-python-says-it": (
        POLICY,
        "schedules: {s: {policy: manual, exceptions: []}}\npolicy:",
        "unknown-key",
        "exceptions",
        'schedule "s" has no key "exceptions"',
        'did you mean "except"?',
    ),
    # ranges and lengths
    "long-duration": (
        "healthy_within: 30s",
        "healthy_within: 25h",
        "out-of-range",
        "25h",
        "25h is longer than 24h, the longest duration",
        "",
    ),
    "few-tasks": (
        GUEST,
        GUEST[:-1] + ", limits: {tasks: 15}}",
        "out-of-range",
        "15}",
        '"limits.tasks" of roster entry "guest" must be at least 16',
        "",
    ),
    "empty-reason": (
        "  heartbeat",
        '  ignore: [{path: "a.b.c", reason: ""}]\n  heartbeat',
        "too-short",
        '""',
        '"policy.ignore[0].reason" of the fleet file may not be empty',
        "",
    ),
    "no-windows": (
        POLICY,
        "schedules: {s: {policy: windows, timezone: UTC, windows: []}}\npolicy:",
        "too-short",
        "[]",
        '"windows" of schedule "s" has at least 1 entry',
        "",
    ),
    "much-env": (
        "{LEVEL: role}",
        "{" + ", ".join(f"E{number}: x" for number in range(129)) + "}",
        "too-long",
        "{E0",
        '"env" of role "coder" has at most 128 entries',
        "",
    ),
    "grace-without-unit": (
        POLICY,
        "schedules: {s: {policy: manual, grace: 0}}\npolicy:",
        "wrong-type",
        "0}",
        "a duration is a number with its unit",
        "0s or 10m",
    ),
    "long-grace": (
        POLICY,
        "schedules: {s: {policy: manual, grace: 25h}}\npolicy:",
        "out-of-range",
        "25h",
        "25h is longer than 24h, the longest duration",
        "",
    ),
    "version-in-quotes": (
        "version: 1",
        'version: "1"',
        "wrong-type",
        '"1"',
        '"version" of the fleet file must be a whole number, but this is text',
        "without quotes",
    ),
    "true-as-version": (
        "version: 1",
        "version: yes",
        "wrong-type",
        "yes",
        '"version" of the fleet file must be a whole number, but yes is true or false',
        "",
    ),
    "point-in-a-version": (
        "version: 1",
        "version: 1.0",
        "wrong-type",
        "1.0",
        '"version" of the fleet file must be a whole number, but 1.0 is a number',
        "",
    ),
    "point-in-a-count": (
        "30s}",
        "30s}\n  max_unavailable: 2.0",
        "bad-value",
        "2.0",
        "this is how many hosts change at the same time",
        "1, 2, … or 25%",
    ),
    # what no pattern can say
    "no-such-day": (
        "  heartbeat",
        '  ignore: [{path: "a.b.c", reason: x, until: 2027-02-30}]\n  heartbeat',
        "bad-date",
        "2027-02-30",
        '"2027-02-30" is not a day',
        "2027-01-31",
    ),
    "no-such-address": (
        "10.0.0.1",
        '"1:2:3"',
        "bad-address",
        '"1:2:3"',
        '"1:2:3" is not an address',
        "an IP address",
    ),
    "end-of-a-key": (
        DESK,
        "{address: a, slots: 4, connect: {host_key: ssh-ed25519 AAAAB3NzaC1yc2EAAAADAQABAAABAQ==}}",
        "bad-host-key",
        "ssh-ed25519",
        "the text after ssh-ed25519 is not a key of that type",
        "cat /etc/ssh",
    ),
    "long-path-in-bytes": (
        "~/src/shop",
        f"~/{'é' * 200}",
        "bad-path",
        "~/é",
        "a path has at most 1024 bytes, and each part of it 255",
        "",
    ),
    "sign-in-an-alias": (
        GUEST,
        GUEST[:-1] + ", alias: a€b}",
        "bad-name",
        "a€b",
        '"a€b" cannot be an alias',
        "one word",
    ),
    # words of a schedule
    "no-such-hour": (
        POLICY,
        'schedules: {s: {policy: windows, timezone: UTC, windows: ["mon 25:00-26:00"]}}\npolicy:',
        "bad-schedule",
        '"mon 25',
        'schedule "s": "mon 25:00-26:00": "25:00" is no time from 00:00 to 23:59',
        "mon-fri 09:00-17:00",
    ),
    "window-without-width": (
        POLICY,
        'schedules: {s: {policy: windows, timezone: UTC, windows: ["mon 09:00-09:00"]}}\npolicy:',
        "bad-schedule",
        '"mon 09',
        'schedule "s": "mon 09:00-09:00" ends when it begins; a whole day is 00:00-24:00',
        "mon-fri 09:00-17:00",
    ),
    "no-such-exception": (
        POLICY,
        "schedules: {s: {policy: always-on, timezone: UTC, except: [2026-02-30]}}\npolicy:",
        "bad-schedule",
        "2026-02-30",
        'schedule "s": "2026-02-30": there is no 2026-02-30',
        "2026-05-01",
    ),
    "mistyped-zone": (
        POLICY,
        "schedules: {s: {policy: always-on, timezone: Europe/Berln, except: [2026-02-03]}}\npolicy:",
        "bad-schedule",
        "Europe",
        'schedule "s": this system knows no zone "Europe/Berln"',
        'did you mean "Europe/Berlin"?',
    ),
    "zone-in-small-letters": (
        POLICY,
        "schedules: {s: {policy: always-on, timezone: europe/berlin, except: [2026-02-03]}}\npolicy:",
        "bad-schedule",
        "europe",
        'schedule "s": "europe/berlin" is no name of a zone',
        "Europe/Berlin",
    ),
}


@pytest.mark.parametrize("name", MISTAKES)
def test_one_wrong_value_is_one_error_in_words_that_mend_it(name: str, problems: Problems) -> None:
    old, new, code, at, message, hint = MISTAKES[name]
    text = with_line(old, new)
    (problem,) = problems(text)
    assert (problem.code, problem.message) == (code, message)
    assert hint in problem.hint
    assert problem.line is not None and problem.column is not None
    assert text.split("\n")[problem.line - 1][problem.column - 1 :].startswith(at)


def test_what_no_schema_can_say_is_told_together_with_the_rest(problems: Problems) -> None:
    text = with_line(DESK, '{address: "1:2:3", slots: 4.0, connect: {port: 0, host_key: ssh-rsa AAAA}}')
    assert [problem.code for problem in problems(text)] == ["bad-address", "wrong-type", "out-of-range", "bad-host-key"]
