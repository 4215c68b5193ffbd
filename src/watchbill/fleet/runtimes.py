"""What is said of runtimes: whether it means something for that runtime, and whether a host gets it."""

from __future__ import annotations

import json

from watchbill.fleet.document import Document
from watchbill.fleet.model import FleetSpec
from watchbill.fleet.words import UNVERSIONED

MAX_SETTINGS_KILOBYTES = 64


def check(document: Document, spec: FleetSpec) -> None:
    """Add a problem for all that is said of a runtime and can have no effect, and for settings without measure."""
    for name, runtime in spec.runtimes.items():
        said = {
            "version": runtime.version,
            "canary": runtime.canary,
            "registry": runtime.registry,
            "settings": runtime.settings,
        }
        for key in (key for key, value in said.items() if value and name in UNVERSIONED):
            message = f"the runtime {name} has no {key} of its own"
            path = ("runtimes", name, key)
            document.add(document.problem(f"unused-{key}", message, path, hint="remove it", at_key=True))
        if runtime.canary and name not in UNVERSIONED and not spec.policy.canary:
            message = f"no host gets the canary version of {name}: policy.canary names none"
            path = ("runtimes", name, "canary")
            document.add(document.problem("unused-canary", message, path, hint="add policy: {canary: [HOST]}"))
        if settings_size(runtime.settings) > MAX_SETTINGS_KILOBYTES << 10:
            message = f"the settings of {name} are larger than {MAX_SETTINGS_KILOBYTES} KiB"
            document.add(document.problem("too-large", message, ("runtimes", name, "settings"), at_key=True))


def settings_size(settings: object) -> int:
    """Return the characters of settings as JSON."""
    return len(json.dumps(settings))
