"""How to reach each host of a fleet: the one answer that the inventory plugin and the operations share.

Host keys are always checked: against the key pinned in the fleet file, those of the lab, or the user's known_hosts.
"""

from __future__ import annotations

import hashlib
import os
import re
import shlex
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from watchbill.directories import CONTROL_NAME_LENGTH, cache_directory, control_directory, make_private
from watchbill.errors import OperationError

if TYPE_CHECKING:
    from watchbill.fleet import Fleet, Host
    from watchbill.lab import LabTarget

CONNECT_TIMEOUT = 10
_ADDRESS = re.compile(r"[A-Za-z0-9_][A-Za-z0-9._:-]*|::[A-Za-z0-9.:]*")
_USER = re.compile(r"[A-Za-z_][A-Za-z0-9._-]*")


@dataclass(frozen=True)
class Connection:
    """How to reach one host. `user` and `port` None: ssh's own configuration decides. `local`: no connection at all."""

    address: str
    user: str | None = None
    port: int | None = None
    become: bool = False
    private_key: Path | None = None
    known_hosts: Path | None = None
    host_key_alias: str | None = None
    jump: Connection | None = None
    local: bool = False


def connection(fleet: Fleet, host: str, lab: bool = False) -> Connection:
    """Return how to reach a host, or with `lab` its stand-in.

    Raises OperationError where the fleet has no such host, the lab is not up, or a pinned host key cannot be written.
    """
    fleet.host(host)
    return _connection(fleet, host, _lab_targets(fleet) if lab else None)


def connections(fleet: Fleet, lab: bool = False) -> dict[str, Connection]:
    """Return the same as connection, for every host of the fleet."""
    targets = _lab_targets(fleet) if lab else None
    return {host: _connection(fleet, host, targets) for host in fleet.hosts}


def ssh_arguments(connection: Connection) -> list[str]:
    """Return the arguments of ssh up to and with the destination; a remote command follows them.

    Options of the caller (such as ``-t``) go before them. Raises OperationError for a local host.
    """
    return [*ssh_options(connection), *_login(connection), "--", connection.address]


def ssh_options(connection: Connection) -> list[str]:
    """Return the part of ssh_arguments that says neither who nor where, which Ansible sets by variables of its own."""
    _require_safe(connection)
    control_path = _quoted(control_directory() / _control_name(connection))
    multiplexing = {"ControlMaster": "auto", "ControlPersist": "60s", "ControlPath": control_path}
    return _options({**_checks(connection), **multiplexing, **_proxy(connection)})


def _lab_targets(fleet: Fleet) -> Mapping[str, LabTarget]:
    from watchbill.lab import targets

    return targets(fleet.name)


def _connection(fleet: Fleet, name: str, targets: Mapping[str, LabTarget] | None) -> Connection:
    host = fleet.hosts[name]
    if targets is not None:
        return _to_stand_in(host, targets)
    connect = host.connect
    if host.address == "local":
        become = _become(host, "root" if os.geteuid() == 0 else None)
        return Connection("local", become=become, local=True)
    known_hosts = alias = None
    if connect.host_key is not None:
        alias = f"{fleet.name}.{name}.watchbill"
        known_hosts = _write_known_hosts(alias, connect.host_key)
    return Connection(
        address=host.address,
        user=connect.user,
        port=connect.port,
        become=_become(host, connect.user),
        known_hosts=known_hosts,
        host_key_alias=alias,
        jump=_connection(fleet, connect.jump, None) if connect.jump is not None else None,
    )


def _to_stand_in(host: Host, targets: Mapping[str, LabTarget]) -> Connection:
    target = targets.get(host.name)
    if target is None:
        raise OperationError(f"host {host.name} has no machine in the lab", "watchbill lab up", "lab-down")
    # A rootless host is reached as its own user in the lab too; root would prove nothing.
    user = host.connect.user if host.rootless and host.connect.user is not None else target.user
    return Connection(
        address=target.address,
        user=user,
        port=target.port,
        become=not host.rootless and user != "root",
        private_key=target.private_key,
        known_hosts=target.known_hosts,
    )


def _become(host: Host, user: str | None) -> bool:
    if host.connect.become is not None:
        return host.connect.become
    return not host.rootless and user != "root"


def _login(connection: Connection) -> list[str]:
    arguments = []
    if connection.port is not None:
        arguments += ["-p", str(connection.port)]
    if connection.user is not None:
        arguments += ["-l", connection.user]
    if connection.private_key is not None:
        # Not -i, which looks for a file of the very name before it reads %% as a per cent sign.
        arguments += _options({"IdentityFile": _quoted(connection.private_key)})
    return arguments


def _checks(connection: Connection) -> dict[str, str]:
    """Return the options that decide whom we talk to, and that nobody is asked anything."""
    options = {
        "StrictHostKeyChecking": "yes",
        "BatchMode": "yes",
        "ConnectTimeout": str(CONNECT_TIMEOUT),
        "ServerAliveInterval": "10",
        "ServerAliveCountMax": "3",
        "ForwardAgent": "no",
        "ForwardX11": "no",
    }
    if connection.known_hosts is not None:
        # Only the pinned key counts: nothing of the system or of DNS may vouch for another one.
        options["UserKnownHostsFile"] = _quoted(connection.known_hosts)
        options["GlobalKnownHostsFile"] = "/dev/null"
        options["KnownHostsCommand"] = "none"
        options["VerifyHostKeyDNS"] = "no"
        options["UpdateHostKeys"] = "no"
    if connection.host_key_alias is not None:
        options["HostKeyAlias"] = connection.host_key_alias
    if connection.private_key is not None:
        options["IdentitiesOnly"] = "yes"
    return options


def _proxy(connection: Connection) -> dict[str, str]:
    """Return how to pass through the jump host. Not ProxyJump: that would check the jump host by other rules."""
    jump = connection.jump
    if jump is None:
        return {}
    _require_safe(jump)
    checks = _options({**_checks(jump), "ControlPath": "none", **_proxy(jump)})
    destination = f"[{connection.address}]:{connection.port or 22}"
    command = ["ssh", *checks, *_login(jump), "-W", destination, "--", jump.address]
    return {"ProxyCommand": shlex.join(command).replace("%", "%%")}


def _options(options: Mapping[str, str]) -> list[str]:
    return [argument for name, value in options.items() for argument in ("-o", f"{name}={value}")]


def _quoted(path: Path) -> str:
    """Return a path as ssh reads it in an option: no blank splits it, no ``%`` is a token."""
    text = str(path)
    if '"' in text or "${" in text or "\\" in text or any(ord(c) < 0x20 for c in text):
        hint = "move the home or cache directory, or set XDG_CACHE_HOME"
        raise OperationError(f"ssh cannot be given the path {text}", hint, "bad-path")
    return '"' + text.replace("%", "%%") + '"'


def _require_safe(connection: Connection) -> None:
    """Refuse what ssh could take for an option or a shell for code; the lab's record was not checked before."""
    if connection.local:
        raise OperationError("a local host is not reached by ssh", "run the command here", "local-host")
    if not _ADDRESS.fullmatch(connection.address):
        raise OperationError(f'"{connection.address}" is not an address', "", "bad-address")
    if connection.user is not None and not _USER.fullmatch(connection.user):
        raise OperationError(f'"{connection.user}" is not a user name', "", "bad-name")


def _control_name(connection: Connection) -> str:
    """Return the name of the socket: another key, user or way there is another connection, never a kept one."""
    known = connection.known_hosts
    key = known.read_bytes() if known is not None and known.is_file() else b""
    return hashlib.sha256(repr(connection).encode() + key).hexdigest()[:CONTROL_NAME_LENGTH]


def _write_known_hosts(alias: str, key: str) -> Path:
    """Return a file that knows one key for one alias. Its name depends on its content, so it never changes."""
    content = f"{alias} {key}\n".encode()
    directory = cache_directory() / "known_hosts"
    path = directory / f"{alias}.{hashlib.sha256(content).hexdigest()[:16]}"
    try:
        if path.is_file() and path.read_bytes() == content:
            return path
        if not make_private(directory):
            raise PermissionError(f"{directory} is not ours")
        descriptor, temporary = tempfile.mkstemp(dir=directory, prefix=".new-")
        try:
            with os.fdopen(descriptor, "wb") as stream:
                stream.write(content)
            os.replace(temporary, path)
        except OSError:
            os.unlink(temporary)
            raise
    except OSError as error:
        hint = "make it writable, or set XDG_CACHE_HOME"
        raise OperationError(f"cannot keep the host key in {directory}: {error}", hint, "no-cache") from error
    return path
