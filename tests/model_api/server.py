"""The HTTP side: paths, bodies in, events out."""

from __future__ import annotations

import json
import select
import socket
import sys
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs, urlsplit

from tests.model_api import chat, compose, messages, responses
from tests.model_api.record import Request
from tests.model_api.script import Script
from tests.model_api.wire import Answer, Asked, Json, Plain, Wire

if TYPE_CHECKING:
    from tests.model_api.api import ModelApi

WIRES: dict[str, Wire] = {"/v1/messages": messages, "/v1/responses": responses, "/v1/chat/completions": chat}
MODELS = ("fake-1", "fake-small", "claude-sonnet-4-6", "claude-haiku-4-5")
BODY_LIMIT = 64 << 20
IP_FREEBIND = 15
"""Of linux/in.h: the socket module of Python 3.11 has no name for it."""
GARBAGE = b"\x00\xff\xfe{]] this is no answer \x1b[31m\n\n<html>data: {\n\n"


class Server(ThreadingHTTPServer):
    """A server of one ModelApi."""

    daemon_threads = True
    block_on_close = False
    request_queue_size = 256

    def __init__(self, address: tuple[str, int], api: ModelApi) -> None:
        self.api = api
        super().__init__(address, Handler)

    def server_bind(self) -> None:
        """Bind to an address that may come later: that of a lab's network, which its first machine brings."""
        self.socket.setsockopt(socket.IPPROTO_IP, IP_FREEBIND, 1)
        super().server_bind()

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Say nothing of clients that went away; anything else is a defect, and shown."""
        if not isinstance(sys.exception(), ConnectionError):
            super().handle_error(request, client_address)


class Handler(BaseHTTPRequestHandler):
    """One connection."""

    protocol_version = "HTTP/1.1"
    server: Server

    def log_message(self, format: str, *args: Any) -> None:
        """Requests are kept by the API, not written to standard error."""

    def do_GET(self) -> None:
        """Lists of models, and what was asked."""
        path = urlsplit(self.path)
        if path.path == "/_requests":
            since = int(parse_qs(path.query).get("since", ["0"])[0])
            kept = [request.as_json() for request in self.server.api.everything() if request.number > since]
            self._send(Plain(200, {}, {"requests": kept}))
        elif path.path == "/v1/models":
            self._answer_plainly(Plain(200, {}, _models()))
        else:
            self._unknown()

    def do_HEAD(self) -> None:
        """No path has a HEAD."""
        self._unknown()

    do_PUT = do_DELETE = do_PATCH = do_OPTIONS = do_HEAD

    def do_POST(self) -> None:
        """Prompts, and how a test (of another process) wants them answered."""
        body = self._body()
        path = urlsplit(self.path).path
        if path in WIRES and body is not None:
            self._answer(path, WIRES[path], body)
        elif path == "/v1/messages/count_tokens" and body is not None:
            self._answer_plainly(Plain(200, {}, messages.count(body)))
        elif path == "/_behave" and body is not None:
            self._behave(body)
        elif path == "/_release":
            self.server.api.release()
            self._send(Plain(200, {}, {}))
        elif body is None:
            error = {"type": "invalid_request_error", "message": "the body is no JSON object"}
            self._answer_plainly(Plain(400, {}, {"type": "error", "error": error}))
        else:
            self._unknown()

    # -- answers ----------------------------------------------------------------------------------------------------

    def _answer(self, path: str, wire: Wire, body: Json) -> None:
        try:
            asked = wire.read(body)
        except (KeyError, TypeError, AttributeError) as error:
            said = {"type": "invalid_request_error", "message": f"not understood: {error!r}"}
            self._answer_plainly(Plain(400, {}, {"type": "error", "error": said}))
            return
        api = self.server.api
        # Before anybody knows of the request, who could release it.
        held = api.holder()
        request = api.arrived(self.command, self.path, dict(self.headers), path.removeprefix("/v1/"), asked)
        if request.side:
            self._send_answer(wire, asked, compose.side_answer(asked), request)
            return
        script = api.script_for(request)
        refusal = script.refusal
        if refusal and (refusal.times is None or request.attempt <= refusal.times):
            self._finish(wire.refuse(refusal, asked.model), request)
        elif script.fault == "hang":
            self._hang(request, held)
        elif script.fault == "garbage":
            self._garbage(request)
        else:
            self._compose(wire, asked, script, request, held)

    def _compose(self, wire: Wire, asked: Asked, script: Script, request: Request, held: Callable[[], bool]) -> None:
        api = self.server.api
        try:
            answer = compose.answer(script, asked, api.pause, held)
        except ValueError as error:
            said = {"type": "invalid_request_error", "message": str(error)}
            self._finish(Plain(400, {}, {"type": "error", "error": said}), request)
            return
        self._send_answer(wire, asked, answer, request)

    def _send_answer(self, wire: Wire, asked: Asked, answer: Answer, request: Request) -> None:
        headers = {
            "request-id": f"req_{request.number}",
            "x-request-id": f"req_{request.number}",
            **wire.headers(answer),
        }
        try:
            if asked.stream:
                self._stream(headers, wire, answer)
            else:
                self._send(Plain(200, headers, wire.whole(answer)))
        except compose.Cut:
            self._break()
            self.server.api.ended(request, 200, "cut")
        except ConnectionError:
            self.close_connection = True
            self.server.api.ended(request, 200, "left")
        else:
            self.server.api.ended(request, 200, "complete")

    def _stream(self, headers: dict[str, str], wire: Wire, answer: Answer) -> None:
        self.send_response(200)
        for name, value in headers.items():
            self.send_header(name, value)
        self.send_header("Content-Type", "text/event-stream; charset=utf-8")
        self.send_header("Cache-Control", "no-cache")
        self.send_header("Transfer-Encoding", "chunked")
        self.end_headers()
        for event in wire.stream(answer):
            self.wfile.write(b"%x\r\n%s\r\n" % (len(event), event))
        self.wfile.write(b"0\r\n\r\n")

    def _hang(self, request: Request, held: Callable[[], bool]) -> None:
        """Say nothing until the client has gone, or the server ends."""
        while held() and not self._has_left():
            pass
        self._break()
        self.server.api.ended(request, None, "left")

    def _has_left(self) -> bool:
        if not select.select([self.connection], [], [], 0)[0]:
            return False
        try:
            return not self.connection.recv(1, socket.MSG_PEEK)
        except ConnectionError:
            return True

    def _garbage(self, request: Request) -> None:
        self.send_response(200)
        self.send_header("Content-Type", "text/event-stream")
        self.send_header("Content-Length", str(len(GARBAGE)))
        self.end_headers()
        self.wfile.write(GARBAGE)
        self.server.api.ended(request, 200, "complete")

    def _break(self) -> None:
        """End the connection without an end of the answer."""
        self.close_connection = True
        try:
            self.connection.shutdown(socket.SHUT_RDWR)
        except OSError:
            return  # the client was first

    def _unknown(self) -> None:
        error = {"type": "not_found_error", "message": f"no such path: {self.path}", "param": None, "code": None}
        self._answer_plainly(Plain(404, {}, {"type": "error", "error": error}))

    def _answer_plainly(self, plain: Plain) -> None:
        request = self.server.api.arrived(self.command, self.path, dict(self.headers))
        self._finish(plain, request)

    def _finish(self, plain: Plain, request: Request) -> None:
        try:
            self._send(plain)
        except ConnectionError:
            self.server.api.ended(request, plain.status, "left")
        else:
            self.server.api.ended(request, plain.status, "complete")

    def _send(self, plain: Plain) -> None:
        encoded = json.dumps(plain.body).encode()
        self.send_response(plain.status)
        for name, value in plain.headers.items():
            self.send_header(name, value)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(encoded)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(encoded)

    # -- from a test of another process -----------------------------------------------------------------------------

    def _behave(self, body: Json) -> None:
        api = self.server.api
        try:
            if "always" in body:
                api.always(body["always"])
            api.next(*body.get("next", []))
        except (ValueError, TypeError) as error:
            self._send(Plain(400, {}, {"error": {"message": str(error)}}))
            return
        self._send(Plain(200, {}, {}))

    def _body(self) -> Json | None:
        length = int(self.headers.get("Content-Length") or 0)
        if length > BODY_LIMIT:
            self.close_connection = True
            return None
        try:
            body = json.loads(self.rfile.read(length) or b"{}")
        except ValueError:
            return None
        return body if isinstance(body, dict) else None


def _models() -> Json:
    """Return a list of models that is right for clients of both providers."""
    models = [
        {
            "id": name,
            "type": "model",
            "display_name": name,
            "lifecycle": "active",
            "created_at": "2026-01-01T00:00:00Z",
            "object": "model",
            "created": 1767225600,
            "owned_by": "lab",
        }
        for name in MODELS
    ]
    return {"object": "list", "data": models, "has_more": False, "first_id": MODELS[0], "last_id": MODELS[-1]}
