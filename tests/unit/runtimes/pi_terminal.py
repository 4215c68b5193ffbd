"""A pi that is played (pi_terminal.mjs), with Watchbill's extension in it, and the keeper's end of its FIFO."""

from __future__ import annotations

import json
import os
import select
import subprocess
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from ansible_collections.watchbill.fleet.plugins.module_utils._keeper.heartbeat import Beat, Ear, parse_line
from ansible_collections.watchbill.fleet.plugins.module_utils._runtimes import RUNTIMES

TERMINAL = Path(__file__).with_name("pi_terminal.mjs")
PROVIDER = "http://provider.test"
RETRY = {"enabled": True, "maxRetries": 1, "baseDelayMs": 100}


class Pi:
    """A pi that does what a test tells it, and the keeper's end of its FIFO."""

    def __init__(self, directory: Path, interval: float, retry: dict[str, Any]) -> None:
        settings = RUNTIMES["pi"].settings({"settings": {"retry": retry}})
        for name, content in settings.items():
            (directory / name).write_bytes(content)
        self.ear = Ear(str(directory / "beat"))
        self.spool = directory / "accepted"
        self._lines: list[bytes] = []
        self._process = subprocess.Popen(
            ["node", str(TERMINAL), str(directory / "pi_extension.mjs")],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env={
                "PATH": os.environ["PATH"],
                "WATCHBILL_BEAT": self.ear.path,
                "WATCHBILL_ACCEPTED": str(self.spool),
                "WATCHBILL_INTERVAL": str(interval),
                "WATCHBILL_SESSION_ID": "session-1",
            },
        )
        assert self.shown() == "ready"

    def close(self) -> None:
        self._process.communicate(timeout=60)
        os.close(self.ear.descriptor)

    def tell(self, **what: Any) -> None:
        assert self._process.stdin
        self._process.stdin.write(json.dumps(what) + "\n")
        self._process.stdin.flush()

    def happens(self, event: str, **said: Any) -> None:
        self.tell(event=event, said=said)

    def shown(self) -> Any:
        """Return what a person sees next."""
        assert self._process.stdout
        return json.loads(self._process.stdout.readline())

    def beats(self, wanted: Callable[[Beat], bool], timeout: float = 60) -> list[Beat]:
        """Return the beats up to the first that is wanted."""
        found: list[Beat] = []
        until = time.monotonic() + timeout
        while not found or not wanted(found[-1]):
            while not self._lines:
                left = until - time.monotonic()
                assert left > 0, f"no such beat, but {found}"
                if select.select([self.ear.descriptor], [], [], left)[0]:
                    self._lines = self.ear.lines()
            beat = parse_line(self._lines.pop(0))
            assert beat is not None, "a line that is no beat"
            found.append(beat)
        return found

    def beat(self, wanted: Callable[[Beat], bool] = lambda _beat: True) -> Beat:
        """Return the first beat that is wanted."""
        return self.beats(wanted)[-1]

    def says(self, state: str) -> Beat:
        """Return the first beat with this state."""
        return self.beat(lambda beat: beat.state == state)

    def hangs(self, milliseconds: int) -> None:
        """Let it do nothing for so long, after all that it was told before."""
        self.tell(hang=milliseconds)
        assert self.shown() == "hangs"

    # -- what happens in pi --------------------------------------------------------------------------------------

    def starts_turn(self, text: str) -> None:
        self.tell(set={"idle": False})
        self.happens("agent_start")
        self.happens("message_start", message={"role": "user", "content": [{"type": "text", "text": text}]})

    def answers(self, text: str) -> None:
        self.ends({"role": "assistant", "stopReason": "stop", "content": [{"type": "text", "text": text}]})

    def fails(self, error: str) -> None:
        self.ends({"role": "assistant", "stopReason": "error", "errorMessage": error, "content": []})

    def ends(self, message: dict[str, Any]) -> None:
        self.happens("message_end", message=message)
        self.tell(set={"idle": True})
        self.happens("agent_end", messages=[message])

    def is_answered(self, status: int, headers: dict[str, str] | None = None, origin: str = PROVIDER) -> None:
        self.tell(response={"origin": origin, "status": status, "headers": headers or {}})
