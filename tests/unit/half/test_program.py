"""A host half that no keeper could be started from does not replace one that works."""

from __future__ import annotations

import io
import zipfile

import pytest
from ansible_collections.watchbill.fleet.plugins.module_utils._program import require_readable

from watchbill.compile import zipapp


def archive(**modules: str) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as file:
        for name, source in modules.items():
            file.writestr(f"watchbill_host/{name}.py", source)
    return buffer.getvalue()


def test_the_host_half_that_is_built_is_readable() -> None:
    require_readable(zipapp.build())


@pytest.mark.parametrize("program", [archive(good="x = 1", bad="def f(:"), b"#!/bin/sh", b""])
def test_what_no_keeper_could_be_started_from_is_refused(program: bytes) -> None:
    with pytest.raises(ValueError, match="was not installed"):
        require_readable(program)


def test_no_module_is_run() -> None:
    require_readable(archive(trap="raise SystemExit(9)"))
