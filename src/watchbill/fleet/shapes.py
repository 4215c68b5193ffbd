"""What each kind of text in a fleet file looks like: one rule for words.py, the model and the JSON Schema.

The patterns mean the same to Python, to JavaScript (editors; flag ``u``) and to every other reader of JSON Schema: no
``\\w`` ``\\d`` ``\\s``, no look-behind, no named groups, no case folding. What no pattern can say is in words.py.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field

from ansible_collections.watchbill.fleet.plugins.module_utils._schedule_words import (
    EXCEPTION_PATTERN,
    MAX_TEXT,
    TIMEZONE_PATTERN,
    WINDOW_PATTERN,
)

NAME_LENGTH = 32
TENANT_LENGTH = 24

# Users and groups of Debian, Ubuntu and Fedora, and of what is often installed there: a tenant is a user and a group.
SYSTEM_NAMES = frozenset(
    """
    adm admin all apache audio avahi backup bin bluetooth cdrom chrony colord crontab cups daemon dbus dialout dip disk
    dnsmasq docker fax floppy ftp fwupd games gdm geoclue gnats halt input irc kmem kvm landscape libvirt lightdm list
    local lp lpadmin lxd mail man messagebus mysql netdev news nginx nobody nogroup ntp operator plugdev polkitd
    pollinate postdrop postfix postgres proxy pulse redis render root rtkit saned sasl sgx shadow shutdown src ssh sshd
    staff sudo sync sys syslog systemd tape tcpdump tss tty usbmux users utmp uucp uuidd video voice watchbill wheel
    www-data
    """.split()  # noqa: SIM905 - one word a line would hide the list
)
RESERVED_HOSTS = frozenset({"all", "ungrouped", "local", "localhost"})

# What the launcher or systemd sets for an agent; a file that sets one would break the session or be overruled.
OWNED_ENV = frozenset(
    """
    CREDENTIALS_DIRECTORY DBUS_SESSION_BUS_ADDRESS HOME INVOCATION_ID JOURNAL_STREAM LISTEN_FDNAMES LISTEN_FDS
    LISTEN_PID LOGNAME MAINPID MANAGERPID NOTIFY_SOCKET PATH PWD RUNTIME_DIRECTORY SHELL SYSTEMD_EXEC_PID TERM TMUX
    TMUX_PANE TMUX_TMPDIR USER WATCHDOG_PID WATCHDOG_USEC XDG_RUNTIME_DIR
    """.split()  # noqa: SIM905
)

# Python's $ matches before a newline at the end as well, that of JavaScript does not.
_END = r"$(?!\n)"
_CONTROL = r"\u0000-\u001f\u007f-\u009f\u2028\u2029"


@dataclass(frozen=True)
class Shape:
    """One kind of text: its name in the schema, how it is written, and the rule.

    `pattern` matches from beginning to end; `longest` counts characters; `reserved` are texts that match and are none.
    """

    name: str
    description: str
    pattern: str
    examples: tuple[str, ...]
    longest: int | None = None
    reserved: frozenset[str] = frozenset()
    compiled: re.Pattern[str] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        rule = f"(?:{self.pattern})" if "|" in self.pattern else self.pattern
        object.__setattr__(self, "pattern", f"^{rule}{_END}")
        object.__setattr__(self, "compiled", re.compile(self.pattern))

    def fits(self, text: str) -> bool:
        """Say whether `text` looks like this kind."""
        return (
            (self.longest is None or len(text) <= self.longest)
            and text not in self.reserved
            and self.compiled.match(text) is not None
        )


_NAME = "[a-z](?:-?[a-z0-9])*"
NAME = Shape(
    "name",
    "a name: small letters a-z, digits and single dashes, at most 32; a letter first, a letter or digit last",
    _NAME,
    ("coder",),
    longest=NAME_LENGTH,
)
ROSTER_NAME = Shape(
    "rosterName",
    "a name; with a count, which adds a number to it, it may end in a dash",
    f"{_NAME}-?",
    ("coder", "coder-"),
    longest=NAME_LENGTH,
)
TENANT_NAME = Shape(
    "tenantName",
    "a name of at most 24 characters that no system account has: a tenant is a Linux user",
    f"(?!systemd-){_NAME}",
    ("studio",),
    longest=TENANT_LENGTH,
    reserved=SYSTEM_NAMES,
)
HOST_NAME = Shape(
    "hostName",
    "a name, but none that means something else to Ansible",
    _NAME,
    ("desk",),
    longest=NAME_LENGTH,
    reserved=RESERVED_HOSTS,
)
LABEL = Shape(
    "label",
    "the value of a label: at most 63 letters, digits, . _ -; a letter or digit first and last",
    "[A-Za-z0-9](?:[A-Za-z0-9._-]{0,61}[A-Za-z0-9])?",
    ("home",),
)
ALIAS = Shape(
    "alias",
    "one word of at most 32 letters (of any script), digits, . _ -",
    r"[^\u0000-\u002c\u002f\u003a-\u0040\u005b-\u005e\u0060\u007b-\u00a9]+",
    ("Mos",),
    longest=NAME_LENGTH,
)
LOGIN = Shape(
    "login", "a user name: letters, digits, . _ -; a letter or _ first", "[A-Za-z_][A-Za-z0-9._-]{0,63}", ("admin",)
)
ENV_NAME = Shape(
    "environmentName",
    "the name of a variable: letters, digits and _, no digit first; none that Watchbill sets itself",
    f"(?!{''.join(f'[{letter}{letter.lower()}]' for letter in 'WATCHBILL')}_)[A-Za-z_][A-Za-z0-9_]*",
    ("LEVEL",),
    longest=128,
    reserved=OWNED_ENV,
)
VARIABLE = Shape(
    "variable",
    "the name of a variable: letters, digits and _, no digit first",
    "[A-Za-z_][A-Za-z0-9_]*",
    ("GITHUB_TOKEN",),
    longest=128,
)
MODEL = Shape(
    "model",
    "the name of a model as its runtime takes it: letters, digits, . _ : / @ + [ ] -",
    r"[A-Za-z0-9][A-Za-z0-9._:/@+\[\]-]{0,127}",
    ("openai-codex/gpt-5.5:high",),
)
VERSION = Shape(
    "version",
    "one exact version; ranges and tags are not pinned",
    r"[0-9]+(?:\.[0-9]+){1,3}(?:[-+.][0-9A-Za-z.-]{1,40})?",
    ("2.1.97",),
)
REGISTRY = Shape(
    "registry",
    "the address of an npm registry, without user and password: those are for npm's own configuration",
    r"https?://[A-Za-z0-9.-]+(?::[0-9]{1,5})?(?:/[A-Za-z0-9._~-]+)*/?",
    ("https://npm.example.org/",),
    longest=255,
)
SETTING_NAME = Shape(
    "settingName",
    "a key of a runtime's own settings",
    r"[A-Za-z_$][A-Za-z0-9_$.-]{0,127}",
    ("permissions",),
)
BRANCH = Shape(
    "branch",
    "the name of a git branch: letters, digits, . _ / + # @ -",
    r"(?!.*(?:\.\.|//|/\.|\.lock(?:/|$)|[./]$))[A-Za-z0-9_][A-Za-z0-9._/+#@-]*",
    ("main",),
    longest=200,
)

LINE = Shape("line", "one line of text, without control characters", f"[^{_CONTROL}]*", ("Build and run the shop",))

AGENT = Shape(
    "agent",
    "an agent: tenant/name, or its name or alias alone",
    r"(?:[a-z][a-z0-9-]{0,31}/)?[A-Za-z][A-Za-z0-9-]{0,31}",
    ("studio/coder0", "orchestrator", "Mos"),
)
WEBHOOK = Shape(
    "webhook",
    "the address of a webhook; one that is secret is named: {secret: NAME}",
    r"https?://[A-Za-z0-9.-]+(?::[0-9]{1,5})?(?:/[A-Za-z0-9._~%/-]*)?",
    ("https://hooks.example.org/watchbill",),
    longest=500,
)

_SECONDS = "[1-9][0-9]{0,3}|[1-7][0-9]{4}|8[0-5][0-9]{3}|86[0-3][0-9]{2}|86400"
_MINUTES = "[1-9][0-9]{0,2}|1[0-3][0-9]{2}|14[0-3][0-9]|1440"
_DURATION = f"(?:{_SECONDS})s|(?:{_MINUTES})m|(?:[1-9]|1[0-9]|2[0-4])h"
DURATION = Shape("duration", "a time in seconds, minutes or hours, at most 24h", _DURATION, ("15s", "2m", "1h"))
GRACE = Shape("grace", "a time in seconds, minutes or hours, from 0s to 24h", f"0[smh]|{_DURATION}", ("0s", "10m"))
SPAN = Shape("span", "a time in hours or days, at most 999d", "[1-9][0-9]{0,2}[hd]", ("12h", "14d"))
MEMORY = Shape(
    "memory",
    "an amount of memory in mebibytes (M), gibibytes (G) or tebibytes (T)",
    "[1-9][0-9]{0,5}[MGT]",
    ("512M", "2G", "1T"),
)
PROCESSORS = Shape("processors", "percent of one processor; 400% are four", "[1-9][0-9]{0,5}%", ("50%", "400%"))
PERCENT = Shape("share", "a share from 1% to 100%", "(?:100|[1-9][0-9]?)%", ("25%",))

_DATE = "[0-9]{4}-(?:0[1-9]|1[0-2])-(?:0[1-9]|[12][0-9]|3[01])"
DATE = Shape("date", "a day as year-month-day", _DATE, ("2027-01-31",))
WINDOW = Shape(
    "window",
    "days and times of a week; one that ends before it begins goes past midnight",
    WINDOW_PATTERN.removeprefix("^").removesuffix("$"),
    ("mon-fri 09:00-17:00", "sat,sun 22:00-06:00"),
    longest=MAX_TEXT,
)
DAYS = Shape(
    "days",
    "a day, or the first and the last of several",
    EXCEPTION_PATTERN.removeprefix("^").removesuffix("$"),
    ("2026-05-01", "2026-12-24..2027-01-01"),
)
TIMEZONE = Shape(
    "timezone",
    "the name of a zone in the tz database",
    TIMEZONE_PATTERN.removeprefix("^").removesuffix("$"),
    ("Europe/Berlin", "UTC"),
)

_PART = rf"[^/{_CONTROL}]{{0,255}}"
_NOT_UP = r"(?!\.\.(?:/|$))"
_PATH = f"~(?:/{_NOT_UP}{_PART})*|(?:/{_NOT_UP}{_PART})+"
PATH = Shape(
    "path",
    "a path: ~/… (below the tenant's home) or /…, without ..",
    _PATH,
    ("~/src/shop",),
    longest=1024,
)
_FILE_PART = r"(?!\.\.?(?:/|$))"
_FOLDERS = rf"(?!~)(?:{_FILE_PART}[^/\\*{_CONTROL}]{{1,255}}/)*"
FILE_PATH = Shape(
    "file",
    "a path relative to the file that names it, with / and without ..",
    rf"{_FOLDERS}{_FILE_PART}[^/\\*{_CONTROL}]{{1,255}}",
    ("roles/sre.md",),
    longest=1024,
)
INCLUDE_PATH = Shape(
    "include",
    "a path relative to the file that names it, with / and without ..; its last part may hold *",
    rf"{_FOLDERS}{_FILE_PART}[^/\\{_CONTROL}]{{1,255}}",
    ("teams/app.yaml", "teams/*.yaml"),
    longest=1024,
)
IGNORE_PATH = Shape(
    "difference",
    "KIND.NAME.FIELD as plan --diff shows them; * stands for anything",
    rf"(?:\*|[a-z]+)\.[^ {_CONTROL}][^{_CONTROL}]*\.(?:\*|[a-z_]+)",
    ("unit.*.limits",),
    longest=500,
)

_BYTE = "(?:25[0-5]|2[0-4][0-9]|1[0-9]{2}|[1-9]?[0-9])"
_DNS_LABEL = "[A-Za-z0-9_](?:[A-Za-z0-9_-]{0,61}[A-Za-z0-9_])?"
ADDRESS = Shape(
    "address",
    "an IP address, a DNS name, or local (the control machine itself)",
    rf"(?:{_BYTE}\.){{3}}{_BYTE}"
    r"|\[?[0-9A-Fa-f:.]*:[0-9A-Fa-f:.]*\]?"
    # What ends in a number is no name to a resolver: 0x0a000001 and 167772161 are 10.0.0.1.
    rf"|(?:{_DNS_LABEL}\.)*(?!(?:[0-9]+|0[Xx][0-9A-Fa-f]*)\.?$){_DNS_LABEL}\.?",
    ("192.0.2.11", "desk.example.org", "local"),
    longest=253,
)
HOST_KEY = Shape(
    "hostKey",
    "an OpenSSH public host key: its type and the key itself; a comment is ignored",
    rf" *(?:ssh-ed25519|ssh-rsa|ecdsa-sha2-nistp(?:256|384|521)) +[A-Za-z0-9+/]+={{0,2}}(?: [^{_CONTROL}]*)?",
    ("ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIOMqqnkVzrm0SdG6UOoqKLsabgH5C9okWi0dh2l9GKJl",),
)
_SOLID = rf"[^ {_CONTROL}]"
_URL = r"(?:https?|ssh|git)://(?:[A-Za-z0-9._~%-]+@)?(?:\[[0-9a-fA-F:]+\]|[A-Za-z0-9._-]+)(?::[0-9]+)?/" + f"{_SOLID}*"
_BY_SSH = rf"(?!.*://)(?:[A-Za-z0-9._-]+@)?[A-Za-z0-9][A-Za-z0-9._-]*:(?![:-]){_SOLID}{_SOLID}*"  # git's user@host:path
REPOSITORY = Shape(
    "repository",
    "the address of a git repository: https://…, ssh://…, git@HOST:PATH or a path; without a password",
    rf"(?!-)(?!.*(?:@-|//-))(?:{_URL}|{_BY_SSH}|~(?:/{_NOT_UP}{_PART})+|(?:/{_NOT_UP}{_PART})+)",
    ("https://git.example.org/studio/shop.git", "git@git.example.org:studio/shop.git"),
    longest=1024,
)
