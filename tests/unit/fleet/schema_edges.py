"""What schema and model are asked about: every kind of text at its edges, and whether the two agree."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from jsonschema import Draft202012Validator
from pydantic import ValidationError

from watchbill.fleet.kinds import WHOLE
from watchbill.fleet.model import FleetSpec
from watchbill.fleet.schema import fleet_schema

SCHEMA = fleet_schema()
VALIDATOR = Draft202012Validator(SCHEMA)
DEFINITIONS = SCHEMA["$defs"]

# What a kind of text looks like at its edges: all that is accepted, all that is not.
EDGES: dict[str, tuple[tuple[str, ...], tuple[str, ...]]] = {
    "name": (("a", "a1", "a-b", "a" * 32), ("", "-a", "a-", "a--b", "1a", "A", "a_b", "a" * 33, "\u0430", "a\n")),
    "rosterName": (("a", "a-", "a-b-"), ("-", "a--", "-a", "a" * 33, "a-\n")),
    "tenantName": (("a" * 24, "rooty", "systemd"[:6]), ("a" * 25, "root", "systemd-x", "www-data", "all", "a-")),
    "hostName": (("desk", "locals"), ("local", "localhost", "all", "ungrouped", "")),
    "label": (("a", "A.b_c-9", "a" * 63), ("", "a" * 64, ".a", "a-", "a b", "é", "a\n")),
    "alias": (("Mos", "名前", "é", "a.b-c_d", "_"), ("", "a b", "a/b", "a" * 33, "a\n", "$x", "\x7f")),
    "login": (("admin", "_x", "A.b-c", "a" * 64), ("", "-l", "1a", "a" * 65, "a b", "a\n")),
    "environmentName": (
        ("A", "_", "a1", "WATCHBILL", "home", "A" * 128),
        ("", "1A", "A-B", "HOME", "WATCHBILL_X", "watchbill_x", "A" * 129, "É", "A\n", "A=B"),
    ),
    "variable": (("A", "_", "a1", "HOME", "WATCHBILL_X", "A" * 128), ("", "1A", "A-B", "A" * 129, "É", "A\n", "$A")),
    "model": (("m", "openai-codex/gpt-5.5:high", "a[1m]", "a" * 128), ("", "[a", "a b", "a" * 129, "a\n", "é")),
    "version": (("1.2", "1.2.3.4", "1.2-rc.1", "1.2+b"), ("1", "v1.2", "1.2.", "latest", ">=1.2", "1.2\n")),
    "registry": (
        ("https://h", "http://127.0.0.1:4873/", "https://npm.example.org/a/b-c"),
        ("", "h", "ftp://h", "https://", "https://u:p@h/", "https://h/a b", "https://h/\n", "https://h/" + "a" * 250),
    ),
    "agent": (
        ("a", "studio/coder0", "Mos", "a" * 32, "a" * 32 + "/" + "a" * 32),
        ("", "/a", "a/", "a/b/c", "A/b", "a b", "1", "a_b", "a" * 33, "é", "a\n", "../a"),
    ),
    "webhook": (
        ("https://h", "http://127.0.0.1:4873/", "https://hooks.example.org/a/b-c%20~._"),
        ("", "h", "ftp://h", "https://", "https://u:p@h/", "https://h/a b", "https://h/\n", "https://h/?a=1",
         "https://h/" + "a" * 500),
    ),
    "settingName": (("a", "$schema", "A.b-c_d", "a" * 128), ("", "1", "-a", "a b", "a" * 129, "a\n", "é", "a/b")),
    "setting": (("", "a b", "é", "a" * 4096), ("a\nb", "\0", "\x85", "a" * 4097)),
    "branch": (
        ("main", "a/b", "a.b", "1", "a" * 200, "a@b", "a#b", "a.lockb"),
        ("", "-a", "/a", "a/", "a.", "a..b", "a//b", "a/.b", "a.lock", "a.lock/b", "a" * 201, "a@{b", "a b", "a\n"),
    ),
    "line": (("", "a b", "é {{ x }} $(y)", "\u200b"), ("a\nb", "a\n", "\t", "\0", "\x1b", "\x85", "\u2028")),
    "duration": (
        ("1s", "86400s", "1440m", "24h", "9999s", "10000s", "80000s", "85999s", "86399s", "999m", "1399m", "19h"),
        ("0s", "86401s", "1441m", "25h", "01s", "1", "s", "1 s", "1d", "-1s", "1.5h", "1s\n", "99999s", "1500m", ""),
    ),
    "grace": (("0s", "0m", "0h", "10m", "24h"), ("00s", "0", "25h", "", "0s\n")),
    "span": (("1h", "14d", "999d"), ("0d", "1000d", "01d", "14", "2w", "14d\n", "")),
    "memory": (("1M", "999999M", "2G", "1T"), ("0M", "01M", "1000000M", "1K", "1", "1.5G", "1MB", "1M\n")),
    "processors": (("1%", "400%", "999999%"), ("0%", "1", "%", "1000000%", "1.5%", "1%\n")),
    "share": (("1%", "99%", "100%"), ("0%", "101%", "100", "01%", "1%\n")),
    "date": (("2027-01-31", "0000-12-01", "2027-02-31"), ("2027-1-1", "2027-13-01", "2027-00-10", "2027-01-32", "")),
    "window": (
        ("mon 00:00-24:00", "mon-fri 09:00-17:00", "sat,sun 22:00-06:00", "fri-mon,wed 00:00-00:01", "mon 09:00-09:00"),
        ("mon", "Mon 09:00-17:00", "mon 9:00-17:00", "mon 24:00-01:00", "mon 09:00-24:01", "mon,  09:00-10:00", "",
         "mon 09:00-17:00\n", "mon," * 25 + "mon 09:00-17:00"),
    ),
    "days": (
        ("2026-05-01", "2026-12-24..2027-01-01", "2026-99-99"),
        ("2026-5-1", "2026-05-01..", "2026-05-01...2026-05-02", "2026-05-01\n", ""),
    ),
    "timezone": (
        ("UTC", "Europe/Berlin", "America/Argentina/Ushuaia", "Etc/GMT+1"),
        ("utc", "", "a/b/c/d", "A//B", "../x"),
    ),
    "path": (
        ("~", "~/", "/", "//", "~/a b", "/a/...", "/a/./b", "/.hidden", "/" + "a" * 255),
        ("", "a", "~x", "~root/x", "..", "/..", "~/../x", "/a/..", "/a\nb", "/a\n", "/..\n", "/" + "a" * 256,
         "/" + "a/" * 512),
    ),
    "file": (
        ("a", "roles/sre.md", ".a/b", "...", "a b"),
        ("", ".", "..", "/a", "~a", "a/", "a//b", "a/../b", "./a", "a\\b", "*.md", "a\n", "a" * 256, "a/" * 512 + "a"),
    ),
    "include": (
        ("teams/*.yaml", "*", "a*b", "a/b"),
        ("*/a", "a*/b", "", "../*", "/*", "~/a", "a/..", "a\\*", "*\n"),
    ),
    "difference": (
        ("unit.*.limits", "*.*.*", "file./etc/a.b.mode", "a.b.c"),
        ("", "a", "a.b", "a..b", "a. b.c", "a.b.C", "A.b.c", "a.b\n.c", "a.b.c\n", "a." + "b" * 500 + ".c"),
    ),
    "address": (
        ("local", "a", "A.B", "a_b.c", "1a", "10.0.0.1", "0.0.0.1", "255.255.255.255", "::1", "[::1]", "fe80::1",
         "a.b.", "a" * 63, ":", "1:2"),
        ("", "-a", "a-", "10.0.1", "1.2.3.4.5", "256.0.0.1", "01.2.3.4", "1.2.3.4.", "a.1", "a..b", ".a", "a" * 64,
         "a/b", "root@a", "fe80::1%eth0", "a b", "a\n", "[a]", "é", "a." * 127),
    ),
    "hostKey": (
        ("ssh-ed25519 AAAA", "ssh-rsa AAAA== me@here  now", "  ecdsa-sha2-nistp256   A+/=", "ssh-rsa A "),
        ("", "ssh-ed25519", "ssh-dss AAAA", "ecdsa-sha2-nistp512 AAAA", "ssh-rsa A===", "ssh-rsa =", "ssh-rsa A\n",
         "ssh-rsa A$", "ssh-rsa\u00a0AAAA"),
    ),
    "repository": (
        ("https://h/x.git", "ssh://u@h:22/x", "git://[::1]/x", "git@h:x", "h:x", "/srv/a b.git", "~/x", "https://h/é"),
        ("", "~", "x", "https://h", "https://u:pw@h/x", "file:///x", "ext::sh -c id", "h:-x", "h::x", "-u@h:x",
         "//-h/x", "https://h/a b", "u@-h:x", "--upload-pack=x", "/../x", "~/..", "https://h/x\n",
         "a" * 1025, "/" + "a" * 256),
    ),
    "runtimeName": (("claude", "stub"), ("", "cluade", "claude\n", "Claude")),
}  # fmt: skip


def model_accepts(data: Any, context: object = None) -> bool:
    try:
        FleetSpec.model_validate(data, context=context)
    except ValidationError:
        return False
    return True


def agree(data: Any) -> bool:
    """Check that schema and model say the same, and that a whole file is never judged less strictly."""
    accepted = VALIDATOR.is_valid(data)
    if accepted != model_accepts(data):
        said = [f"{error.json_path}: {error.message}"[:300] for error in VALIDATOR.iter_errors(data)]
        try:
            FleetSpec.model_validate(data)
        except ValidationError as error:
            said += [f"{detail['loc']}: {detail['msg']}" for detail in error.errors(include_url=False)]
        pytest.fail(f"the {'schema' if accepted else 'model'} accepts what the other refuses: {said}")
    assert accepted or not model_accepts(data, WHOLE)
    return accepted


def fleet_with(name: str, text: str) -> dict[str, Any]:
    """Return a fleet that is right if `text` is a right one of its kind: at one place where that kind stands."""
    fleet: dict[str, Any] = {"version": 1, "fleet": {"name": "x"}}
    fleet |= {"tenants": {}, "hosts": {}, "teams": {}, "roster": []}
    project = {"team": "x", "path": "~"}
    schedule = {"policy": "windows"}
    ignored = {"path": "a.b.c", "reason": "x"}
    agent = {"name": "x", "team": "x", "role": "x"}
    host = {"address": "x", "slots": 1}
    places: dict[str, Callable[[], dict[str, Any]]] = {
        "name": lambda: {"teams": {text: {"tenant": "x"}}},
        "rosterName": lambda: {"roster": [agent | {"name": text}]},
        "tenantName": lambda: {"tenants": {text: {"uid": 1000}}},
        "hostName": lambda: {"hosts": {text: host}},
        "label": lambda: {"hosts": {"x": host | {"labels": {"x": text}}}},
        "alias": lambda: {"roster": [agent | {"alias": text}]},
        "login": lambda: {"hosts": {"x": host | {"connect": {"user": text}}}},
        "environmentName": lambda: {"roles": {"x": {"env": {text: ""}}}},
        "variable": lambda: {"secrets": {"x": {"environment": text}}},
        "model": lambda: {"defaults": {"model": text}},
        "version": lambda: {"runtimes": {"claude": {"version": text}}},
        "registry": lambda: {"runtimes": {"claude": {"registry": text}}},
        "agent": lambda: {"jobs": [{"name": "x", "agent": text, "schedule": "x", "prompt": "x"}]},
        "webhook": lambda: {"notify": {"x": {"events": ["stuck"], "webhook": text}}},
        "settingName": lambda: {"runtimes": {"claude": {"settings": {text: ""}}}},
        "setting": lambda: {"runtimes": {"claude": {"settings": {"x": {"y": [text]}}}}},
        "branch": lambda: {"projects": {"x": project | {"branch": text}}},
        "line": lambda: {"fleet": {"name": "x", "description": text}},
        "duration": lambda: {"policy": {"heartbeat": {"interval": text}}},
        "grace": lambda: {"schedules": {"x": schedule | {"grace": text}}},
        "span": lambda: {"policy": {"worktree_ttl": text}},
        "memory": lambda: {"defaults": {"limits": {"memory": text}}},
        "processors": lambda: {"defaults": {"limits": {"cpu": text}}},
        "share": lambda: {"policy": {"max_unavailable": text}},
        "date": lambda: {"policy": {"ignore": [ignored | {"until": text}]}},
        "window": lambda: {"schedules": {"x": schedule | {"windows": [text]}}},
        "days": lambda: {"schedules": {"x": schedule | {"except": [text]}}},
        "timezone": lambda: {"schedules": {"x": schedule | {"timezone": text}}},
        "path": lambda: {"projects": {"x": project | {"path": text}}},
        "file": lambda: {"roles": {"x": {"persona": text}}},
        "include": lambda: {"include": [text]},
        "difference": lambda: {"policy": {"ignore": [ignored | {"path": text}]}},
        "address": lambda: {"hosts": {"x": host | {"address": text}}},
        "hostKey": lambda: {"hosts": {"x": host | {"connect": {"host_key": text}}}},
        "repository": lambda: {"projects": {"x": project | {"repository": text}}},
        "runtimeName": lambda: {"runtimes": {text: {}}},
    }
    return fleet | places[name]()
