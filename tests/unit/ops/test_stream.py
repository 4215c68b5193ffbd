"""Lines of a command on a host, for as long as somebody reads them."""

from __future__ import annotations

import errno

import pytest

from watchbill.ops.stream import Stream


def test_command_that_is_roots_by_sudo_ends_because_nobody_reads_it(monkeypatch: pytest.MonkeyPatch) -> None:
    """An ordinary user may not end it: that is no reason to end with a traceback, nor to wait for ever."""

    def refuse() -> None:
        raise PermissionError(errno.EPERM, "Operation not permitted")

    stream = Stream("desk", ["bash", "-c", "while echo x; do :; done"])
    monkeypatch.setattr(stream._process, "terminate", refuse)
    assert next(stream.lines()) == "x"
    stream.end()
    stream.close()
    assert stream._process.wait(60) != 0
