"""The inventory plugin, as Ansible itself runs it."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parents[2]
PROGRAMS = Path(sys.executable).parent
FOUNDATION = ROOT / "inventories" / "foundation" / "fleet.yaml"
REACH = """\
plugin: watchbill.fleet.fleet
version: 1
fleet: {name: reach}
tenants: {studio: {uid: 20001, floor: none}, idle-one: {uid: 20002}}
hosts:
  desk: {address: 192.0.2.1, slots: 2, labels: {zone: "eu-1.a"}, connect: {user: ops, port: 2222, become: false}}
  inner: {address: "2001:db8::7", slots: 1, connect: {user: root, jump: desk}}
  here: {address: local, slots: 1, rootless: true}
teams:
  web-shop: {tenant: studio, mission: "{{ lookup('pipe', 'touch hacked') }}"}
roster:
  - {name: coder, count: 2, team: web-shop, role: coder, runtime: stub, host: desk, env: {A: "{{ 1 + 1 }}"}}
"""


def run(program: str, *arguments: str, cwd: Path, **env: str) -> subprocess.CompletedProcess[str]:
    """Run one of Ansible's programs far from this repository, with no configuration but the given one."""
    nothing = cwd / "nothing.cfg"
    nothing.touch()
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("ANSIBLE_", "WATCHBILL_"))}
    return subprocess.run(
        [str(PROGRAMS / program), *arguments],
        cwd=cwd,
        env={
            **kept,
            "ANSIBLE_CONFIG": str(nothing),
            "ANSIBLE_NOCOLOR": "1",
            "COLUMNS": "200",
            "LC_ALL": "C.UTF-8",
            **env,
        },
        capture_output=True,
        text=True,
        check=False,
    )


def inventory(path: Path, cwd: Path, **env: str) -> dict[str, Any]:
    """Return what ``ansible-inventory --list`` says."""
    listed = run("ansible-inventory", "-i", str(path), "--list", cwd=cwd, **env)
    assert listed.returncode == 0, listed.stderr
    assert "WARNING" not in listed.stderr
    result: dict[str, Any] = json.loads(listed.stdout)
    return result


@pytest.fixture
def reach(tmp_path: Path) -> Path:
    path = tmp_path / "fleet.yaml"
    path.write_text(REACH)
    return path


def test_graph_shows_hosts_by_tenant_team_and_label(tmp_path: Path) -> None:
    graph = run("ansible-inventory", "-i", str(FOUNDATION), "--graph", cwd=tmp_path)
    assert graph.returncode == 0
    assert graph.stdout == (
        "@all:\n  |--@ungrouped:\n"
        "  |--@label_disk_fast:\n  |  |--desk\n"
        "  |--@label_zone_home:\n  |  |--attic\n  |  |--desk\n"
        "  |--@team_app:\n  |  |--attic\n  |  |--desk\n"
        "  |--@team_guest:\n  |  |--attic\n"
        "  |--@tenant_guests:\n  |  |--attic\n"
        "  |--@tenant_studio:\n  |  |--attic\n  |  |--desk\n"
    )


def test_names_of_groups_are_safe_and_empty_groups_exist(reach: Path, tmp_path: Path) -> None:
    listed = inventory(reach, tmp_path)
    assert listed["team_web_shop"]["hosts"] == ["desk"]
    assert listed["label_zone_eu_1_a"]["hosts"] == ["desk"]
    assert "tenant_idle_one" in listed["all"]["children"]


def test_connection_variables_come_from_the_file(reach: Path, tmp_path: Path) -> None:
    variables = inventory(reach, tmp_path)["_meta"]["hostvars"]
    desk, inner, here = (variables[name] for name in ("desk", "inner", "here"))
    assert (desk["ansible_host"], desk["ansible_port"], desk["ansible_user"]) == ("192.0.2.1", 2222, "ops")
    assert desk["ansible_become"] is False
    assert desk["ansible_pipelining"] is True
    assert desk["ansible_python_interpreter"] == "/usr/bin/python3"
    assert (inner["ansible_host"], inner["ansible_user"]) == ("2001:db8::7", "root")
    # Root needs no variable for becoming root, and a play of the user's own may become somebody else.
    assert not {"ansible_port", "ansible_become"} & set(inner)
    assert "-W '\"'\"'[2001:db8::7]:22'\"'\"' -- 192.0.2.1" in inner["ansible_ssh_common_args"]
    assert here["ansible_connection"] == "local"
    assert Path(here["ansible_python_interpreter"]).resolve() == Path(sys.executable).resolve()
    for host in (desk, inner, here):
        assert host["watchbill_fleet_file"] == str(reach)
        assert host["watchbill_fleet_name"] == "reach"
        assert host["watchbill_lab"] is False


def test_no_configuration_of_ansible_switches_the_check_of_host_keys_off(reach: Path, tmp_path: Path) -> None:
    (tmp_path / "ansible.cfg").write_text(
        "[defaults]\nhost_key_checking = False\n[ssh_connection]\nssh_args = -o StrictHostKeyChecking=no\n"
    )
    (tmp_path / "bin").mkdir()
    fake = tmp_path / "bin" / "ssh"
    fake.write_text(f'#!/bin/sh\nprintf "%s\\n" "$@" >> {tmp_path}/arguments\nexit 255\n')
    fake.chmod(0o755)
    run(
        "ansible",
        *("-i", str(reach), "desk", "-m", "ansible.builtin.raw", "-a", "true"),
        cwd=tmp_path,
        ANSIBLE_CONFIG=str(tmp_path / "ansible.cfg"),
        ANSIBLE_HOST_KEY_CHECKING="False",
        PATH=f"{tmp_path}/bin:{os.environ['PATH']}",
    )
    arguments = (tmp_path / "arguments").read_text().splitlines()
    checking = [argument for argument in arguments if argument.startswith("StrictHostKeyChecking=")]
    # ssh takes the first value that it is given.
    assert checking[0] == "StrictHostKeyChecking=yes"
    assert "BatchMode=yes" in arguments


def test_what_looks_like_a_template_stays_text(reach: Path, tmp_path: Path) -> None:
    shown = run(
        "ansible",
        *("-i", str(reach), "here", "-m", "ansible.builtin.debug", "-a", "msg={{ watchbill_fleet_name }}"),
        cwd=tmp_path,
    )
    assert shown.returncode == 0, shown.stderr
    assert '"msg": "reach"' in shown.stdout
    assert not (tmp_path / "hacked").exists()


def test_local_host_runs_here_without_root(reach: Path, tmp_path: Path) -> None:
    pinged = run("ansible", "-i", str(reach), "here", "-m", "ansible.builtin.ping", cwd=tmp_path)
    assert pinged.returncode == 0, pinged.stderr
    assert '"ping": "pong"' in pinged.stdout


def test_every_error_of_the_file_is_one_line(reach: Path, tmp_path: Path) -> None:
    reach.write_text(REACH.replace("slots: 2", "slot: 2").replace("team: web-shop, role", "team: shop, role"))
    failed = run(
        "ansible-inventory", "-i", str(reach), "--graph", cwd=tmp_path, ANSIBLE_INVENTORY_ANY_UNPARSED_IS_FAILED="1"
    )
    assert failed.returncode != 0
    assert "Traceback" not in failed.stderr
    for line in (
        'fleet.yaml:6:3: error[missing-key]: host "desk" needs "slots"',
        'fleet.yaml:6:30: error[unknown-key]: host "desk" has no key "slot"',
        'fleet.yaml:12:35: error[unknown-team]: agent "coder" belongs to team "shop", which does not exist',
    ):
        assert line in failed.stderr


def test_lab_that_is_not_up_is_an_error_with_the_command_that_helps(reach: Path, tmp_path: Path) -> None:
    reach.write_text(REACH.replace("name: reach", "name: never-booted"))
    failed = run(
        "ansible-inventory",
        *("-i", str(reach), "--graph"),
        cwd=tmp_path,
        WATCHBILL_LAB="1",
        ANSIBLE_INVENTORY_ANY_UNPARSED_IS_FAILED="1",
    )
    assert failed.returncode != 0
    assert "lab" in failed.stderr
    assert "192.0.2.1" not in failed.stdout


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("hosts.yaml", "all: {hosts: {one: {}}}\n"),
        ("hosts.ini", "[web]\none\n"),
        ("x.yaml", "a: |\n  plugin: no\nall: {}\n"),
    ],
)
def test_other_inventories_are_left_alone(name: str, content: str, tmp_path: Path) -> None:
    (tmp_path / name).write_text(content)
    run_with = {"ANSIBLE_INVENTORY_ENABLED": "watchbill.fleet.fleet,yaml,ini"}
    listed = run("ansible-inventory", "-i", str(tmp_path / name), "--graph", cwd=tmp_path, **run_with)
    assert listed.returncode == 0
    assert "error[" not in listed.stderr


def test_documentation_prints(tmp_path: Path) -> None:
    shown = run("ansible-doc", "-t", "inventory", "watchbill.fleet.fleet", cwd=tmp_path)
    assert shown.returncode == 0, shown.stderr
    assert "WATCHBILL_LAB" in shown.stdout
    assert "roster:" in shown.stdout


class TestWithoutInstalledPackage:
    """A collection from ansible-galaxy brings its control half along; without one, the error says what to do."""

    @pytest.fixture
    def collection(self, tmp_path: Path) -> Path:
        target = tmp_path / "collections" / "ansible_collections" / "watchbill" / "fleet"
        for part in ("plugins", "meta", "src"):
            shutil.copytree(ROOT / part, target / part, ignore=shutil.ignore_patterns("__pycache__"))
        shutil.copy(ROOT / "galaxy.yml", target)
        return target

    def listed(self, collection: Path, reach: Path, *, hide: str) -> subprocess.CompletedProcess[str]:
        """Run ansible-inventory with this collection, in a Python for which a package is not there."""
        blocker = collection.parents[3] / "hide"
        blocker.mkdir()
        (blocker / "sitecustomize.py").write_text(
            "import sys\n"
            "class Hide:\n"
            "    def find_spec(self, name, path=None, target=None):\n"
            f"        if name.split('.')[0] == {hide!r}:\n"
            "            raise ModuleNotFoundError(f'No module named {name!r}', name=name)\n"
            "sys.meta_path.insert(0, Hide())\n"
            "sys.path[:] = [entry for entry in sys.path if 'main/src' not in entry and '.dev' not in entry]\n"
        )
        return run(
            "ansible-inventory",
            *("-i", str(reach), "--graph"),
            cwd=collection.parents[3],
            ANSIBLE_COLLECTIONS_PATH=str(collection.parents[2]),
            ANSIBLE_COLLECTIONS_SCAN_SYS_PATH="False",
            ANSIBLE_INVENTORY_ANY_UNPARSED_IS_FAILED="1",
            PYTHONPATH=str(blocker),
        )

    def test_control_half_beside_the_collection_is_used(self, collection: Path, reach: Path) -> None:
        marker = collection / "src" / "watchbill" / "fleet" / "__init__.py"
        marker.write_text(marker.read_text() + "\nimport sys\nprint('FROM THE COLLECTION', file=sys.stderr)\n")
        listed = self.listed(collection, reach, hide="nothing")
        assert listed.returncode == 0, listed.stderr
        assert "@team_web_shop" in listed.stdout
        assert "FROM THE COLLECTION" in listed.stderr

    @pytest.mark.parametrize("missing", ["watchbill", "pydantic"])
    def test_missing_package_is_named_with_the_command_that_helps(
        self, collection: Path, reach: Path, missing: str
    ) -> None:
        if missing == "watchbill":
            shutil.rmtree(collection / "src")
        listed = self.listed(collection, reach, hide=missing)
        assert listed.returncode != 0
        assert f"needs the Python package {missing}" in listed.stderr
        assert "pip install watchbill" in listed.stderr
        assert "Traceback" not in listed.stderr
