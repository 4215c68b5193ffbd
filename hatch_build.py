"""Put the Ansible collection into the wheel, beside the Python package, so that the two always match."""

from __future__ import annotations

from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface

COLLECTION = "ansible_collections/watchbill/fleet"
PARTS = ("galaxy.yml", "meta", "playbooks", "plugins", "roles", "schemas")


class CollectionHook(BuildHookInterface):  # type: ignore[type-arg]
    """Add the collection to standard wheels; editable ones find it through ``.dev``."""

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        """Fill ``force_include`` of the build."""
        if version == "standard":
            build_data["force_include"].update({part: f"{COLLECTION}/{part}" for part in PARTS})
