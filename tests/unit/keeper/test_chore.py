"""One thing that a keeper has done beside it, within a time."""

from __future__ import annotations

import time
from typing import Any

from ansible_collections.watchbill.fleet.plugins.module_utils._keeper.chore import Chore, Outcome
from ansible_collections.watchbill.fleet.plugins.module_utils._keeper.processes import wait_readable


def test_child_that_takes_too_long_is_ended_and_its_output_is_capped() -> None:
    now = [0.0]
    chore = Chore(lambda: now[0])

    def hang() -> Any:
        import os

        os.write(1, b"begun")
        time.sleep(600)

    chore.begin(hang, 5.0)
    chore.look()
    assert chore.due == 5.0
    now[0] = 6.0
    chore.look()
    assert chore.descriptor is not None
    assert wait_readable(chore.descriptor, 60)
    assert chore.ended() == Outcome(None, "not done in time")
    assert chore.descriptor is None
