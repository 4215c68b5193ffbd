# Copyright: Watchbill contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Requests to the plugin in opencode: HTTP on a socket that only the agent's own account can reach."""

from __future__ import annotations

import json
import typing as t

ANSWER_SECONDS = 25.0
ANSWER_LIMIT = 1024 * 1024


def ask(runtime_directory: str, method: str, path: str, body: dict[str, t.Any] | None = None) -> t.Any:
    """Return what the plugin answers, as plain data.

    :raises OSError: nobody listens, it does not answer in time or not as HTTP, or it refuses; the text says why.
    """
    # Not at the top: a keeper stays small, and this runs in a child of it.
    import http.client
    import socket

    connection = http.client.HTTPConnection("localhost")
    connection.sock = socket.socket(socket.AF_UNIX)
    try:
        connection.sock.settimeout(ANSWER_SECONDS)
        connection.sock.connect(runtime_directory + "/opencode.sock")
        content = None if body is None else json.dumps(body).encode()
        connection.request(method, path, content, {"Content-Type": "application/json"})
        response = connection.getresponse()
        said = json.loads(response.read(ANSWER_LIMIT))
    except (http.client.HTTPException, ValueError) as error:
        raise OSError(f"opencode did not answer as its plugin does: {error}") from error
    finally:
        connection.close()
    if response.status != http.client.OK:
        raise OSError(f"opencode: {said.get('error') if isinstance(said, dict) else response.status}")
    return said
