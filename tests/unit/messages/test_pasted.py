"""What is pasted into a terminal before Enter. That runtimes take it whole is shown by the conformance suite."""

from __future__ import annotations

import pytest
from ansible_collections.watchbill.fleet.plugins.module_utils._messages.text import pasted


@pytest.mark.parametrize(("whole", "as_pasted"), [("a\\", "a\\ "), ("a\\\nb", "a\\\nb"), ("a", "a")])
def test_enter_never_comes_right_after_a_backslash(whole: str, as_pasted: str) -> None:
    assert pasted(whole) == as_pasted
