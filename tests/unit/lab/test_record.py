"""What a lab remembers, and who may ask."""

from __future__ import annotations

import stat
import subprocess
import sys
from pathlib import Path

import pytest

from watchbill.errors import OperationError
from watchbill.lab import LabTarget, targets
from watchbill.lab.record import LabRecord, MachineRecord, Store


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store(tmp_path / "state")


def test_targets_say_how_to_reach_every_machine(store: Store) -> None:
    machine = MachineRecord("desk", "10.77.0.11", "192.0.2.1", "base-1")
    store.write(LabRecord("home", "/fleet.yaml", {"desk": machine}))
    known = targets("home", store)
    directory = store.root / "labs/home"
    assert known == {"desk": LabTarget("desk", "10.77.0.11", directory / "key", directory / "known_hosts")}
    assert (known["desk"].user, known["desk"].port) == ("root", 22)
    assert machine.mapped


def test_lab_that_is_not_up_is_an_error_with_the_command_that_helps(store: Store) -> None:
    with pytest.raises(OperationError) as caught:
        targets("home", store)
    assert caught.value.code == "lab-down"
    assert "watchbill lab up" in caught.value.hint


@pytest.mark.parametrize("name", ["../etc", "", "a/b", "Home", "a--b", "a-", ".", "x" * 33, "a\n"])
def test_name_that_is_no_name_never_becomes_a_path(store: Store, name: str) -> None:
    with pytest.raises(OperationError):
        store.lab(name)


def test_state_is_closed_to_everybody_else(store: Store) -> None:
    with store.lock():
        assert stat.S_IMODE(store.root.stat().st_mode) == 0o700


@pytest.mark.parametrize("text", ["{", "[]", "{}", '{"fleet": "home", "file": "f", "machines": {"desk": {"port": 1}}}'])
def test_damaged_record_is_an_error_with_the_command_that_helps(store: Store, text: str) -> None:
    store.write(LabRecord("home", "/fleet.yaml"))
    (store.lab("home") / "lab.json").write_text(text)
    with pytest.raises(OperationError) as caught:
        store.read("home")
    assert "lab down --name home" in caught.value.hint


def test_import_for_targets_is_cheap() -> None:
    code = "import sys, watchbill.lab; print([m for m in ('typer', 'rich', 'pydantic', 'yaml') if m in sys.modules])"
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert result.stdout.strip() == "[]"
