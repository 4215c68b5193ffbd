"""The host half as one executable file: ``watchbill-host.pyz``."""

from __future__ import annotations

import functools
import hashlib
import io
import zipfile

from watchbill.compile.half import MODULE_UTILS

SHEBANG = b"#!/usr/bin/python3 -IS\n"
PACKAGE = "watchbill_host"
MAIN = f"""\
import sys

from {PACKAGE}._host_cli import main

sys.exit(main())
"""
# ZIP has no earlier date; a fixed one keeps the bytes the same on every control machine.
EPOCH = (1980, 1, 1, 0, 0, 0)


@functools.cache
def build() -> bytes:
    """Return the zipapp: the same bytes for the same sources, everywhere.

    Files are stored, not deflated: what deflate writes depends on the zlib of the machine, and another digest would
    restart keepers for nothing.
    """
    buffer = io.BytesIO()
    buffer.write(SHEBANG)
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_STORED) as archive:
        _add(archive, "__main__.py", MAIN.encode())
        if not (MODULE_UTILS / "__init__.py").exists():
            _add(archive, f"{PACKAGE}/__init__.py", b"")
        for path in sorted(MODULE_UTILS.rglob("*.py")):
            _add(archive, f"{PACKAGE}/{path.relative_to(MODULE_UTILS).as_posix()}", path.read_bytes())
    return buffer.getvalue()


@functools.cache
def sha256() -> str:
    """Return the SHA-256 of the zipapp, as 64 hexadecimal digits."""
    return hashlib.sha256(build()).hexdigest()


def _add(archive: zipfile.ZipFile, name: str, content: bytes) -> None:
    entry = zipfile.ZipInfo(name, EPOCH)
    entry.external_attr = 0o644 << 16
    entry.create_system = 3
    archive.writestr(entry, content)
