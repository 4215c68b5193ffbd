"""`python -m watchbill` is `watchbill`."""

from __future__ import annotations

from watchbill.cli import main

main()
