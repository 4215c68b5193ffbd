"""What an agent does not tell by itself, from files that it could have written itself."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tests.unit.keeper.bench import Bench
from tests.unit.keeper.test_answers import hear

NO_USAGE = {"type": "token_count", "info": {"last_token_usage": [1]}}


@pytest.mark.parametrize(
    ("runtime", "line"),
    [
        ("claude", {"type": "user", "message": ["hello"]}),
        ("claude", {"type": "assistant", "message": {"content": ["hello"]}}),
        ("codex", {"timestamp": "2027-01-15T08:00:01Z", "payload": NO_USAGE}),
    ],
)
def test_keeper_lives_on_whatever_a_transcript_says(
    bench: Bench, tmp_path: Path, runtime: str, line: dict[str, Any]
) -> None:
    transcript = tmp_path / "t.jsonl"
    transcript.write_text("")
    bench.use(runtime=runtime)
    hear(bench, state="working", source="hook", transcript=str(transcript))
    transcript.write_text(json.dumps(line, separators=(",", ":")) + "\n")
    bench.now += 6
    bench.tick()
    assert bench.state == "working"


def test_keeper_lives_on_whatever_a_log_says(bench: Bench, tmp_path: Path) -> None:
    bench.use(runtime="codex")
    hear(bench, state="working", source="hook")
    log = Path(bench.record.directory) / "codex-log/codex-tui.log"
    bench.now += 6
    bench.tick()
    log.parent.mkdir(parents=True)
    log.write_text(
        "2027-01-15T08:00:01.000Z  WARN codex_core::responses_retry: retrying sampling request (1/5 in 1.2.3s) "
        "sampling_error=status: 429\n"
    )
    bench.now += 6
    bench.tick()
    assert bench.state == "working"
