"""A pi that is played."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from .pi_terminal import RETRY, Pi


@pytest.fixture
def interval() -> float:
    return 60


@pytest.fixture
def retry() -> dict[str, Any]:
    return RETRY


@pytest.fixture
def pi(tmp_path: Path, interval: float, retry: dict[str, Any]) -> Iterator[Pi]:
    pi = Pi(tmp_path, interval, retry)
    pi.happens("session_start", reason="startup")
    yield pi
    pi.close()
