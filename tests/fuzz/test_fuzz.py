"""Whatever is in a file that others write: its reader keeps its promises. The long form: make fuzz."""

from __future__ import annotations

import pytest
from hypothesis import HealthCheck, Phase, given, settings

from .mutations import inputs
from .targets import TARGETS

# A fixed choice: the same inputs on each run, so that a failure here is never somebody else's.
short = settings(
    max_examples=200,
    derandomize=True,
    deadline=None,
    suppress_health_check=list(HealthCheck),
    phases=[Phase.generate, Phase.shrink],
)


@pytest.mark.parametrize("name", TARGETS)
def test_a_reader_takes_what_is_right(name: str) -> None:
    for seed in TARGETS[name].seeds[:12]:
        assert TARGETS[name].run(seed.encode()), seed


@pytest.mark.parametrize("name", TARGETS)
def test_a_reader_keeps_its_promises_whatever_it_reads(name: str) -> None:
    @short
    @given(inputs(TARGETS[name]))
    def whatever(content: bytes) -> None:
        TARGETS[name].run(content)

    whatever()
