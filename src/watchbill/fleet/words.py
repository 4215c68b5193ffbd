"""The small words of a fleet file: names, durations, addresses, paths.

Each function returns the value, in the one form that the rest of Watchbill uses, or raises Refused. What a word looks
like is in shapes.py; here is why a text does not, and what no pattern can tell.
"""

from __future__ import annotations

import base64
import binascii
import datetime
import ipaddress
import re
import struct
from collections.abc import Sequence
from dataclasses import dataclass
from typing import NoReturn

from watchbill.fleet import shapes
from watchbill.fleet.shapes import Shape

# The one list of runtimes: each has a file of its own name on the host (plugins/module_utils/_runtimes).
KNOWN_RUNTIMES: tuple[str, ...] = ("claude", "codex", "command", "opencode", "pi", "stub")
# They come with the host or with Watchbill, so that no version of them can be pinned.
UNVERSIONED = frozenset({"command", "stub"})

NAME_LENGTH = shapes.NAME_LENGTH
_SECONDS = {"s": 1, "m": 60, "h": 3600, "d": 86400}
_SHIFTS = {"M": 20, "G": 30, "T": 40}
_NUMBERED = re.compile(r"(.*?[^0-9])(0|[1-9][0-9]{0,8})")


@dataclass
class Refused(Exception):
    """Why a word is not accepted."""

    code: str
    message: str
    hint: str = ""


def _fitting(text: str, shape: Shape, code: str, wrong: str, hint: str = "") -> str:
    """Return `text` where it has this shape; else refuse it, with what is `wrong`: ``is not a share``."""
    if not shape.fits(text):
        raise Refused(code, f'"{shorten(text)}" {wrong}', hint)
    return text


def name(text: str, *, kind: str = "a name", base: bool = False) -> str:
    """Return `text` where it is a name of Watchbill; a `base` (of a counted roster entry) may end in a dash."""
    shape = shapes.ROSTER_NAME if base else shapes.NAME
    return text if shape.fits(text) else _no_name(text, kind, NAME_LENGTH)


def tenant_name(text: str) -> str:
    """Return `text` where it can be a tenant, that is a Linux user."""
    if shapes.TENANT_NAME.fits(text):
        return text
    if text in shapes.SYSTEM_NAMES or (text.startswith("systemd-") and shapes.NAME.fits(text)):
        message = f'"{text}" is the name of a system account, so no tenant can have it'
        raise Refused("reserved-name", message, "a tenant is a Linux user of that name; choose another")
    _no_name(text, "a tenant name", shapes.TENANT_LENGTH)


def host_name(text: str) -> str:
    """Return `text` where it can be a host."""
    if shapes.HOST_NAME.fits(text):
        return text
    if text in shapes.RESERVED_HOSTS:
        raise Refused("reserved-name", f'"{text}" means something else to Ansible, so no host can be called so')
    _no_name(text, "a host name", NAME_LENGTH)


def _no_name(text: str, kind: str, longest: int) -> NoReturn:
    if len(text) > longest:
        raise Refused("bad-name", f"{kind} has at most {longest} characters, this one has {len(text)}")
    hint = "small letters a-z, digits and single dashes; a letter first, a letter or digit last"
    raise Refused("bad-name", f'"{shorten(text)}" is not {kind}', hint)


def duration(text: str) -> float:
    """Return the seconds of ``15s``, ``2m`` or ``1h``."""
    return _seconds(text, shapes.DURATION, "write it as 15s, 2m or 1h")


def grace(text: str) -> float:
    """Return the seconds of ``0s``, ``90s`` or ``10m``."""
    return _seconds(text, shapes.GRACE, "write it as 0s, 90s, 10m or 1h")


def span(text: str) -> float:
    """Return the seconds of ``12h`` or ``14d``."""
    _fitting(text, shapes.SPAN, "bad-duration", "is not a time in hours or days", "write it as 12h or 14d")
    return float(int(text[:-1]) * _SECONDS[text[-1]])


def _seconds(text: str, shape: Shape, hint: str) -> float:
    if shape.fits(text):
        return float(int(text[:-1]) * _SECONDS[text[-1]])
    if re.fullmatch("[1-9][0-9]{0,5}[smh]", text):
        raise Refused("out-of-range", f"{text} is longer than 24h, the longest duration")
    raise Refused("bad-duration", f'"{shorten(text)}" is not a duration', hint)


def env_name(text: str) -> str:
    """Return `text` where an agent may have a variable of that name."""
    if shapes.ENV_NAME.fits(text):
        return text
    if text in shapes.OWNED_ENV or (len(text) <= 128 and text.isascii() and text.isidentifier()):
        raise Refused("reserved-name", f"{text} is set by Watchbill itself", "choose another name")
    return variable(text)


def variable(text: str) -> str:
    """Return `text` where it names a variable of the machine that applies."""
    hint = "letters, digits and _, no digit first"
    return _fitting(text, shapes.VARIABLE, "bad-name", "is not the name of an environment variable", hint)


def path(text: str) -> str:
    """Return an absolute path or one below the tenant's home (``~``), without a slash at its end."""
    hint = "write ~/… (below the tenant's home) or /…"
    if text != "~" and not text.startswith(("~/", "/")):
        raise Refused("bad-path", f'"{shorten(text)}" is neither absolute nor below ~', hint)
    parts = text.split("/")[1:]
    if ".." in parts:
        raise Refused("bad-path", "a path may not climb with ..", hint)
    _measure(text, parts)
    if not shapes.PATH.fits(text):
        raise Refused("bad-path", "a path may not hold control characters", hint)
    kept = [part for part in parts if part not in ("", ".")]
    return "/".join(["~" if text[0] == "~" else "", *kept]) or "/"


def relative_path(text: str, kind: str, *, wildcard: bool = False) -> str:
    """Return `text` where it names a file of the fleet's own folder: relative, down only.

    With `wildcard` the last part may hold ``*``.
    """
    hint = "write it relative to the file that names it, with / and without .."
    parts = text.split("/")
    if text.startswith("~") or any(part in ("", ".", "..") for part in parts) or "\\" in text:
        raise Refused("bad-path", f'"{shorten(text)}" cannot be {kind}', hint)
    _measure(text, parts)
    if "*" in "/".join(parts[:-1]) or ("*" in parts[-1] and not wildcard):
        raise Refused("bad-path", "only the last part of an include may hold *" if wildcard else "* means nothing here")
    if not (shapes.INCLUDE_PATH if wildcard else shapes.FILE_PATH).fits(text):
        raise Refused("bad-path", "a path may not hold control characters", hint)
    return text


def _measure(text: str, parts: list[str]) -> None:
    try:
        long = len(text.encode()) > 1024 or any(len(part.encode()) > 255 for part in parts)
    except UnicodeEncodeError:  # a name on a disk, as Python shows bytes that are no text
        raise Refused("bad-path", "a path is UTF-8 text") from None
    if long:
        raise Refused("bad-path", "a path has at most 1024 bytes, and each part of it 255")


def address(text: str) -> str:
    """Return ``local``, an IP address or a DNS name."""
    if not shapes.ADDRESS.fits(text):
        _no_address(text)
    if ":" not in text:
        return text.lower()
    try:
        return str(ipaddress.IPv6Address(text[1:-1] if text.startswith("[") and text.endswith("]") else text))
    except ValueError:
        _no_address(text)


def _no_address(text: str) -> NoReturn:
    hint = "write an IP address, a DNS name, or local"
    raise Refused("bad-address", f'"{shorten(text)}" is not an address', hint)


def login(text: str) -> str:
    """Return the name of the user that ssh logs in as."""
    return _fitting(text, shapes.LOGIN, "bad-name", "is not a user name", "letters, digits, . _ -; a letter first")


def host_key(text: str) -> str:
    """Return an OpenSSH public host key as ``TYPE BASE64``, the comment dropped."""
    hint = "take it on the host: cat /etc/ssh/ssh_host_ed25519_key.pub"
    kind, _, rest = text.strip(" ").partition(" ")
    if not shapes.HOST_KEY.fits(text):
        wrong = f"the text after {kind} is not a key of that type" if kind in _KEY_TYPES and rest else None
        raise Refused("bad-host-key", wrong or "this is not an OpenSSH public key", hint)
    encoded = rest.split()[0]
    try:
        blob = base64.b64decode(encoded, validate=True)
    except binascii.Error:
        blob = b""
    written = kind.encode()
    if not blob.startswith(struct.pack(">I", len(written)) + written) or len(blob) < len(written) + 36:
        raise Refused("bad-host-key", f"the text after {kind} is not a key of that type", hint)
    return f"{kind} {encoded}"


_KEY_TYPES = frozenset({"ssh-ed25519", "ssh-rsa", *(f"ecdsa-sha2-nistp{size}" for size in (256, 384, 521))})


def repository(text: str) -> str:
    """Return the URL of a git repository, or a path."""
    is_path = text.startswith(("/", "~/"))
    if not shapes.REPOSITORY.fits(text) or (re.search(r"\s", text) and not is_path):
        hint = "write https://…, ssh://…, git@HOST:PATH or a path; credentials do not belong into the file"
        raise Refused("bad-repository", f'"{shorten(text)}" is not the address of a repository', hint)
    return path(text) if is_path else text


def branch(text: str) -> str:
    """Return the name of a git branch."""
    return _fitting(text, shapes.BRANCH, "bad-name", "is not the name of a branch")


def model(text: str) -> str:
    """Return the name of a model, as its runtime takes it."""
    hint = "for example openai-codex/gpt-5.5:high"
    return _fitting(text, shapes.MODEL, "bad-name", "is not the name of a model", hint)


def label(text: str) -> str:
    """Return the value of a label."""
    hint = "letters, digits, . _ -; at most 63, a letter or digit first and last"
    return _fitting(text, shapes.LABEL, "bad-name", "cannot be the value of a label", hint)


def alias(text: str) -> str:
    """Return what an agent is called among people: one word, letters of any script."""
    if not shapes.ALIAS.fits(text) or not re.fullmatch(r"\w[\w.-]*", text):
        hint = f"one word of at most {NAME_LENGTH} letters, digits, . _ -"
        raise Refused("bad-name", f'"{shorten(text)}" cannot be an alias', hint)
    return text


def memory(text: str) -> int:
    """Return the bytes of ``512M``, ``2G`` or ``1T``."""
    _fitting(text, shapes.MEMORY, "bad-limit", "is not an amount of memory", "write it as 512M, 2G or 1T")
    return int(text[:-1]) << _SHIFTS[text[-1]]


def processors(text: str) -> int:
    """Return the percent of ``150%``, where 100% is one processor."""
    _fitting(text, shapes.PROCESSORS, "bad-limit", "is not a share of processors", "write 50%, or 400% for four")
    return int(text[:-1])


def version(text: str) -> str:
    """Return the pinned version of a runtime, such as ``2.1.97``."""
    hint = "write one exact version such as 2.1.97; ranges and tags are not pinned"
    return _fitting(text, shapes.VERSION, "bad-version", "is not an exact version", hint)


def registry(text: str) -> str:
    """Return the address of an npm registry."""
    hint = "write https://HOST/PATH; users and tokens belong into the .npmrc of who applies"
    return _fitting(text, shapes.REGISTRY, "bad-address", "is not the address of a registry", hint)


def agent(text: str) -> str:
    """Return what people call an agent."""
    return _fitting(text, shapes.AGENT, "bad-name", "is not how an agent is called", "write tenant/name, or its name")


def webhook(text: str) -> str:
    """Return the address of a webhook."""
    hint = "write https://HOST/PATH; what is secret in it: {secret: NAME}"
    return _fitting(text, shapes.WEBHOOK, "bad-address", "is not the address of a webhook", hint)


def setting_name(text: str) -> str:
    """Return a key of a runtime's own settings."""
    return _fitting(
        text, shapes.SETTING_NAME, "bad-name", "is not the name of a setting", "letters, digits and _ . $ -"
    )


def date(text: str) -> str:
    """Return a day such as ``2027-01-31``."""
    try:
        if not shapes.DATE.fits(text):
            raise ValueError
        datetime.date.fromisoformat(text)
    except ValueError:
        raise Refused("bad-date", f'"{shorten(text)}" is not a day', "write it as 2027-01-31") from None
    return text


def ignore_path(text: str) -> str:
    """Return what of a plan is left alone: ``KIND.NAME.FIELD``, each of them perhaps ``*``, as in ``unit.*.limits``."""
    if not shapes.IGNORE_PATH.fits(text) or text.partition(".")[2][0].isspace():
        hint = "write KIND.NAME.FIELD, as plan --diff shows them; * stands for anything: unit.*.limits"
        raise Refused("bad-path", f'"{shorten(text)}" names no difference', hint)
    return text


def percent(text: str) -> str:
    """Return a share such as ``25%``, from 1 to 100."""
    return _fitting(text, shapes.PERCENT, "bad-value", "is not a share", "write 1% to 100%")


def window(text: str) -> str:
    """Return `text` where it looks like a window of a schedule; whether it is one, the schedule as a whole tells."""
    return text if shapes.WINDOW.fits(text) else _no_schedule({"windows": [text]})


def days(text: str) -> str:
    """Return `text` where it looks like a day, or the first and the last of several."""
    return text if shapes.DAYS.fits(text) else _no_schedule({"except": [text]})


def timezone(text: str) -> str:
    """Return `text` where it can be the name of a time zone."""
    return text if shapes.TIMEZONE.fits(text) else _no_schedule({"timezone": text})


def _no_schedule(wrong: dict[str, object]) -> NoReturn:
    """Refuse one word of a schedule, as the evaluator does."""
    from ansible_collections.watchbill.fleet.plugins.module_utils._schedule_words import ScheduleError, read_words

    try:
        read_words({"policy": "windows", "timezone": "UTC", "windows": ["mon 00:00-24:00"], **wrong})
    except ScheduleError as error:
        raise Refused("bad-schedule", error.problems[0].message, error.problems[0].hint) from None
    raise AssertionError(f"the evaluator takes what its pattern does not: {wrong}")


def shorten(text: str, longest: int = 40) -> str:
    """Return `text`, cut where it is too long to be quoted in a message."""
    return text if len(text) <= longest else text[: longest - 1] + "…"


def listed(texts: Sequence[str], most: int = 10) -> str:
    """Return the first of several texts in a row, and how many more there are."""
    return ", ".join(texts[:most]) + (f" and {len(texts) - most} more" if len(texts) > most else "")


def in_short(references: Sequence[str]) -> list[str]:
    """Return names with neighbours put together: ``app/coder0…7`` for app/coder0 to app/coder7."""
    groups: dict[str, list[int]] = {}
    for reference in references:
        match = _NUMBERED.fullmatch(reference)
        if match:
            groups.setdefault(match[1], []).append(int(match[2]))
        else:
            groups[reference + "\0"] = []
    return [_group(stem, sorted(numbers)) for stem, numbers in groups.items()]


def _group(stem: str, numbers: list[int]) -> str:
    if len(numbers) > 2 and numbers == list(range(numbers[0], numbers[-1] + 1)):
        return f"{stem}{numbers[0]}…{numbers[-1]}"
    return ", ".join(f"{stem}{number}" for number in numbers) or stem.removesuffix("\0")
