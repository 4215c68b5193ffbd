"""Run the model API in the foreground: `python -m tests.model_api --bind 127.0.0.1 --port 8080`."""

from __future__ import annotations

import argparse
import signal
import sys
from pathlib import Path

if not __package__:
    sys.path.insert(0, str(Path(__file__).parents[2]))

from tests.model_api import ModelApi


def main() -> None:
    """Serve until SIGINT or SIGTERM; each request is one line on standard output."""
    parser = argparse.ArgumentParser(prog="tests.model_api", description=main.__doc__)
    parser.add_argument("--bind", default="127.0.0.1", help="address to listen on (default: %(default)s)")
    parser.add_argument("--port", type=int, default=0, help="port to listen on (default: a free one)")
    parser.add_argument("--always", metavar="SCRIPT", help="answer every prompt like this, such as '[[429 reset=60]]'")
    arguments = parser.parse_args()
    signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT, signal.SIGTERM})
    with ModelApi(arguments.bind, arguments.port, log=sys.stdout) as api:
        api.always(arguments.always)
        print(f"listening on {api.url}", flush=True)
        signal.sigwait({signal.SIGINT, signal.SIGTERM})


main()
