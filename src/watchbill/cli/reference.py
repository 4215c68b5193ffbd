"""The command line described in Markdown, out of the program itself: docs/reference/cli.md is this text."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from watchbill.cli.app import SECTIONS, Program, app
from watchbill.cli.options import split_examples

HEAD = """<!-- Written by scripts/generate out of the program. Change the program. -->

# Command line

    watchbill [--lab] COMMAND [-f FILE] [--limit HOST,…] [--json] …

The shared options `-f`, `--limit`, `--lab` and `--json` may be given before or after the command.
AGENT is `tenant/name`; the bare name is enough where it is unique in the fleet.

| exit code | meaning |
| --- | --- |
| 0 | done; for `plan` and `drift`: nothing differs |
| 1 | error: bad file or usage, refused, failed, or a host could not be asked |
| 2 | `plan`, `drift`: something differs |
| 130 | interrupted |
| 141 | whoever read the output has left |

| variable | meaning |
| --- | --- |
| `WATCHBILL_FILE` | the fleet file where `-f` is not given |
| `WATCHBILL_LAB` | `1` is `--lab` |
| `WATCHBILL_DEBUG` | `1` shows the traceback of a mistake in Watchbill itself |
| `NO_COLOR` | no colours |

With `--json`, errors are on stderr as [errors.schema.json](../../schemas/errors.schema.json) says; what a
command prints then, the schema says that stands with it.
"""

SCHEMAS = {
    **{name: name for name in ("init", "validate", "render", "plan", "ps", "show", "overview", "logs", "schedule")},
    **{name: name for name in ("answer", "apply", "attach", "placement", "watch", "tail", "audit")},
    **{name: "override" for name in ("start", "stop", "drain", "restart", "pause", "resume", "on", "off")},
    **{f"agent {verb}": "edit" for verb in ("add", "remove", "scale", "move")},
    **{f"host {verb}": "edit" for verb in ("add", "cordon", "uncordon", "drain")},
    "drift": "plan",
    "send": "send",
    "unsend": "send",
    "relay": "relay",
    "messages": "messages",
    "update": "update",
    "team add": "edit",
    "project add": "edit",
    "project discover": "discover",
    "project fetch": "project-fetch",
    "snapshot export": "snapshot-export",
    "snapshot import": "validate",
    "snapshot diff": "snapshot-diff",
    "lab status": "lab-status",
}
"""Which file in schemas/ says what a command prints with ``--json``."""


def reference() -> str:
    """Return the whole page."""
    import typer

    program = typer.main.get_command(app)
    if not isinstance(program, Program):
        raise TypeError("the program is a group of commands")
    context = program.make_context("watchbill", [], resilient_parsing=True)
    parts = [HEAD]
    for title, names in SECTIONS.items():
        parts.append(f"## {title}\n")
        for name in names:
            parts += _described(program.get_command(context, name), f"watchbill {name}", context)
    return "\n".join(parts)


def _described(command: Any, path: str, parent: Any) -> Iterator[str]:
    """Yield the paragraphs of one command, and for a group those of its commands."""
    import typer

    context = typer.Context(command, info_name=path.rpartition(" ")[2], parent=parent)
    examples, text = split_examples(command.help or "")
    usage = " ".join(piece for piece in command.collect_usage_pieces(context))
    yield f"### {path}\n"
    yield f"    {path} {usage}".rstrip() + "\n"
    if text:
        yield text + "\n"
    if examples:
        yield "\n".join(f"    {example}" for example in examples) + "\n"
    if schema := SCHEMAS.get(path.removeprefix("watchbill ")):
        yield f"`--json`: [{schema}.schema.json](../../schemas/{schema}.schema.json)\n"
    own = [parameter.get_help_record(context) for parameter in command.get_params(context) if not _shared(parameter)]
    rows = [record for record in own if record is not None]
    if rows:
        yield "| | |\n| --- | --- |\n" + "".join(f"| `{_cell(name)}` | {_cell(text)} |\n" for name, text in rows)
    for name in getattr(command, "commands", {}):
        yield from _described(command.get_command(context, name), f"{path} {name}", context)


def _shared(parameter: Any) -> bool:
    """Whether an option is described at the top of the page, or is the help itself."""
    return parameter.name in ("file", "limit", "lab", "as_json", "help")


def _cell(text: str) -> str:
    return " ".join(text.split()).replace("|", "\\|")
