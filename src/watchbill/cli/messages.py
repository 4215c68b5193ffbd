"""Commands that talk to agents: a message is accepted, with proof, or reported as not accepted."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from watchbill.cli.options import AgentArgument, Options, command
from watchbill.cli.output import cell, console, print_json
from watchbill.errors import OperationError, visible

if TYPE_CHECKING:
    from watchbill.ops.messages import Sent

STYLES = {"answered": "green", "accepted": "green", "held": "yellow", "dead": "red", "expired": "red"}
# A message has 200 KiB at most, and somewhat more before it is made ready.
MOST_BYTES = 1024 * 1024


def register(app: typer.Typer) -> None:
    """Give the commands of this module to the program."""
    for function in (send, messages, unsend):
        command(app)(function)


def send(
    options: Options,
    agent: AgentArgument,
    text: Annotated[str, typer.Argument(metavar="[TEXT]", help="Left out, or -: standard input")] = "-",
    wait: Annotated[
        str, typer.Option("--wait", metavar="idle|now", help="Until the agent is idle, or put it into its turn")
    ] = "idle",
    from_file: Annotated[Path | None, typer.Option("--from-file", metavar="FILE", help="The text")] = None,
    ttl: Annotated[
        str | None, typer.Option("--ttl", metavar="TIME", help="Give it up then: 30m, 2h, 18:00; default: 30 days")
    ] = None,
    id_: Annotated[
        str | None, typer.Option("--id", metavar="ID", help="Any words: the same ones twice are one message")
    ] = None,
    verify: Annotated[bool, typer.Option("--verify", help="Wait until it is accepted, or never will be")] = False,
    timeout: Annotated[
        float, typer.Option("--timeout", metavar="SECONDS", min=1.0, max=600.0, help="How long --verify waits")
    ] = 60.0,
) -> int:
    """Send a message to an agent. It waits in the agent's inbox, through restarts and reboots, until the agent is free.

    Examples:  watchbill send coder0 "Rerun the suite." --verify   ·   watchbill send coder0 --from-file task.md

    Without text it is read from standard input.

    The agent sees one line more, which says from whom it is. Accepted is what the agent's own program says it took:
    nothing that was merely typed. Exit code 1: not accepted (with --verify: not within --timeout).
    """
    from watchbill.ops.messages import send as hand_over

    target, said = options.target(), _text(text, from_file)
    show = _progress(options) if verify else (lambda sent: None)
    sent = hand_over(
        target,
        agent,
        said,
        wait=wait,
        ttl=ttl,
        message_id=id_,
        verify=timeout if verify else None,
        on_change=show,
    )
    if options.as_json:
        print_json(sent.to_json())
    else:
        _print_sent(sent, agent)
    return sent.exit_code


def messages(
    options: Options,
    agent: AgentArgument,
    number: Annotated[int, typer.Option("-n", "--number", min=1, help="How many")] = 20,
    id_: Annotated[str | None, typer.Option("--id", metavar="ID", help="Only this one")] = None,
    log: Annotated[bool, typer.Option("--log", help="Every step of theirs")] = False,
) -> None:
    """Show what waits for an agent, and what became of earlier messages, oldest first.

    Examples:  watchbill messages coder0   ·   watchbill messages studio/coder0 --log -n 50
    """
    from watchbill.cli.table import print_table
    from watchbill.ops.messages import messages as look

    rows = look(options.target(), agent, number=number, message_id=id_, log=log)
    if options.as_json:
        print_json(rows)
        return
    if not rows:
        print(f"There are no messages to {agent}.")
        return
    shown = console()
    print_table(shown, [_step(row) if log else _row(row) for row in rows])


def unsend(
    options: Options, agent: AgentArgument, id_: Annotated[str, typer.Argument(metavar="ID", help="As send said it")]
) -> int:
    """Take back a message that is still queued. What an agent has in front of it stays there.

    Examples:  watchbill unsend coder0 01JD2V6X3T9K4WQ8Z0M5R7Y1CB   ·   watchbill unsend coder0 release-42
    """
    from watchbill.ops.messages import unsend as take_back

    sent = take_back(options.target(), agent, id_)
    if options.as_json:
        print_json(sent.to_json())
    else:
        print(f"{sent.id}  {visible(str(sent.message['reason']))}")
    return 0


def _text(given: str, path: Path | None) -> str:
    """Return the text to send.

    Raises OperationError when there is none, too much of it, or when it is not UTF-8.
    """
    if path is None and given != "-":
        return given
    if path is None and sys.stdin.isatty():
        raise OperationError("there is no text", 'watchbill send AGENT "TEXT", or --from-file FILE', "no-text")
    try:
        with path.open("rb") if path is not None else sys.stdin.buffer as stream:
            content = stream.read(MOST_BYTES + 1)
    except OSError as error:
        raise OperationError(f"{error.filename}: {error.strerror}", code="cannot-read") from None
    if len(content) > MOST_BYTES:
        raise OperationError("the message is longer than 200 KiB", "name a file in it instead", "too-large")
    try:
        return content.decode()
    except UnicodeDecodeError as error:
        raise OperationError(f"the message is not UTF-8 at byte {error.start}", code="bad-text") from None


def _progress(options: Options) -> Callable[[Sent], None]:
    """Return what shows on a terminal how a message comes on; somewhere else the last line says it all."""
    if options.as_json or not sys.stdout.isatty():
        return lambda sent: None
    shown: list[str] = []

    def show(sent: Sent) -> None:
        if not shown:
            print(f"{sent.id}  ", end="")
        for state in sent.states[len(shown) :]:
            print((" → " if shown else "") + state, end="", flush=True)
            shown.append(state)

    return show


def _print_sent(sent: Sent, agent: str) -> None:
    """Print how a message stands, with what helps where it waits or came to nothing."""
    words = "" if sent.verified and sys.stdout.isatty() else f"{sent.id}  {' → '.join(sent.states)}"
    if sent.state in ("accepted", "answered"):
        words += f" by {sent.runtime} after {sent.seconds:.1f} s"
        words += " (found in its conversation)" if sent.message.get("accepted_by") == "conversation" else ""
    elif sent.message["reason"]:
        words += f": {visible(str(sent.message['reason']))}"
    if sent.state in ("held", "queued", "injected", "dead"):
        words += f" · watchbill messages {agent}"
    print(words)


def _row(row: dict[str, Any]) -> list[Any]:
    state = str(row.get("state"))
    why = f"{state}: {row['reason']}" if row.get("reason") else state
    at = str(row.get("at"))
    return [
        cell(row.get("id"), "dim"),
        cell(at[5:16].replace("T", " ")),
        cell(row.get("from")),
        cell(why, STYLES.get(state, "")),
        cell(row.get("excerpt")),
    ]


def _step(row: dict[str, Any]) -> list[Any]:
    state = str(row.get("state"))
    step = state if row.get("phase") is None else f"{state} ({row['phase']})"
    return [
        cell(str(row.get("at"))),
        cell(row.get("id"), "dim"),
        cell(step, STYLES.get(state, "")),
        cell(row.get("reason") or ""),
    ]
