"""A keeper's mind on a bench."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.unit.keeper.bench import Bench


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    return Bench(tmp_path / "state")
