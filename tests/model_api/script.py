"""What an answer shall be like, in words that stand in a prompt.

| word | answer |
| --- | --- |
| (none) | `ok: ` and the first 40 characters of the prompt |
| `[[say TEXT]]` | TEXT |
| `[[slow SECONDS]]` | in pieces, over that many seconds |
| `[[hold]]` | a piece each second, until `release()` |
| `[[tool bash: COMMAND]]` | a call of the shell tool that the runtime offers; after its result, a text |
| `[[ask bash: COMMAND]]` | the same, as one for which the runtime has to ask a person, where its tool can say so |
| `[[tool NAME: {JSON}]]` | a call of any other tool that it offers, with these arguments |
| `[[429]]` `[[429 reset=60]]` | rate limit of a key: may be retried, after so many seconds |
| `[[429 usage reset=60]]` | usage limit of a subscription, until so many seconds from now |
| `[[401]]` `[[500]]` `[[529]]` … | that error, in the words of the provider |
| `[[… times=2]]` | an error that many times, then the answer |
| `[[hang]]` | the request is read and never answered |
| `[[garbage]]` | bytes that are no answer |
| `[[cut]]` | half of a stream, then the connection is gone |
| `[[usage IN OUT]]` | counts of tokens |
| `[[used PERCENT]]` | the headers that say how much of a subscription is used |

Several may stand together: `[[slow 3]] [[tool bash: make]] [[say made]]`.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, replace

WORD = re.compile(r"\[\[(?P<name>[a-z]+|[1-5][0-9]{2})(?P<rest>(?: |:)[^\0]*?)?\]\]")


@dataclass(frozen=True)
class Refusal:
    """An error instead of an answer. `reset` is in seconds from now; `usage`: a subscription's limit, not a key's."""

    status: int
    reset: int | None = None
    usage: bool = False
    times: int | None = None


@dataclass(frozen=True)
class Script:
    """How to answer one request. Durations are in seconds."""

    text: str | None = None
    slow: float = 0
    hold: bool = False
    tool: str | None = None
    argument: str = ""
    asks: bool = False
    refusal: Refusal | None = None
    fault: str | None = None
    usage: tuple[int, int] | None = None
    used_percent: float | None = None


def read(text: str, strict: bool = False) -> Script:
    """Return what the words in a text ask for; `strict` raises ValueError for a word that is none, or for no word."""
    script = Script()
    found = 0
    for match in WORD.finditer(text):
        name, rest = match["name"], (match["rest"] or "")[1:].strip()
        try:
            script = _refuse(script, name, rest) if name.isdigit() else WORDS[name](script, rest)
        except (KeyError, ValueError) as error:
            if strict:
                raise ValueError(f"no such word: {match[0]}") from error
            continue
        found += 1
    if strict and not found:
        raise ValueError(f"no word in {text!r}")
    return script


def without_words(text: str) -> str:
    """Return a text without the words of scripts."""
    return WORD.sub("", text).strip()


def _refuse(script: Script, status: str, rest: str) -> Script:
    options = rest.split()
    said = dict(option.split("=", 1) for option in options if "=" in option)
    if set(said) - {"reset", "times"} or set(options) - {"usage"} - {f"{key}={value}" for key, value in said.items()}:
        raise ValueError(rest)
    refusal = Refusal(
        status=int(status),
        reset=int(said["reset"]) if "reset" in said else None,
        usage="usage" in options,
        times=int(said["times"]) if "times" in said else None,
    )
    return replace(script, refusal=refusal)


def _tool(script: Script, rest: str) -> Script:
    name, colon, argument = rest.partition(":")
    if not colon:
        raise ValueError(rest)
    return replace(script, tool=name.strip(), argument=argument.strip())


def _ask(script: Script, rest: str) -> Script:
    return replace(_tool(script, rest), asks=True)


def _fault(kind: str) -> Callable[[Script, str], Script]:
    return lambda script, _rest: replace(script, fault=kind)


def _usage(script: Script, rest: str) -> Script:
    into, out = rest.split()
    return replace(script, usage=(int(into), int(out)))


WORDS: dict[str, Callable[[Script, str], Script]] = {
    "say": lambda script, rest: replace(script, text=rest),
    "slow": lambda script, rest: replace(script, slow=float(rest)),
    "hold": lambda script, _rest: replace(script, hold=True),
    "tool": _tool,
    "ask": _ask,
    "hang": _fault("hang"),
    "garbage": _fault("garbage"),
    "cut": _fault("cut"),
    "usage": _usage,
    "used": lambda script, rest: replace(script, used_percent=float(rest)),
}
