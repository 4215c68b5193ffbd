# Copyright: Watchbill contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""A notice by HTTP: what a child of the keeper does, so that the libraries for it cost no keeper its memory."""

from __future__ import annotations

import os
import typing as t

TIMEOUT_SECONDS = 20.0
INPUT_LIMIT = 64 * 1024


def post(address: t.Callable[[], str]) -> t.NoReturn:
    """Post the JSON object on standard input to an address, and end: with 0 after an answer of 2xx, else say why.

    Redirections are not followed, and the address, which may be secret, is never said.
    """
    status = 1
    try:
        import urllib.error
        import urllib.request

        class Nowhere(urllib.request.HTTPRedirectHandler):
            """Follows no redirection: what is told is for one address."""

            def redirect_request(self, *arguments: t.Any, **more: t.Any) -> None:
                return None

        try:
            content = os.read(0, INPUT_LIMIT)
            request = urllib.request.Request(  # noqa: S310 -- the shape of an address in the file is http or https
                address(), content, {"Content-Type": "application/json", "User-Agent": "watchbill"}, method="POST"
            )
            with urllib.request.build_opener(Nowhere).open(request, timeout=TIMEOUT_SECONDS) as answer:
                answer.read(1024)
            status = 0
        except urllib.error.HTTPError as error:
            _say(f"the webhook answered {error.code}")
        except (OSError, ValueError) as error:
            reason = getattr(error, "reason", error)
            _say(f"the webhook cannot be reached: {type(reason).__name__}")
    finally:
        os._exit(status)


def _say(words: str) -> None:
    os.write(1, words.encode())
