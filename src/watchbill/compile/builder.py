"""Collects what one host shall have, until the manifest is whole."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from watchbill.compile.half import Layout
    from watchbill.fleet import Fleet


@dataclass
class ManifestBuilder:
    """Collects resources and bodies of one host."""

    fleet: Fleet
    host: str
    layout: Layout
    resources: list[dict[str, Any]] = field(default_factory=list)
    bodies: dict[str, bytes] = field(default_factory=dict)

    @property
    def rootless(self) -> bool:
        """Whether the host belongs to one plain user."""
        return self.layout.mode == "rootless"

    def add(self, kind: str, name: str, **fields: Any) -> None:
        """Add one resource; fields that are None are left out."""
        if None in fields.values():
            fields = {key: value for key, value in fields.items() if value is not None}
        self.resources.append({"kind": kind, "name": name, **fields})

    def add_directory(self, path: str, mode: str, owner: str = "root", group: str = "root", **fields: Any) -> None:
        """Add a directory; a rootless host has no owners to set."""
        self.add("directory", path, mode=mode, **self._owners(owner, group), **fields)

    def add_file(
        self,
        path: str,
        body: bytes,
        mode: str,
        owner: str = "root",
        group: str = "root",
        *,
        sha256: str = "",
        **fields: Any,
    ) -> str:
        """Add a file with its content; return the SHA-256 of it, which need not be given."""
        sha256 = sha256 or hashlib.sha256(body).hexdigest()
        self.bodies[sha256] = body
        self.add("file", path, mode=mode, sha256=sha256, size=len(body), **self._owners(owner, group), **fields)
        return sha256

    def add_secret(self, path: str, mode: str, secret: str, *, tenant: str, **fields: Any) -> None:
        """Add a file for the value of a secret, of which the manifest says name and version only."""
        version = self.fleet.secrets[secret].version
        owners = self._owners("root", tenant)
        self.add("file", path, mode=mode, secret=secret, version=version, **owners, tenant=tenant, **fields)

    def _owners(self, owner: str, group: str) -> dict[str, str]:
        return {} if self.rootless else {"owner": owner, "group": group}
