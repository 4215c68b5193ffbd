"""Which host carries which agent: a pure function of the file, the same for everybody who reads it."""

from __future__ import annotations

from watchbill.fleet.place.placement import Placement, place
from watchbill.fleet.place.reason import Reason, Refusal
from watchbill.fleet.place.seat import AgentKey, Seat, Seeker

__all__ = ["AgentKey", "Placement", "Reason", "Refusal", "Seat", "Seeker", "place"]
