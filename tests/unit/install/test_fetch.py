"""The control machine fetches a runtime once, checks it, and packs the same bytes every time."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.npm_registry import AGENT, NODE, Registry, serving
from watchbill import retry
from watchbill.errors import OperationError
from watchbill.runtimes import Package, Platform, cache, fetch
from watchbill.runtimes.recipe import NODE_VERSION, recipe

HERE = Platform("linux", "x64", "glibc")


@pytest.fixture
def registry(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Registry]:
    with serving() as registry:
        for name, value in registry.environment().items():
            monkeypatch.setenv(name, value)
        monkeypatch.setenv("npm_config_cache", str(tmp_path / "npm"))
        monkeypatch.setenv("WATCHBILL_CACHE", str(tmp_path / "cache"))
        yield registry


def pi(version: str = "1.0.0", registry: str | None = None) -> Package:
    return fetch("pi", version, HERE, "pi", registry)


def test_second_time_nobody_is_asked(registry: Registry) -> None:
    registry.add_pi("1.0.0")
    assert pi() == pi()
    assert registry.asked == {f"{AGENT}@1.0.0": 1, f"{NODE}@{NODE_VERSION}": 1}


def test_damaged_archive_is_made_anew(registry: Registry) -> None:
    registry.add_pi("1.0.0")
    first = pi()
    whole = first.path.read_bytes()
    first.path.write_bytes(whole[:-1])
    assert pi() == first
    assert first.path.read_bytes() == whole, "the same files are the same bytes"


def test_version_that_nobody_made_says_where_to_look_and_leaves_nothing(registry: Registry) -> None:
    registry.add_pi("1.0.0")
    with pytest.raises(OperationError, match=r"9\.9\.9") as caught:
        pi("9.9.9")
    assert "npm view" in caught.value.hint
    assert not list(cache.directory().glob("*.tar.gz")), "nothing that could be taken for an archive"


@pytest.fixture
def at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody waits before another try."""
    monkeypatch.setattr(retry, "PAUSES", (0.0,) * len(retry.PAUSES))


@pytest.mark.usefixtures("at_once")
def test_package_that_was_cut_off_on_its_way_is_fetched_again(registry: Registry) -> None:
    registry.add_pi("1.0.0")
    registry.cut = 1
    assert pi().path.is_file()
    assert sum(registry.asked.values()) >= 3, "one of the two packages was asked for twice"


@pytest.mark.usefixtures("at_once")
def test_package_that_is_always_cut_off_is_given_up_with_what_npm_says(registry: Registry) -> None:
    registry.add_pi("1.0.0")
    registry.cut = 1000
    with pytest.raises(OperationError, match="aborted") as caught:
        pi()
    assert "npm ping" in caught.value.hint
    assert registry.asked[f"{NODE}@{NODE_VERSION}"] <= 3


def test_old_archives_go(registry: Registry, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cache, "KEPT", 1)
    registry.add_pi("1.0.0", "1.1.0")
    first, second = pi("1.0.0"), pi("1.1.0")
    assert (first.path.exists(), second.path.exists()) == (False, True)


def test_package_without_digest_is_refused(registry: Registry) -> None:
    registry.add_pi()
    registry.add(AGENT, "1.0.0", {"dist/cli.js": b""}, digest=False)
    with pytest.raises(OperationError, match="no digest"):
        pi()


def test_registry_of_the_fleet_is_asked_and_no_other(registry: Registry, monkeypatch: pytest.MonkeyPatch) -> None:
    registry.add_pi("1.0.0")
    monkeypatch.setenv("npm_config_registry", "http://127.0.0.1:1/")
    assert pi(registry=registry.address).path.is_file()
    with pytest.raises(OperationError):
        pi()


def test_without_npm_the_message_says_where_it_is_needed(registry: Registry, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "/nowhere")
    with pytest.raises(OperationError) as caught:
        pi()
    assert caught.value.code == "no-npm"
    assert "apt install npm" in caught.value.hint


@pytest.mark.parametrize("runtime", ["claude", "codex", "opencode", "pi"])
@pytest.mark.parametrize("cpu", ["x64", "arm64"])
def test_every_runtime_is_made_for_common_machines_without_scripts(runtime: str, cpu: str) -> None:
    made = recipe(runtime, "1.2.3", Platform("linux", cpu, "glibc"))
    assert "1.2.3" in made.packages[0]
    assert all(cpu in name for name in made.packages if not name.startswith(AGENT))


@pytest.mark.parametrize(
    ("runtime", "platform"),
    [
        ("claude", Platform("darwin", "arm64", "glibc")),
        ("codex", Platform("linux", "riscv64", "glibc")),
        ("pi", Platform("linux", "x64", "musl")),
        ("claude", Platform("linux", "x64", "none")),
    ],
)
def test_machines_that_nobody_makes_it_for_are_refused_by_name(runtime: str, platform: Platform) -> None:
    with pytest.raises(OperationError, match=f"cannot install {runtime} on {platform}"):
        recipe(runtime, "1.2.3", platform)


def test_version_that_could_be_a_path_is_refused_before_anything_is_touched() -> None:
    with pytest.raises(OperationError, match="not an exact version"):
        recipe("pi", "../../../tmp/x", HERE)
