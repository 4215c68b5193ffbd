"""What one machine has of its own: files written into the upper layer of its disk before it boots for the first time.

Only ever into a new, empty layer: later the machine's root could have put symbolic links there that lead out of it.
"""

from __future__ import annotations

import ipaddress
import os
import re
import secrets
from pathlib import Path
from urllib.parse import urlsplit

from watchbill.lab import commands
from watchbill.lab.addresses import CONTROL, NETWORK

_LOCAL_CERTIFICATES = Path("/usr/local/share/ca-certificates")
# The settings of apt that decide whether this machine reaches the archives; everything else is a matter of taste.
_APT_SETTINGS = re.compile(
    r"Acquire::(?:https?::(?:Proxy|Timeout|Verify-Peer|Pipeline-Depth)(?:::[^ ]+)?"
    r'|Check-Valid-Until|Check-Date|Retries|ForceIPv[46]) ".*";'
)


class UpperLayer:
    """The upper layer of an overlay: directories made in it get mode and owner from the base below."""

    def __init__(self, upper: Path, base: Path) -> None:
        self.upper = upper
        self.base = base

    def write(self, path: str, content: str | bytes, mode: int = 0o644) -> None:
        """Write one file of the machine; `path` is relative to its root."""
        target = self.upper / path
        self._directories(Path(path).parent)
        descriptor = os.open(target, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, mode)
        with os.fdopen(descriptor, "wb") as file:
            os.fchmod(descriptor, mode)
            file.write(content.encode() if isinstance(content, str) else content)

    def _directories(self, path: Path) -> None:
        for relative in [*reversed(path.parents), path]:
            directory = self.upper / relative
            if relative == Path() or directory.is_dir():
                continue
            below = self.base / relative
            directory.mkdir()
            directory.chmod(below.stat().st_mode & 0o7777 if below.is_dir() else 0o755)


def prepare(upper: Path, base: Path, host: str, address: str, authorized_key: str, sources: str) -> str:
    """Write the files of a new machine into `upper` (new, empty) and return its public host key."""
    upper.mkdir()
    upper.chmod(0o755)
    layer = UpperLayer(upper, base)
    layer.write("etc/hostname", f"{host}\n")
    # Its own name: without it every sudo waits for DNS.
    layer.write("etc/hosts", f"127.0.0.1 localhost\n127.0.1.1 {host}\n::1 localhost\n")
    layer.write("etc/machine-id", f"{secrets.token_hex(16)}\n", 0o444)
    layer.write("etc/resolv.conf", resolver())
    layer.write("etc/systemd/network/10-host0.network", _network(address))
    layer.write("root/.ssh/authorized_keys", authorized_key, 0o600)
    layer.write("etc/apt/sources.list.d/debian.sources", sources)
    layer.write(
        "etc/apt/apt.conf.d/90watchbill-lab", apt_settings(commands.run(["apt-config", "dump"]), dict(os.environ))
    )
    _trust_local_certificates(layer)
    return _host_key(layer, upper.parent, host)


def resolver(candidates: tuple[str, ...] = ("/etc/resolv.conf", "/run/systemd/resolve/resolv.conf")) -> str:
    """Return a resolv.conf with the name servers of this machine that another machine can reach too.

    A stub on a loopback address is of no use to others; then systemd-resolved's list of real servers is. Short limits,
    so that a name server out of reach costs a machine two seconds a name and not ten.
    """
    for candidate in candidates:
        path = Path(candidate)
        lines = path.read_text().splitlines() if path.is_file() else []
        servers = [line.split()[1] for line in lines if line.startswith("nameserver ")]
        reachable = [server for server in servers if not _is_loopback(server)]
        if reachable:
            return "".join(f"nameserver {server}\n" for server in reachable) + "options timeout:1 attempts:2\n"
    return ""


def apt_settings(dump: str, environment: dict[str, str]) -> str:
    """Return a machine's apt.conf out of `apt-config dump` here: proxies and what else it takes to reach archives."""
    lines = [line for line in dump.splitlines() if _APT_SETTINGS.fullmatch(line)]
    for scheme in ("http", "https"):
        proxy = environment.get(f"{scheme}_proxy", "")
        if proxy and not any(line.startswith(f"Acquire::{scheme}::Proxy ") for line in lines):
            lines.append(f'Acquire::{scheme}::Proxy "{proxy}";')
    return "\n".join(_from_the_machine(line) for line in lines) + "\n"


def _from_the_machine(line: str) -> str:
    """A proxy on this machine's loopback is reached from a lab's machine by the control machine's address."""
    setting, _, value = line.partition(' "')
    host = urlsplit(value.rstrip('";')).hostname if "Proxy" in setting else None
    if host and (host == "localhost" or _is_loopback(host)):
        return line.replace(f"[{host}]" if ":" in host else host, CONTROL, 1)
    return line


def _is_loopback(server: str) -> bool:
    try:
        return ipaddress.ip_address(server.partition("%")[0]).is_loopback
    except ValueError:
        return False


def _network(address: str) -> str:
    return (
        f"[Match]\nName=host0\n\n[Network]\nAddress={address}/{NETWORK.prefixlen}\nGateway={CONTROL}\n"
        "LinkLocalAddressing=no\nIPv6AcceptRA=no\n"
    )


def _trust_local_certificates(layer: UpperLayer) -> None:
    """Trust the authorities this machine's administrator added: a proxy that ends TLS is reached through them."""
    certificates = sorted(_LOCAL_CERTIFICATES.rglob("*.crt"))
    bundle = layer.base / "etc/ssl/certs/ca-certificates.crt"
    if not certificates or not bundle.is_file():
        return
    text = bundle.read_bytes()
    for certificate in certificates:
        content = certificate.read_bytes()
        layer.write(f"usr/local/share/ca-certificates/{certificate.name}", content)
        text += content if content.endswith(b"\n") else content + b"\n"
    layer.write("etc/ssl/certs/ca-certificates.crt", text)


def _host_key(layer: UpperLayer, directory: Path, host: str) -> str:
    """Make the machine's host key here, so that known_hosts is complete before the machine boots."""
    key = directory / "host_key"
    commands.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", f"root@{host}", "-f", str(key)])
    public = key.with_suffix(".pub")
    layer.write("etc/ssh/ssh_host_ed25519_key", key.read_bytes(), 0o600)
    layer.write("etc/ssh/ssh_host_ed25519_key.pub", public.read_bytes())
    text = public.read_text()
    key.unlink()
    public.unlink()
    return text
