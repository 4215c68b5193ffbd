"""`watchbill answer`: what an agent asks, and a person's answer to it."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Annotated

import typer

from watchbill.cli.options import AgentArgument, Options, command
from watchbill.cli.output import console, print_json

if TYPE_CHECKING:
    from watchbill.ops.answer import Answered, Question

Choice = Annotated[str | None, typer.Argument(metavar="CHOICE", help="The key of an answer; without it, show them")]


def register(app: typer.Typer) -> None:
    """Give the command of this module to the program."""
    command(app)(answer)


def answer(options: Options, agent: AgentArgument, choice: Choice = None) -> int:
    """Show what an agent asks a person, and answer it on your word alone.

    Examples:  watchbill answer coder2   ·   watchbill answer coder2 1

    On a terminal the answer is asked for. It is given only while the question is still the one that was shown, and
    written down with your name.
    """
    from watchbill.ops.answer import answer as give
    from watchbill.ops.answer import question as look

    target = options.target()
    if choice is not None:
        return _done(options, give(target, agent, choice))
    asked = look(target, agent)
    if options.as_json:
        print_json(asked.to_json())
        return 0
    _print_question(options, asked)
    if not (asked.asks and asked.choices and sys.stdin.isatty()):
        return 0
    chosen = typer.prompt("Answer (empty: none)", default="", show_default=False, err=True).strip()
    if not chosen:
        print("Nothing was answered.", file=sys.stderr)
        return 0
    return _done(options, give(target, agent, chosen, mark=asked.mark))


def _print_question(options: Options, asked: Question) -> None:
    shown = console()
    if not asked.asks:
        shown.print(f"{asked.agent} asks nothing: it is {asked.state}", markup=False, highlight=False)
        return
    shown.print(f"{asked.agent} asks: {asked.evidence}", markup=False, highlight=False, style="yellow")
    for line in (asked.question or asked.screen).splitlines():
        shown.print(f"  {line}", markup=False, highlight=False)
    for key, label in asked.choices.items():
        shown.print(f"  {key}  {label}", markup=False, highlight=False, style="bold")
    if not asked.choices:
        words = f"It can be answered at its terminal only: {options.again('attach')} {asked.agent}"
        shown.print(words, markup=False, highlight=False)


def _done(options: Options, answered: Answered) -> int:
    if options.as_json:
        print_json(answered.to_json())
    else:
        print(f"{answered.agent} on {answered.host}: answered {answered.answer!r}, now {answered.state}")
    return 0
