"""From a placed fleet to the manifest of each host: pure, sorted, the same bytes for the same input."""

from __future__ import annotations

from watchbill.compile.host import CompiledHost, compile_host

__all__ = ["CompiledHost", "compile_host"]
