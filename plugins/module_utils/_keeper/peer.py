# Copyright: Watchbill contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Who is at the other end of a socket: what the kernel says of the process that connected, never what it says itself.

Agents of one tenant are one Linux user, who can do to its own processes what it likes: between them, this protects
against mistakes and against what somebody wrote into a prompt, not against a program that moves itself.
"""

from __future__ import annotations

import _socket
import os
import re
import typing as t

from .._messages.address import Address, parse_address, person
from .processes import wait_readable

SO_PEERPIDFD = 77
"""Since Linux 6.5; Python has no name for it yet."""
UNIT = re.compile(r"/watchbill-(?:session|agent)@([a-z0-9][a-z0-9-]{0,62})\.service(?:/|$)")
OURS = re.compile(r"/watchbill(?:-[^/]*)?\.slice(?:/|$)")
CGROUP_LIMIT = 64 * 1024


class UnknownPeer(Exception):
    """Nobody can say who is there."""


class Peer(t.NamedTuple):
    """A process: its user, the agent whose unit it is in (None outside of any), whether it is in a slice of ours."""

    uid: int
    agent: str | None
    is_inside: bool


class Place(t.NamedTuple):
    """Where messages are taken: the address of the agent, whose user that is, and whether root has no part in it."""

    address: Address
    uid: int
    rootless: bool


def peer_of(connection: _socket.socket) -> Peer:
    """Return who connected.

    :raises UnknownPeer: the process has ended, or is out of sight.
    """
    credentials = connection.getsockopt(_socket.SOL_SOCKET, _socket.SO_PEERCRED, 12)
    pid, uid = (int.from_bytes(credentials[at : at + 4], "little", signed=True) for at in (0, 4))
    if uid == 0:
        return Peer(uid, None, False)
    try:
        process = _process_of(connection, pid)
    except OSError as error:
        raise UnknownPeer("the sender has ended") from error
    try:
        handle = os.open(f"/proc/{pid}/cgroup", os.O_RDONLY | os.O_CLOEXEC)
        try:
            groups = os.read(handle, CGROUP_LIMIT).decode("utf-8", "replace")
        finally:
            os.close(handle)
        if wait_readable(process, 0):
            # Its number may have been another's by the time it was looked up.
            raise UnknownPeer("the sender has ended")
    except OSError as error:
        raise UnknownPeer("the sender cannot be looked up") from error
    finally:
        os.close(process)
    return Peer(uid, *_unit_of(groups))


def _process_of(connection: _socket.socket, pid: int) -> int:
    """Return a descriptor of the process that connected: from the kernel where it gives one, else by its number."""
    try:
        return connection.getsockopt(_socket.SOL_SOCKET, SO_PEERPIDFD)
    except OSError:
        return os.pidfd_open(pid)


def _unit_of(groups: str) -> tuple[str | None, bool]:
    """Return the agent whose unit a process is in by its cgroups, and whether it is in a slice of ours."""
    for line in groups.splitlines():
        number, controllers, path = [*line.split(":", 2), "", ""][:3]
        if number == "0" or controllers == "name=systemd":
            found = UNIT.search(path)
            if found is not None:
                return found[1], True
            if OURS.search(path):
                return None, True
    return None, False


def sender(peer: Peer, said: str | None, place: Place) -> Address:
    """Return from whom a request is.

    :param said: what the request says; believed of root alone, and of a rootless host's only user outside of agents.
    :raises ValueError: what is said is no address, or not for this one to say.
    :raises UnknownPeer: it is some other user.
    """
    here = place.address
    if peer.uid not in (0, place.uid):
        raise UnknownPeer("this is another user's agent")
    if peer.agent is not None:
        known = Address(here.host, here.tenant, peer.agent)
    elif peer.uid == 0 or (place.rootless and not peer.is_inside):
        return person(here.host, "root" if peer.uid == 0 else here.tenant) if said is None else parse_address(said)
    else:
        known = person(here.host, here.tenant)
    if said not in (None, str(known)):
        raise ValueError(f"you are {known}, not {said}")
    return known
