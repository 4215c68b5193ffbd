# Copyright: Watchbill contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The prompt line of the stub: keys, bracketed pastes, Enter. A line end in a paste submits nothing."""

from __future__ import annotations

import re

PASTE_BEGINS, PASTE_ENDS = b"\x1b[200~", b"\x1b[201~"
TOKEN = re.compile(rb"\x1b\[[0-?]*[ -/]*[@-~]|\x1b.|[\r\n]|[\x7f\b]|[^\x1b\r\n\x7f\b]+", re.DOTALL)
UNFINISHED = re.compile(rb"\x1b(?:\[[0-?]*[ -/]*)?\Z")


class Composer:
    """What stands in the prompt line."""

    def __init__(self) -> None:
        """Be empty."""
        self.echo = ""
        """What is to be seen of the keys that came last."""
        self._text = b""
        self._unfinished = b""
        self._in_paste = False

    def take(self, keys: bytes) -> list[str]:
        """Take what came from the terminal; return what was submitted by it, empty lines among it."""
        keys, self._unfinished = self._unfinished + keys, b""
        unfinished = UNFINISHED.search(keys)
        if unfinished is not None:
            keys, self._unfinished = keys[: unfinished.start()], unfinished[0]
        submitted, self.echo = [], ""
        for token in TOKEN.findall(keys):
            if token == PASTE_BEGINS:
                self._in_paste = True
            elif token == PASTE_ENDS:
                self._in_paste = False
                self.echo += "[pasted]"
            elif token in (b"\r", b"\n") and not self._in_paste:
                submitted.append(self._text.decode("utf-8", "replace"))
                self._text = b""
                self.echo += "\n"
            elif self._in_paste:
                self._text += b"\n" if token == b"\r" else token
            elif token in (b"\x7f", b"\b"):
                self._text = self._text.decode("utf-8", "replace")[:-1].encode()
                self.echo += "\b \b"
            elif not token.startswith(b"\x1b"):
                self._text += token
                self.echo += token.decode("utf-8", "replace")
        return submitted
