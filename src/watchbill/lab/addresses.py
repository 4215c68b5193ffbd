"""Which address each machine of a lab gets."""

from __future__ import annotations

import hashlib
import ipaddress
from collections.abc import Iterator, Mapping

from watchbill.errors import OperationError

NETWORK = ipaddress.IPv4Network("10.77.0.0/16")
CONTROL = "10.77.255.254"
# Hosts that cannot have their own address are mapped into the upper half: people number by hand from below.
_MAPPED = ipaddress.IPv4Network("10.77.128.0/17")


def assign(fleet: str, hosts: Mapping[str, str], current: Mapping[str, str], held: Mapping[str, str]) -> dict[str, str]:
    """Return an address of the lab's network for every host.

    `hosts` has the addresses of the file, `current` what this lab's machines have already, `held` says for each address
    of another lab which fleet it belongs to. A host inside the network keeps its own address; any other is mapped to a
    free one that depends on fleet and host only, as long as nobody is in the way. Raises OperationError for an address
    that is taken.
    """
    own = {host: address for host, address in hosts.items() if _in_network(address)}
    taken = dict(held)
    for host, address in sorted(own.items()):
        _claim(fleet, host, address, taken)
    result = dict(own)
    for host in sorted(hosts.keys() - own.keys()):
        kept = current.get(host)
        if kept is None or kept in taken:
            kept = next((candidate for candidate in _candidates(fleet, host) if candidate not in taken), None)
        if kept is None:
            raise OperationError(
                f"no address is left for host {host} in {_MAPPED}", "watchbill lab down --all", "address-none"
            )
        taken[kept] = fleet
        result[host] = kept
    return result


def _claim(fleet: str, host: str, address: str, taken: dict[str, str]) -> None:
    if address in (CONTROL, str(NETWORK.network_address), str(NETWORK.broadcast_address)):
        raise OperationError(
            f"host {host} has the address {address}, which the lab's network itself needs",
            f"give it another address in {NETWORK}",
            "address-reserved",
        )
    holder = taken.get(address)
    if holder is not None and holder != fleet:
        raise OperationError(
            f"address {address} of host {host} is held by the lab of fleet {holder}",
            f"watchbill lab down --name {holder}",
            "address-held",
        )
    if holder is not None:
        raise OperationError(
            f"two hosts of fleet {fleet} have the address {address}", "give each its own", "address-twice"
        )
    taken[address] = fleet


def _in_network(address: str) -> bool:
    try:
        return ipaddress.IPv4Address(address) in NETWORK
    except ValueError:
        return False


def _candidates(fleet: str, host: str) -> Iterator[str]:
    """Yield every address a host may be mapped to, beginning at a place that is its own; .0 and .255 confuse people."""
    seed = hashlib.sha256(f"{fleet}\0{host}".encode()).digest()
    size = _MAPPED.num_addresses
    start = int.from_bytes(seed[:4], "big") % size
    for step in range(size):
        candidate = _MAPPED[(start + step) % size]
        if candidate.packed[3] not in (0, 255) and str(candidate) != CONTROL:
            yield str(candidate)
