# Copyright: Watchbill contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""``watchbill-host``: what runs on a host, and what an operator's machine asks of it."""

from __future__ import annotations

import os
import sys
import typing as t


def main(arguments: list[str] | None = None) -> int:
    """Carry out one command and return its exit status.

    What runs all the time (keeper, launcher, stub) is dispatched before anything is imported for the rest.
    """
    words = sys.argv[1:] if arguments is None else arguments
    if len(words) == 2 and words[0] == "keeper" and not words[1].startswith("-"):
        from ._keeper.keeper import main as keep

        return keep(words[1])
    if words == ["run"]:
        from ._keeper.launcher import main as launch

        return launch()
    if len(words) == 3 and words[0] == "hook":
        from ._keeper.hook import main as tell

        return tell(words[1], words[2])
    if words == ["stub"]:
        from ._runtimes._stub_terminal import main as play

        return play()
    return _ask(words)


def _ask(words: list[str]) -> int:
    from ._as_user import AsUserError
    from ._host_commands import CommandFailed, parser
    from ._overrides import OverrideError

    try:
        chosen = parser(words[0] if words else "").parse_args(words)
    except SystemExit as end:
        # argparse has said what is wrong; 2 would mean that something differs.
        return 1 if end.code else 0
    function: t.Callable[[t.Any], int] = chosen.function
    try:
        status = function(chosen)
        sys.stdout.flush()
        return status
    except (CommandFailed, OverrideError, AsUserError) as error:
        print(f"watchbill-host: {error}", file=sys.stderr)
    except PermissionError as error:
        print(f"watchbill-host: {error.filename}: {error.strerror}; this needs root", file=sys.stderr)
    except BrokenPipeError:
        # Whoever read our answer has left; pointing stdout elsewhere keeps Python from saying so at its exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    except OSError as error:
        print(f"watchbill-host: {error}", file=sys.stderr)
    return 1
