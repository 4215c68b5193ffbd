"""Which address each machine of a lab gets."""

from __future__ import annotations

import ipaddress

import pytest

from watchbill.errors import OperationError
from watchbill.lab.addresses import CONTROL, NETWORK, assign


def test_address_inside_the_network_is_kept() -> None:
    assert assign("f", {"desk": "10.77.0.11"}, {}, {}) == {"desk": "10.77.0.11"}


@pytest.mark.parametrize("address", ["192.0.2.7", "local", "server.example.org", "2001:db8::1", "10.78.0.1"])
def test_any_other_address_is_mapped_into_the_network(address: str) -> None:
    mapped = assign("f", {"desk": address}, {}, {})["desk"]
    assert ipaddress.IPv4Address(mapped) in NETWORK


def test_mapping_depends_on_fleet_and_host_only() -> None:
    first = assign("f", {"desk": "192.0.2.1", "attic": "192.0.2.2"}, {}, {})
    assert assign("f", {"desk": "198.51.100.9"}, {}, {})["desk"] == first["desk"]
    assert assign("g", {"desk": "192.0.2.1"}, {}, {})["desk"] != first["desk"]
    assert first["desk"] != first["attic"]


def test_mapping_gives_way_to_another_lab_and_then_stays() -> None:
    wish = assign("f", {"desk": "local"}, {}, {})["desk"]
    evaded = assign("f", {"desk": "local"}, {}, {wish: "other"})["desk"]
    assert evaded != wish
    assert assign("f", {"desk": "local"}, {"desk": evaded}, {})["desk"] == evaded


def test_mapping_gives_way_to_an_address_in_the_same_file() -> None:
    wish = assign("f", {"desk": "local"}, {}, {})["desk"]
    both = assign("f", {"desk": "local", "zinc": wish}, {}, {})
    assert both["zinc"] == wish
    assert both["desk"] != wish


def test_thousand_hosts_have_a_thousand_addresses() -> None:
    hosts = {f"host{number}": "local" for number in range(1000)}
    addresses = assign("f", hosts, {}, {}).values()
    assert len(set(addresses)) == 1000
    assert CONTROL not in addresses


def test_address_of_another_lab_is_refused_and_the_lab_named() -> None:
    with pytest.raises(OperationError, match="held by the lab of fleet other") as caught:
        assign("f", {"desk": "10.77.0.11"}, {}, {"10.77.0.11": "other"})
    assert "lab down --name other" in caught.value.hint


@pytest.mark.parametrize("address", [CONTROL, "10.77.0.0", "10.77.255.255"])
def test_address_the_network_needs_is_refused(address: str) -> None:
    with pytest.raises(OperationError) as caught:
        assign("f", {"desk": address}, {}, {})
    assert caught.value.code == "address-reserved"


def test_one_address_for_two_hosts_is_refused() -> None:
    with pytest.raises(OperationError) as caught:
        assign("f", {"desk": "10.77.0.11", "attic": "10.77.0.11"}, {}, {})
    assert caught.value.code == "address-twice"
