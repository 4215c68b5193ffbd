"""What is promised in seconds is measured by a test that has the machine to itself.

What the tests of other workers (pytest-xdist) do at the same time would be measured, too. So each test holds a lock
that others may hold as well, and who measures waits until nobody else does.
"""

from __future__ import annotations

import fcntl
import shutil
import tempfile
from collections.abc import Generator, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from pathlib import Path
from typing import Any

import pytest

NAME = "watchbill-turns"
DIRECTORY = pytest.StashKey[str]()


class Turns:
    """The turns of one worker; `directory` is the same for all workers."""

    def __init__(self, directory: Path) -> None:
        self._machine = (directory / "machine").open("w")
        # Whoever waits to be alone holds it, so that nobody begins meanwhile.
        self._next = (directory / "next").open("w")

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_protocol(self) -> Generator[None, object, object]:
        """Run a test, its fixtures included, beside those of other workers."""
        fcntl.flock(self._next, fcntl.LOCK_EX)
        fcntl.flock(self._machine, fcntl.LOCK_SH)
        fcntl.flock(self._next, fcntl.LOCK_UN)
        try:
            return (yield)
        finally:
            fcntl.flock(self._machine, fcntl.LOCK_UN)

    @contextmanager
    def alone(self) -> Iterator[None]:
        """Run a part of a test while no other worker runs one."""
        # Two that want to be alone would wait for each other.
        fcntl.flock(self._machine, fcntl.LOCK_UN)
        fcntl.flock(self._next, fcntl.LOCK_EX)
        fcntl.flock(self._machine, fcntl.LOCK_EX)
        try:
            yield
        finally:
            fcntl.flock(self._machine, fcntl.LOCK_SH)
            fcntl.flock(self._next, fcntl.LOCK_UN)


def alone(config: pytest.Config) -> AbstractContextManager[None]:
    """Return a context in which no other worker runs a test; for a test, or a fixture of one."""
    turns: Turns | None = config.pluginmanager.get_plugin(NAME)
    return turns.alone() if turns else nullcontext()


def take_turns(config: pytest.Config) -> None:
    """Let a worker take part; without workers there is nobody to wait for."""
    given = getattr(config, "workerinput", {}).get(NAME)
    if given:
        config.pluginmanager.register(Turns(Path(given)), NAME)


@pytest.hookimpl(optionalhook=True)
def pytest_configure_node(node: Any) -> None:
    """Tell a worker where to take turns."""
    directory = node.config.stash.get(DIRECTORY, None)
    if directory is None:
        directory = node.config.stash[DIRECTORY] = tempfile.mkdtemp(prefix="watchbill-turns-")
        node.config.add_cleanup(lambda: shutil.rmtree(directory))
    node.workerinput[NAME] = directory
