"""The small words of a fleet file: names, durations, addresses, paths.

Each function returns the value, in the one form that the rest of Watchbill uses, or raises Refused.
"""

from __future__ import annotations

import base64
import binascii
import datetime
import ipaddress
import re
import struct
from dataclasses import dataclass

# The one list of runtimes: each has a file of its own name on the host (plugins/module_utils/_runtimes).
KNOWN_RUNTIMES: tuple[str, ...] = ("claude", "codex", "command", "opencode", "pi", "stub")
# They come with the host or with Watchbill, so that no version of them can be pinned.
UNVERSIONED = frozenset({"command", "stub"})

NAME_LENGTH = 32
TENANT_LENGTH = 24
_NAME = re.compile(r"[a-z][a-z0-9-]*")
_ENV_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_DURATION = re.compile(r"([1-9][0-9]{0,5})(s|m|h)")
_SECONDS = {"s": 1, "m": 60, "h": 3600}
MAX_SECONDS = 24 * 3600

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


@dataclass
class Refused(Exception):
    """Why a word is not accepted."""

    code: str
    message: str
    hint: str = ""


def name(text: str, *, kind: str = "a name", longest: int = NAME_LENGTH, base: bool = False) -> str:
    """Return `text` where it is a name of Watchbill; a `base` (of a counted roster entry) may end in a dash."""
    if len(text) > longest:
        raise Refused("bad-name", f"{kind} has at most {longest} characters, this one has {len(text)}")
    stem = text[:-1] if base and text.endswith("-") else text
    if not _NAME.fullmatch(stem) or stem.endswith("-") or "--" in text:
        hint = "small letters a-z, digits and single dashes; a letter first, a letter or digit last"
        raise Refused("bad-name", f'"{shorten(text)}" is not {kind}', hint)
    return text


def tenant_name(text: str) -> str:
    """Return `text` where it can be a tenant, that is a Linux user."""
    name(text, kind="a tenant name", longest=TENANT_LENGTH)
    if text in SYSTEM_NAMES or text.startswith("systemd-"):
        message = f'"{text}" is the name of a system account, so no tenant can have it'
        raise Refused("reserved-name", message, "a tenant is a Linux user of that name; choose another")
    return text


def host_name(text: str) -> str:
    """Return `text` where it can be a host."""
    name(text, kind="a host name")
    if text in RESERVED_HOSTS:
        raise Refused("reserved-name", f'"{text}" means something else to Ansible, so no host can be called so')
    return text


def duration(text: str) -> float:
    """Return the seconds of ``15s``, ``2m`` or ``1h``."""
    match = _DURATION.fullmatch(text)
    if match is None:
        raise Refused("bad-duration", f'"{shorten(text)}" is not a duration', "write it as 15s, 2m or 1h")
    seconds = int(match[1]) * _SECONDS[match[2]]
    if seconds > MAX_SECONDS:
        raise Refused("out-of-range", f"{text} is longer than 24h, the longest duration")
    return float(seconds)


def env_name(text: str) -> str:
    """Return `text` where an agent may have a variable of that name."""
    if len(text) > 128 or not _ENV_NAME.fullmatch(text):
        hint = "letters, digits and _, no digit first"
        raise Refused("bad-name", f'"{shorten(text)}" is not the name of an environment variable', hint)
    if text in OWNED_ENV or text.upper().startswith("WATCHBILL_"):
        raise Refused("reserved-name", f"{text} is set by Watchbill itself", "choose another name")
    return text


def path(text: str) -> str:
    """Return an absolute path or one below the tenant's home (``~``), without a slash at its end."""
    hint = "write ~/… (below the tenant's home) or /…"
    if text != "~" and not text.startswith(("~/", "/")):
        raise Refused("bad-path", f'"{shorten(text)}" is neither absolute nor below ~', hint)
    parts = text.split("/")[1:]
    if ".." in parts:
        raise Refused("bad-path", "a path may not climb with ..", hint)
    if len(text.encode()) > 1024 or any(len(part.encode()) > 255 for part in parts):
        raise Refused("bad-path", "a path has at most 1024 bytes, and each part of it 255")
    kept = [part for part in parts if part not in ("", ".")]
    return "/".join(["~" if text[0] == "~" else "", *kept]) or "/"


def relative_path(text: str, kind: str, *, wildcard: bool = False) -> str:
    """Return `text` where it names a file of the fleet's own folder: relative, down only.

    With `wildcard` the last part may hold ``*``.
    """
    hint = "write it relative to the file that names it, with / and without .."
    parts = text.split("/")
    if not text or text.startswith(("/", "~")) or any(part in ("", ".", "..") for part in parts) or "\\" in text:
        raise Refused("bad-path", f'"{shorten(text)}" cannot be {kind}', hint)
    if len(text.encode()) > 1024 or any(len(part.encode()) > 255 for part in parts):
        raise Refused("bad-path", "a path has at most 1024 bytes, and each part of it 255")
    if "*" in "/".join(parts[:-1]) or ("*" in parts[-1] and not wildcard):
        raise Refused("bad-path", "only the last part of an include may hold *" if wildcard else "* means nothing here")
    return text


def address(text: str) -> str:
    """Return ``local``, an IP address or a DNS name."""
    bare = text[1:-1] if text.startswith("[") and text.endswith("]") else text
    try:
        return str(ipaddress.ip_address(bare)) if "%" not in bare else _no_address(text)
    except ValueError:
        pass
    labels = text.removesuffix(".").lower().split(".")
    looks_numeric = labels[-1].isdigit()
    if len(text) > 253 or looks_numeric or not all(_DNS_LABEL.fullmatch(label) for label in labels):
        return _no_address(text)
    return text.lower()


_DNS_LABEL = re.compile(r"[a-z0-9_]([a-z0-9_-]{0,61}[a-z0-9_])?")


def _no_address(text: str) -> str:
    hint = "write an IP address, a DNS name, or local"
    raise Refused("bad-address", f'"{shorten(text)}" is not an address', hint)


def login(text: str) -> str:
    """Return the name of the user that ssh logs in as."""
    if not re.fullmatch(r"[A-Za-z_][A-Za-z0-9._-]{0,63}", text):
        raise Refused("bad-name", f'"{shorten(text)}" is not a user name', "letters, digits, . _ -; a letter first")
    return text


def host_key(text: str) -> str:
    """Return an OpenSSH public host key as ``TYPE BASE64``, the comment dropped."""
    hint = "take it on the host: cat /etc/ssh/ssh_host_ed25519_key.pub"
    parts = text.split()
    if len(parts) < 2 or parts[0] not in _KEY_TYPES:
        raise Refused("bad-host-key", "this is not an OpenSSH public key", hint)
    try:
        blob = base64.b64decode(parts[1], validate=True)
    except (binascii.Error, ValueError):
        blob = b""
    kind = parts[0].encode()
    if not blob.startswith(struct.pack(">I", len(kind)) + kind) or len(blob) < len(kind) + 36:
        raise Refused("bad-host-key", f"the text after {parts[0]} is not a key of that type", hint)
    return f"{parts[0]} {parts[1]}"


_KEY_TYPES = frozenset({"ssh-ed25519", "ssh-rsa", *(f"ecdsa-sha2-nistp{size}" for size in (256, 384, 521))})


_REPOSITORY_URL = re.compile(
    r"(https?|ssh|git)://([A-Za-z0-9._~%-]+@)?(\[[0-9a-fA-F:]+\]|[A-Za-z0-9._-]+)(:[0-9]+)?/\S*"
)
_REPOSITORY_BY_SSH = re.compile(r"([A-Za-z0-9._-]+@)?[A-Za-z0-9][A-Za-z0-9._-]*:[^\s:-]\S*")


def repository(text: str) -> str:
    """Return the URL of a git repository, or a path."""
    hint = "write https://…, ssh://…, git@HOST:PATH or a path; credentials do not belong into the file"
    url = _REPOSITORY_URL.fullmatch(text)
    copy = _REPOSITORY_BY_SSH.fullmatch(text)
    if len(text) > 1024 or "@-" in text or "//-" in text or text.startswith("-"):
        raise Refused("bad-repository", f'"{shorten(text)}" is not the address of a repository', hint)
    if url or (copy and "://" not in text):
        return text
    if text.startswith(("/", "~/")):
        return path(text)
    raise Refused("bad-repository", f'"{shorten(text)}" is not the address of a repository', hint)


def branch(text: str) -> str:
    """Return the name of a git branch."""
    if (
        len(text) > 200
        or not re.fullmatch(r"[A-Za-z0-9_][A-Za-z0-9._/+#@-]*", text)
        or re.search(r"\.\.|//|@\{|/\.|\.lock(/|$)|[./]$", text)
    ):
        raise Refused("bad-name", f'"{shorten(text)}" is not the name of a branch')
    return text


def model(text: str) -> str:
    """Return the name of a model, as its runtime takes it."""
    if not re.fullmatch(r"[A-Za-z0-9][][A-Za-z0-9._:/@+-]{0,127}", text):
        hint = "for example openai-codex/gpt-5.5:high"
        raise Refused("bad-name", f'"{shorten(text)}" is not the name of a model', hint)
    return text


def label(text: str) -> str:
    """Return the value of a label."""
    if not re.fullmatch(r"[A-Za-z0-9]([A-Za-z0-9._-]{0,61}[A-Za-z0-9])?", text):
        hint = "letters, digits, . _ -; at most 63, a letter or digit first and last"
        raise Refused("bad-name", f'"{shorten(text)}" cannot be the value of a label', hint)
    return text


def alias(text: str) -> str:
    """Return what an agent is called among people: one word, letters of any script."""
    if not 1 <= len(text) <= NAME_LENGTH or not re.fullmatch(r"\w[\w.-]*", text):
        hint = f"one word of at most {NAME_LENGTH} letters, digits, . _ -"
        raise Refused("bad-name", f'"{shorten(text)}" cannot be an alias', hint)
    return text


def memory(text: str) -> int:
    """Return the bytes of ``512M``, ``2G`` or ``1T``."""
    match = re.fullmatch(r"([1-9][0-9]{0,5})(M|G|T)", text)
    if match is None:
        raise Refused("bad-limit", f'"{shorten(text)}" is not an amount of memory', "write it as 512M, 2G or 1T")
    return int(match[1]) << {"M": 20, "G": 30, "T": 40}[match[2]]


def processors(text: str) -> int:
    """Return the percent of ``150%``, where 100% is one processor."""
    match = re.fullmatch(r"([1-9][0-9]{0,5})%", text)
    if match is None:
        raise Refused("bad-limit", f'"{shorten(text)}" is not a share of processors', "write 50%, or 400% for four")
    return int(match[1])


def version(text: str) -> str:
    """Return the pinned version of a runtime, such as ``2.1.97``."""
    if not re.fullmatch(r"[0-9]+(\.[0-9]+){1,3}([-+.][0-9A-Za-z.-]{1,40})?", text):
        hint = "write one exact version such as 2.1.97; ranges and tags are not pinned"
        raise Refused("bad-version", f'"{shorten(text)}" is not an exact version', hint)
    return text


def date(text: str) -> str:
    """Return a day such as ``2027-01-31``."""
    try:
        if not re.fullmatch(r"[0-9]{4}-[0-9]{2}-[0-9]{2}", text):
            raise ValueError
        datetime.date.fromisoformat(text)
    except ValueError:
        raise Refused("bad-date", f'"{shorten(text)}" is not a day', "write it as 2027-01-31") from None
    return text


def ignore_path(text: str) -> str:
    """Return what of a plan is left alone: ``KIND.NAME.FIELD``, each of them perhaps ``*``, as in ``unit.*.limits``."""
    if len(text) > 500 or not re.fullmatch(r"(\*|[a-z]+)\.[^\s].*\.(\*|[a-z_]+)", text):
        hint = "write KIND.NAME.FIELD, as plan --diff shows them; * stands for anything: unit.*.limits"
        raise Refused("bad-path", f'"{shorten(text)}" names no difference', hint)
    return text


def percent(text: str) -> str:
    """Return a share such as ``25%``, from 1 to 100."""
    if not re.fullmatch(r"(100|[1-9][0-9]?)%", text):
        raise Refused("bad-value", f'"{shorten(text)}" is not a share', "write 1% to 100%")
    return text


def shorten(text: str, longest: int = 40) -> str:
    """Return `text`, cut where it is too long to be quoted in a message."""
    return text if len(text) <= longest else text[: longest - 1] + "…"
