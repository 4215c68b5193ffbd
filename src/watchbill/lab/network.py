"""The one network of all labs: a bridge with the control machine on it, and the way out through the control machine.

Made by the first lab, removed by the last one, which also puts back the kernel settings that had to be changed. A
firewall here that drops forwarded packets (Docker's does) keeps machines from the archives: a packet passes only if all
tables let it.
"""

from __future__ import annotations

import ipaddress
import json
import socket
from pathlib import Path

from watchbill.errors import OperationError
from watchbill.lab.addresses import CONTROL, NETWORK
from watchbill.lab.commands import run
from watchbill.lab.processes import control_boot_id
from watchbill.lab.record import Store, write_atomically

BRIDGE = "watchbill0"
TABLE = "watchbill_lab"
# A fixed one: otherwise the bridge takes the lowest of its ports, and changes it when machines come and go.
_BRIDGE_MAC = "02:57:42:4c:41:42"
FORWARD = Path("/proc/sys/net/ipv4/ip_forward")
INOTIFY = Path("/proc/sys/fs/inotify/max_user_instances")
# A machine takes about 30 instances of root's share, which all machines and the control machine have in common.
_INOTIFY_WANTED = 8192


def up(store: Store) -> None:
    """Make the network where it is missing. Raises OperationError when others use its addresses. Safe to repeat."""
    refuse_overlap()
    change_settings(store)
    if not _bridge_exists():
        run(["ip", "link", "add", BRIDGE, "address", _BRIDGE_MAC, "type", "bridge"])
    run(["ip", "link", "set", BRIDGE, "addrgenmode", "none", "up"])
    run(["ip", "address", "replace", f"{CONTROL}/{NETWORK.prefixlen}", "dev", BRIDGE])
    run(["nft", "-f", "-"], stdin=rules(_read(store)))


def down(store: Store) -> None:
    """Remove the network and put the kernel settings back. Safe to repeat."""
    run(["nft", "-f", "-"], stdin=f"table ip {TABLE}\ndelete table ip {TABLE}\n")
    if _bridge_exists():
        run(["ip", "link", "delete", BRIDGE])
    restore_settings(store)


def rules(saved: dict[str, str]) -> str:
    """Return the nft script: a fresh table in one transaction, whatever was there.

    Where nothing was forwarded before the labs came, nothing but their packets is forwarded now: a lab shall not make a
    router of somebody's laptop. Nobody out there may begin to talk to a machine.
    """
    others = "accept" if saved.get(str(FORWARD)) == "1" else "drop"
    return f"""\
table ip {TABLE}
delete table ip {TABLE}
table ip {TABLE} {{
  chain postrouting {{
    type nat hook postrouting priority srcnat; policy accept;
    ip saddr {NETWORK} oifname != "{BRIDGE}" masquerade
  }}
  chain forward {{
    type filter hook forward priority filter; policy {others};
    iifname "{BRIDGE}" accept
    oifname "{BRIDGE}" ct state established,related accept
    oifname "{BRIDGE}" drop
  }}
}}
"""


def _bridge_exists() -> bool:
    try:
        return socket.if_nametoindex(BRIDGE) > 0
    except OSError:
        return False


def refuse_overlap() -> None:
    """Raise OperationError when this machine reaches others at addresses of the lab's network."""
    routes = json.loads(run(["ip", "-json", "-4", "route", "show", "table", "main"]) or "[]")
    for route in routes:
        destination, device = route.get("dst", "default"), route.get("dev")
        if destination != "default" and device != BRIDGE and ipaddress.IPv4Network(destination).overlaps(NETWORK):
            raise OperationError(
                f"the lab's network {NETWORK} is in use here: route {destination} on {device}",
                f"ip route show; the lab cannot run beside {device}",
                "network-taken",
            )


def _saved_settings(store: Store) -> Path:
    return store.root / "settings.json"


def _read(store: Store) -> dict[str, str]:
    """Return the kernel settings from before the labs, by path; empty when there are none from this boot."""
    try:
        saved: dict[str, str] = json.loads(_saved_settings(store).read_bytes())
    except FileNotFoundError:
        return {}
    return saved if saved.pop("boot_id") == control_boot_id() else {}


def change_settings(store: Store) -> None:
    """Remember the settings as they were first, then change them: so a crash in between loses nothing."""
    wanted = {FORWARD: "1", INOTIFY: str(max(_INOTIFY_WANTED, int(INOTIFY.read_text())))}
    saved = _read(store)
    before = {str(path): saved.get(str(path), path.read_text().strip()) for path in wanted}
    write_atomically(_saved_settings(store), {**before, "boot_id": control_boot_id()})
    for path, value in wanted.items():
        if path.read_text().strip() != value:
            _write_setting(path, value)


def restore_settings(store: Store) -> None:
    """Put the kernel settings back to what they were before the first lab of this boot."""
    for path, value in _read(store).items():
        if Path(path).read_text().strip() != value:
            _write_setting(Path(path), value)
    _saved_settings(store).unlink(missing_ok=True)


def _write_setting(path: Path, value: str) -> None:
    try:
        path.write_text(value)
    except OSError as error:
        raise OperationError(f"cannot set {path} to {value}: {error.strerror}", code="kernel-setting") from error
