"""Tests that have a long form run it with `--long`; hypothesis tries the same on every machine."""

from __future__ import annotations

import os
import signal

import hypothesis
import pytest

from tests.alone import pytest_configure_node, take_turns

__all__ = ["pytest_configure_node"]

# A machine with other things to do stops any process for a while: that says nothing about what is tested. And a fixed
# choice of examples: a failure is never somebody else's. Others each time: make fuzz.
hypothesis.settings.register_profile(
    "watchbill", deadline=None, derandomize=True, suppress_health_check=[hypothesis.HealthCheck.too_slow]
)
hypothesis.settings.load_profile("watchbill")

# What a terminal, or a service that runs tests, wants of colours and widths is not what is tested.
for name in ("COLUMNS", "FORCE_COLOR", "LINES", "NO_COLOR", "TTY_COMPATIBLE", "TTY_INTERACTIVE"):
    os.environ.pop(name, None)

# Not tests by name, but they assert: what they compared is shown.
pytest.register_assert_rewrite("tests.runtimes.live", "tests.runtimes.steps")


def pytest_configure(config: pytest.Config) -> None:
    """Take interruptions again where our caller ignores them, as shells do in the background: children would, too."""
    take_turns(config)
    for number, handler in ((signal.SIGINT, signal.default_int_handler), (signal.SIGQUIT, signal.SIG_DFL)):
        if signal.getsignal(number) is signal.SIG_IGN:
            signal.signal(number, handler)


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add `--long`."""
    parser.addoption("--long", action="store_true", help="the long form of what has one (make test-runtimes)")


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Leave out what is marked `long`, unless asked for."""
    if not config.getoption("--long"):
        for item in items:
            if item.get_closest_marker("long"):
                item.add_marker(pytest.mark.skip(reason="only with --long"))
