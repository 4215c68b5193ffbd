"""A fleet of always-on AI agents out of one fleet.yaml. For programs: `watchbill.Fleet`."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from watchbill.api import Fleet

__all__ = ["Fleet", "__version__"]

__version__ = "0.1.0"


def __getattr__(name: str) -> object:
    """Import what programs use only when they use it: the command line starts without it."""
    if name == "Fleet":
        from watchbill.api import Fleet

        return Fleet
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
