"""What is pasted into a terminal before Enter. That runtimes take it whole is shown by the tests of real ones."""

from __future__ import annotations

import pytest
from ansible_collections.watchbill.fleet.plugins.module_utils._messages.text import pasted


@pytest.mark.parametrize("whole", ["ends with a backslash\\", "look at @README", "two\nlines"])
def test_cursor_stands_behind_a_space_when_enter_comes(whole: str) -> None:
    assert pasted(whole) == whole + " "
