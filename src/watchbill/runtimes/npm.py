"""npm, which fetches packages and checks them against the registry's digests. Nothing of theirs is run."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from watchbill.errors import OperationError, visible
from watchbill.retry import PassingError, persistently
from watchbill.runtimes.recipe import Platform

# npm 10 and later say `error`, those before `ERR!`.
_COMPLAINT = re.compile(r"npm (?:error|ERR!) (.*)")
# How lines begin that npm prints before the one that a person understands, or after.
_LESS_TELLING = ("code ", "syscall ", "errno ", "A complete log")
# A registry that does not answer, or is busy, npm asks again by itself. An answer that is cut off is the end of it.
_CUT_OFF = {"ECONNRESET", "EPIPE", "ETIMEDOUT", "ERR_SOCKET_TIMEOUT", "ERR_STREAM_PREMATURE_CLOSE", "FETCH_ERROR"}
MOST_SECONDS = 1800.0
"""How long one runtime may take over a slow line."""


def install(directory: Path, packages: Sequence[str], platform: Platform, registry: str | None) -> dict[str, str]:
    """Fetch `packages` and what they need into ``directory/node_modules``; return integrity by path of each package.

    npm's own configuration holds (.npmrc, npm_config_*), above all for registries and proxies. Raises OperationError.
    """
    program = shutil.which("npm")
    if program is None:
        hint = "install it on the machine that you run watchbill on: apt install npm. Hosts need none"
        raise OperationError("npm is needed to fetch runtimes, and is not here", hint, "no-npm")
    (directory / "package.json").write_text('{"private": true}\n')
    command = [
        *(program, "install", "--ignore-scripts", "--no-audit", "--no-fund", "--omit=dev", "--include=optional"),
        # Where to is said by the directory alone: with --prefix npm would not read the configuration of this machine.
        *("--no-update-notifier", "--loglevel=error"),
        *(f"--os={platform.os}", f"--cpu={platform.cpu}", f"--libc={platform.libc}"),
        *([f"--registry={registry}"] if registry else []),
        *packages,
    ]
    persistently(lambda: _run(command, directory, packages[0]))
    return _integrity(directory)


def _run(command: Sequence[str], directory: Path, wanted: str) -> None:
    """Run npm in a directory. Raises OperationError where it fails; `wanted` is what it is to fetch, for people."""
    try:
        done = subprocess.run(
            command,
            cwd=directory,
            env={**os.environ, "NODE_ENV": "production"},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=MOST_SECONDS,
            check=False,
        )
    except subprocess.TimeoutExpired as error:
        raise OperationError(f"npm did not end within {MOST_SECONDS:.0f} s", "is the registry slow?", "npm") from error
    if done.returncode != 0:
        said = _COMPLAINT.findall(done.stderr)
        kind = PassingError if any(f"code {code}" in said for code in _CUT_OFF) else OperationError
        raise kind(f"npm could not fetch {wanted}: {_reason(said)}", _hint(done.stderr), "npm")


def _reason(said: Sequence[str]) -> str:
    """Return what npm complains about, in one line."""
    told = [line.strip() for line in said if line.strip() and not line.startswith(_LESS_TELLING)]
    return visible(told[0].removeprefix("notarget "))[:300] if told else "it does not say why"


def _hint(text: str) -> str:
    if "ETARGET" in text or "E404" in text:
        return "is there such a version? npm view PACKAGE versions; is the registry right? npm config get registry"
    return "can this machine reach the registry? npm ping"


def _integrity(directory: Path) -> dict[str, str]:
    """Return what npm has checked each package against. Raises OperationError where it had nothing to check against."""
    lock: Any = json.loads((directory / "node_modules" / ".package-lock.json").read_text())
    found = {path: str(package.get("integrity", "")) for path, package in lock["packages"].items()}
    unchecked = sorted(path for path, integrity in found.items() if not integrity.startswith("sha512-"))
    if unchecked:
        hint = "use a registry that has sha512 for each package"
        raise OperationError(f"the registry has no digest for {unchecked[0]}", hint, "npm")
    return found
