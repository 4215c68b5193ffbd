"""The model API as a test sees it: a server to start, what it was asked, how it shall answer."""

from __future__ import annotations

import json
import threading
import time
from collections import deque
from collections.abc import Callable, Mapping
from typing import IO, Self

from tests.model_api import script as scripts
from tests.model_api.record import Request, conversation_of, is_side, public_headers, runtime_of
from tests.model_api.script import Script
from tests.model_api.server import Server
from tests.model_api.wire import Asked


class ModelApi:
    """A server on an address, for the time of a `with`; port 0 is a free one, `log` gets one line a request."""

    def __init__(self, bind: str = "127.0.0.1", port: int = 0, log: IO[str] | None = None) -> None:
        self._bind, self._port, self._log = bind, port, log
        self._changed = threading.Condition()
        self._requests: list[Request] = []
        self._texts: dict[str, str] = {}
        self._always: Script | None = None
        self._next: deque[Script] = deque()
        self._releases = 0
        self._closed = False
        self._server: Server | None = None

    def __enter__(self) -> Self:
        self._server = Server((self._bind, self._port), self)
        threading.Thread(target=self._server.serve_forever, args=(0.05,), name="model-api", daemon=True).start()
        return self

    def __exit__(self, *_exception: object) -> None:
        assert self._server
        with self._changed:
            self._closed = True
            self._changed.notify_all()
        self._server.shutdown()
        self._server.server_close()

    @property
    def url(self) -> str:
        """The base, without `/v1`."""
        assert self._server, "not started"
        host, port = self._server.server_address[:2]
        return f"http://{host!s}:{port}"

    # -- what it was asked ------------------------------------------------------------------------------------------

    def requests(self, runtime: str | None = None, side: bool | None = False) -> list[Request]:
        """Return requests for answers, oldest first: of one runtime; `side` None has also titles and the like."""
        with self._changed:
            found = list(self._requests)
        return [
            request
            for request in found
            if request.protocol and (runtime in {None, request.runtime}) and (side in {None, request.side})
        ]

    def everything(self) -> list[Request]:
        """Return every request, also those for lists of models and for paths that are none."""
        with self._changed:
            return list(self._requests)

    def wait_for(self, wanted: Callable[[Request], bool], timeout: float = 30) -> Request:
        """Return the first request for an answer that is wanted; AssertionError if none came in *timeout* seconds."""
        found: list[Request] = []

        def there() -> bool:
            found[:] = [request for request in self._requests if request.protocol and wanted(request)]
            return bool(found)

        with self._changed:
            self._changed.wait_for(there, timeout)
            asked = [request.prompt[:80] for request in self._requests if request.protocol]
        assert found, f"no such request in {timeout} s, but: {asked}"
        return found[0]

    def settled(self, request: Request, timeout: float = 30) -> Request:
        """Return a request when it is known how it ended; AssertionError after *timeout* seconds."""
        with self._changed:
            assert self._changed.wait_for(lambda: request.outcome, timeout), f"no end in {timeout} s: {request}"
        return request

    def forget(self) -> None:
        """Drop all requests and all behaviour that was set."""
        with self._changed:
            self._requests.clear()
            self._texts.clear()
            self._next.clear()
            self._always = None

    # -- how it shall answer ----------------------------------------------------------------------------------------

    def always(self, script: str | None) -> None:
        """Answer every prompt like this, whatever it says, until told otherwise; None goes back to what prompts say."""
        with self._changed:
            self._always = scripts.read(script, strict=True) if script else None

    def next(self, *texts: str) -> None:
        """Answer the next prompts like this, one after the other; comes before `always`."""
        with self._changed:
            self._next.extend(scripts.read(text, strict=True) for text in texts)

    def release(self) -> None:
        """Let every answer that holds go on to its end."""
        with self._changed:
            self._releases += 1
            self._changed.notify_all()

    # -- for the server ---------------------------------------------------------------------------------------------

    def arrived(
        self,
        method: str,
        path: str,
        headers: Mapping[str, str],
        protocol: str | None = None,
        asked: Asked | None = None,
    ) -> Request:
        """Keep a request and return its record."""
        public = public_headers(headers)
        request = Request(0, time.time(), method, path, public, runtime_of(public, asked), protocol)
        with self._changed:
            if asked:
                self._fill(request, asked)
            request.number = len(self._requests) + 1
            self._requests.append(request)
            self._changed.notify_all()
        return request

    def _fill(self, request: Request, asked: Asked) -> None:
        # The same texts come again with every turn: they are kept once.
        texts = [self._texts.setdefault(text, text) for text in asked.texts]
        request.model, request.texts, request.results = asked.model, texts, asked.results
        request.context = [
            self._texts.setdefault(turn.text, turn.text) for turn in asked.turns if turn.role == "context"
        ]
        request.prompt = texts[-1] if texts else ""
        request.tools = [tool.name for tool in asked.tools]
        request.conversation = conversation_of(request.headers, asked)
        request.side = is_side(request, asked)
        request.attempt += sum(
            (other.conversation, other.side, other.texts, other.results)
            == (request.conversation, request.side, request.texts, request.results)
            for other in self._requests
        )

    def ended(self, request: Request, status: int | None, outcome: str) -> None:
        """Keep how a request ended."""
        with self._changed:
            request.status, request.outcome, request.ended_at = status, outcome, time.time()
            self._changed.notify_all()
        if self._log:
            shown = {key: value for key, value in request.as_json().items() if key in LOGGED and value}
            print(json.dumps(shown), file=self._log, flush=True)

    def script_for(self, request: Request) -> Script:
        """Return how to answer a prompt."""
        with self._changed:
            if self._next and not request.results:
                return self._next.popleft()
            return self._always or scripts.read(request.prompt)

    def pause(self, seconds: float) -> None:
        """Wait, no longer than the server is up."""
        with self._changed:
            self._changed.wait_for(lambda: self._closed, seconds)

    def holder(self) -> Callable[[], bool]:
        """Return a function that waits a second and says whether an answer that starts now is still held."""
        with self._changed:
            begun = self._releases

        def held() -> bool:
            with self._changed:
                self._changed.wait_for(lambda: self._closed or self._releases > begun, 1)
                return not self._closed and self._releases == begun

        return held


LOGGED = (
    "number",
    "method",
    "path",
    "runtime",
    "model",
    "conversation",
    "prompt",
    "results",
    "side",
    "attempt",
    "status",
    "outcome",
)
