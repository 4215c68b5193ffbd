"""Values of secrets come from where the file says, once, and no error or variable has anything of them."""

from __future__ import annotations

import json
import os
import shlex
import stat
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from watchbill.errors import OperationError
from watchbill.fleet import Fleet, Secret
from watchbill.secret_sources import MAX_BYTES, SOCKET_VARIABLE, SecretServer, fetch, value_of

CANARY = "watchbill-canary-0451"


def printing(text: str, status: int = 0) -> tuple[str, ...]:
    return (sys.executable, "-c", f"import sys; sys.stdout.write({text!r}); sys.exit({status})")


def fleet(*secrets: Secret) -> Any:
    return SimpleNamespace(secrets={secret.name: secret for secret in secrets})


@pytest.mark.parametrize("value", [CANARY, f"{CANARY}\n", "é", "two\nlines\n", "$(x) `y`"])
def test_value_is_what_variable_or_command_says_to_the_last_byte(value: str) -> None:
    assert value_of(Secret("a", environment="A"), {"A": value}) == value.encode()
    assert value_of(Secret("a", command=printing(value))) == value.encode()


@pytest.mark.parametrize(
    ("secret", "why"),
    [
        (Secret("github", environment="GITHUB"), "GITHUB is not set here"),
        (Secret("github", environment="EMPTY"), "EMPTY is empty"),
        (Secret("github", environment="LONG"), "LONG is larger than 64 KiB"),
        (Secret("github", command=printing("")), "what its command prints is empty"),
        (Secret("github", command=printing(f"{CANARY}\0")), "holds a NUL character"),
        (Secret("github", command=printing(CANARY, status=3)), "its command ended with status 3"),
        (Secret("github", command=("/nowhere/pass",)), "/nowhere/pass: No such file"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_value_that_cannot_be_had_is_told_by_name_and_never_shown(secret: Secret, why: str) -> None:
    with pytest.raises(OperationError) as caught:
        value_of(secret, {"EMPTY": "\n", "LONG": CANARY * MAX_BYTES})
    error = caught.value
    assert error.code == "secret-unavailable"
    assert 'secret "github"' in error.message and why in error.message
    assert (f"export {secret.environment}=" if secret.environment else shlex.join(secret.command or ())) in error.hint
    # The words of a command are in the fleet file, and say what to try; what it printed is not.
    assert CANARY not in error.message
    assert secret.command or CANARY not in error.hint


def test_command_runs_once_however_many_hosts_ask(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    log = tmp_path / "log"
    count = (sys.executable, "-c", f"open({str(log)!r}, 'a').write('x'); print('{CANARY}')")
    one = fleet(Secret("a", command=count))
    with SecretServer(one) as server, ThreadPoolExecutor(8) as hosts:
        monkeypatch.setenv(SOCKET_VARIABLE, server.path)
        values = list(hosts.map(lambda _: fetch(one, "a"), range(16)))
    assert values == [f"{CANARY}\n".encode()] * 16
    assert log.read_text() == "x"


def test_ansible_gets_the_way_to_ask_and_none_of_the_variables(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GITHUB", CANARY)
    one: Fleet = fleet(Secret("a", environment="GITHUB"), Secret("b", command=("true",)))
    with SecretServer(one) as server:
        assert server.variables == {"GITHUB": None, SOCKET_VARIABLE: server.path}
        # Whoever asks has it not in its environment any more.
        monkeypatch.delenv("GITHUB")
        monkeypatch.setenv(SOCKET_VARIABLE, server.path)
        assert fetch(one, "a") == CANARY.encode()
    assert not os.path.exists(os.path.dirname(server.path))


def test_nobody_else_can_ask() -> None:
    with SecretServer(fleet(Secret("a", environment="A"))) as server:
        status = os.stat(os.path.dirname(server.path))
        assert (stat.S_IMODE(status.st_mode), status.st_uid) == (0o700, os.geteuid())


def test_refusal_reaches_who_asked_and_is_kept_for_the_last_word(monkeypatch: pytest.MonkeyPatch) -> None:
    one = fleet(Secret("a", environment="WATCHBILL_NOT_SET"))
    with SecretServer(one) as server:
        monkeypatch.setenv(SOCKET_VARIABLE, server.path)
        with pytest.raises(OperationError, match="WATCHBILL_NOT_SET is not set here"):
            fetch(one, "a")
    assert json.dumps(server.errors["a"].to_json()).count("export WATCHBILL_NOT_SET") == 1
