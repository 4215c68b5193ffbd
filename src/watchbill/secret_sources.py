"""Values of secrets, fetched on the machine that applies from where the fleet file says, when a host lacks them.

A value is in the memory of this process, on its way to a host, and in one file there: never in a file, an argument, a
variable of ours or an output here. One process, the command line, fetches each value once for all hosts; the workers of
Ansible ask it over a socket that only this user can open.
"""

from __future__ import annotations

import base64
import json
import os
import shlex
import shutil
import socket
import subprocess
import tempfile
import threading
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Self

from watchbill.directories import runtime_directory
from watchbill.errors import OperationError

if TYPE_CHECKING:
    from watchbill.fleet import Fleet, Secret

SOCKET_VARIABLE = "WATCHBILL_SECRETS"
CODE = "secret-unavailable"
MAX_BYTES = 64 * 1024
COMMAND_SECONDS = 60.0
# A secret may be asked of a person first (a touch of a key): as long as its command may take, and some more.
_ANSWER_SECONDS = COMMAND_SECONDS + 10


def value_of(secret: Secret, environment: Mapping[str, str] | None = None) -> bytes:
    """Return the value of a secret as its source has it, with the line end at its end if there is one.

    Raises OperationError with its name, never with anything of its value.
    """
    value = _from_command(secret) if secret.command is not None else _from_environment(secret, environment)
    source = secret.environment or "what its command prints"
    if not value.strip():
        raise _unavailable(secret, f"{source} is empty")
    if len(value) > MAX_BYTES:
        raise _unavailable(secret, f"{source} is larger than {MAX_BYTES >> 10} KiB")
    if b"\0" in value:
        raise _unavailable(secret, f"{source} holds a NUL character")
    return value


def _from_environment(secret: Secret, environment: Mapping[str, str] | None) -> bytes:
    variable = secret.environment or ""
    value = (os.environ if environment is None else environment).get(variable)
    if value is None:
        raise _unavailable(secret, f"{variable} is not set here")
    return os.fsencode(value)


def _from_command(secret: Secret) -> bytes:
    words = list(secret.command or ())
    try:
        # What it says to people goes to them; whoever asks for a passphrase does so on the terminal itself.
        done = subprocess.run(
            words, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, timeout=COMMAND_SECONDS, check=False
        )
    except subprocess.TimeoutExpired:
        raise _unavailable(secret, f"its command took longer than {COMMAND_SECONDS:g} s") from None
    except OSError as error:
        raise _unavailable(secret, f"{words[0]}: {error.strerror}") from None
    if done.returncode != 0:
        raise _unavailable(secret, f"its command ended with status {done.returncode}")
    return done.stdout


def _unavailable(secret: Secret, why: str) -> OperationError:
    if secret.command is not None:
        hint = f"try it here: {shlex.join(secret.command)}"
    else:
        hint = f"export {secret.environment}=…, then apply again"
    return OperationError(f'secret "{secret.name}" cannot be had: {why}', hint, CODE)


def fetch(fleet: Fleet, name: str) -> bytes:
    """Return the value of a secret of the fleet: from the process that fetches for all, else from its source.

    Raises OperationError.
    """
    path = os.environ.get(SOCKET_VARIABLE)
    if not path:
        return value_of(fleet.secrets[name])
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as connection:
        connection.settimeout(_ANSWER_SECONDS)
        connection.connect(path)
        connection.sendall(name.encode() + b"\n")
        with connection.makefile("rb") as stream:
            answer = json.loads(stream.read())
    if "error" in answer:
        message, hint = answer["error"]
        raise OperationError(message, hint, CODE)
    return base64.b64decode(answer["value"])


def withheld(fleet: Fleet) -> dict[str, str | None]:
    """Return the variables that hold secrets, as what Ansible's environment shall not have.

    ansible-runner writes that environment into a file.
    """
    return {secret.environment: None for secret in fleet.secrets.values() if secret.environment}


class SecretServer:
    """Fetches each secret of a fleet once, for whoever of the same user asks over its socket, until it is closed.

    `errors` are those that it could not give.
    """

    def __init__(self, fleet: Fleet) -> None:
        self.errors: dict[str, OperationError] = {}
        self._fleet = fleet
        self._environment = dict(os.environ)
        self._values: dict[str, bytes] = {}
        self._lock = threading.Lock()

    @property
    def variables(self) -> dict[str, str | None]:
        """Return the environment that Ansible shall have because of this; None takes a variable away."""
        return {**withheld(self._fleet), SOCKET_VARIABLE: self.path}

    def __enter__(self) -> Self:
        # Its directory is for this user only, and the path of a socket has to be short.
        self._directory = tempfile.mkdtemp(prefix="watchbill-", dir=runtime_directory())
        self.path = f"{self._directory}/secrets"
        self._listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self._listener.bind(self.path)
        self._listener.listen(socket.SOMAXCONN)
        threading.Thread(target=self._serve, daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        # Closing alone would leave the thread in accept().
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        shutil.rmtree(self._directory)
        self._values.clear()

    def _serve(self) -> None:
        while True:
            try:
                connection, _ = self._listener.accept()
            except OSError:
                return  # closed
            threading.Thread(target=self._answer, args=(connection,), daemon=True).start()

    def _answer(self, connection: socket.socket) -> None:
        with connection:
            connection.settimeout(_ANSWER_SECONDS)
            try:
                with connection.makefile("rb") as stream:
                    name = stream.readline(256).decode().strip()
                connection.sendall(json.dumps(self._value(name)).encode())
            except (OSError, UnicodeDecodeError):
                return  # who asked has gone, or is none of ours

    def _value(self, name: str) -> dict[str, Any]:
        # One at a time: several commands at once would ask a person several questions.
        with self._lock:
            try:
                if name not in self._values:
                    self._values[name] = value_of(self._fleet.secrets[name], self._environment)
            except KeyError:
                return {"error": [f'there is no secret "{name}"', ""]}
            except OperationError as error:
                self.errors[name] = error
                return {"error": [error.message, error.hint]}
            return {"value": base64.b64encode(self._values[name]).decode()}
