"""Requests to a host half, carried out below a directory, and its answers."""

from __future__ import annotations

import hashlib
from typing import Any

from ansible_collections.watchbill.fleet.plugins.module_utils import _reconcile
from ansible_collections.watchbill.fleet.plugins.module_utils._applied import read_applied
from ansible_collections.watchbill.fleet.plugins.module_utils._layout import Layout
from ansible_collections.watchbill.fleet.plugins.module_utils._manifest import VERSION, digest


def file(name: str, body: bytes) -> dict[str, Any]:
    return {"kind": "file", "name": f"~/{name}", "mode": "0644", "sha256": hashlib.sha256(body).hexdigest()}


def request(*resources: dict[str, Any], **more: Any) -> dict[str, Any]:
    manifest: dict[str, Any] = {
        "format_version": 1,
        "product_version": VERSION,
        "fleet": "studio",
        "host": "desk",
        "mode": "rootless",
        "host_half": {"version": VERSION, "sha256": "0" * 64},
        "policy": {"prune": "ask", "max_delete": None},
        "resources": list(resources),
    }
    manifest["policy"].update(more.pop("policy", {}))
    manifest.update(more.pop("manifest", {}))
    manifest["digest"] = digest(manifest)
    return {"manifest": manifest, **more}


def apply(layout: Layout, *resources: dict[str, Any], **more: Any) -> dict[str, Any]:
    return _reconcile._Reconciliation(layout, request(*resources, **more)).change()


def look(layout: Layout, *resources: dict[str, Any], **more: Any) -> dict[str, Any]:
    return _reconcile._Reconciliation(layout, request(*resources, **more)).look()


def bodies(*contents: bytes) -> dict[str, bytes]:
    return {hashlib.sha256(content).hexdigest(): content for content in contents}


def claimed(layout: Layout) -> list[str]:
    return [f"{claim['kind']}:{claim['name']}" for claim in read_applied(layout)["claims"]]


def codes(answer: dict[str, Any]) -> list[str]:
    return [problem["code"] for problem in answer["problems"]]
