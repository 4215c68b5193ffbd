"""Module ``watchbill.fleet.agent``: it reports a change only where its word is news."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from ansible_collections.watchbill.fleet.plugins.module_utils._layout import Layout
from ansible_collections.watchbill.fleet.plugins.modules.agent import _is_news


@pytest.mark.parametrize(
    ("override", "news"),
    [
        (None, {"started": False, "stopped": True, "restarted": True}),
        ('{"stop": {"until": null}, "restart": null}', {"started": True, "stopped": False, "restarted": True}),
        (
            '{"stop": {"until": "2020-01-01T00:00:00Z"}, "restart": null}',
            {"started": False, "stopped": True, "restarted": True},
        ),
        ('{"watch": {"on": false}}', {"started": True, "stopped": True, "restarted": True}),
        ('{"watch": {"on": true}, "pause": {}}', {"started": False, "stopped": True, "restarted": True}),
        ("half of a file", {"started": True, "stopped": True, "restarted": True}),
    ],
)
def test_word_that_holds_already_is_no_change(tmp_path: Path, override: str | None, news: dict[str, bool]) -> None:
    layout = Layout.rootless(str(tmp_path), os.getuid())
    os.makedirs(layout.overrides("studio"))
    if override is not None:
        Path(layout.override("studio", "coder0")).write_text(override)
    assert {state: _is_news(layout, "studio/coder0", state) for state in news} == news
