"""What each runtime is made of: npm packages for one platform, and the program in them.

A runtime that its makers also publish as a program of its own is installed as that: it needs no Node.js, and no process
of Node.js stays beside each agent.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from watchbill.errors import OperationError
from watchbill.fleet import words

NODE_VERSION = "24.21.0"
"""Node.js for runtimes that are written for it: the release line with long-term support."""


@dataclass(frozen=True)
class Platform:
    """What programs are made for, in npm's words."""

    os: str
    cpu: str
    libc: str

    def __str__(self) -> str:
        return f"{self.os}-{self.cpu}" + ("-musl" if self.libc == "musl" else "")


@dataclass(frozen=True)
class Recipe:
    """How a runtime is made: npm `packages` (as ``name@version``), and what is run.

    `programs` are paths below ``node_modules``, of which the first that is there is run; `interpreter` is one, too.
    `environment` is set for the program: nothing in it may replace itself.
    """

    packages: tuple[str, ...]
    programs: tuple[str, ...]
    interpreter: str | None = None
    environment: Mapping[str, str] = field(default_factory=dict)


def recipe(runtime: str, version: str, platform: Platform) -> Recipe:
    """Return how one version of a runtime is made for a platform. Raises OperationError where nobody makes it."""
    try:
        words.version(version)
    except words.Refused as refused:
        raise OperationError(refused.message, refused.hint, refused.code) from None
    # A host says what it is: what is none of these must not be kept as an archive for others.
    if platform.os != "linux" or platform.cpu not in ("x64", "arm64") or platform.libc not in ("glibc", "musl"):
        raise _unknown(runtime, platform)
    return {"claude": _claude, "codex": _codex, "opencode": _opencode, "pi": _pi}[runtime](version, platform)


def _claude(version: str, platform: Platform) -> Recipe:
    package = f"@anthropic-ai/claude-code-{platform}"
    return Recipe((f"{package}@{version}",), (f"{package}/claude",), environment={"DISABLE_AUTOUPDATER": "1"})


def _codex(version: str, platform: Platform) -> Recipe:
    # One package, whose versions are platforms, under the name that its own wrapper gives it. It needs no libc.
    package = f"@openai/codex-{platform.os}-{platform.cpu}"
    target = {"x64": "x86_64", "arm64": "aarch64"}[platform.cpu] + "-unknown-linux-musl"
    return Recipe(
        (f"{package}@npm:@openai/codex@{version}-{platform.os}-{platform.cpu}",),
        (f"{package}/vendor/{target}/bin/codex", f"{package}/vendor/{target}/codex/codex"),
    )


def _opencode(version: str, platform: Platform) -> Recipe:
    # For processors without AVX2, too: hosts of one fleet need not be alike.
    baseline = "-baseline" if platform.cpu == "x64" else ""
    package = f"opencode-{platform.os}-{platform.cpu}{baseline}{'-musl' if platform.libc == 'musl' else ''}"
    return Recipe(
        (f"{package}@{version}",), (f"{package}/bin/opencode",), environment={"OPENCODE_DISABLE_AUTOUPDATE": "1"}
    )


def _pi(version: str, platform: Platform) -> Recipe:
    if platform.libc != "glibc":
        raise _unknown("pi", platform)
    node, package = f"node-{platform}", "@earendil-works/pi-coding-agent"
    return Recipe(
        (f"{package}@{version}", f"{node}@{NODE_VERSION}"),
        (f"{package}/dist/cli.js",),
        interpreter=f"{node}/bin/node",
        environment={"PI_SKIP_VERSION_CHECK": "1"},
    )


def _unknown(runtime: str, platform: Platform) -> OperationError:
    hint = f"leave the version of {runtime} out and put it there yourself, or place its agents on other hosts"
    return OperationError(
        f"Watchbill cannot install {runtime} on {platform} ({platform.libc})", hint, "unknown-platform"
    )
