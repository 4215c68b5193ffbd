"""The controller half of a reconcile: check mode says what an apply would say, removal means removal."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from ansible.errors import AnsibleActionFail
from ansible.plugins.action import ActionBase
from ansible_collections.watchbill.fleet.plugins.action import runtime, secret_sources
from ansible_collections.watchbill.fleet.plugins.action.reconcile import ActionModule

from watchbill.compile import CompiledHost

DELETION = {"action": "delete", "needs_prune": True, "agent": None, "kind": "file", "name": "/a"}
PENDING = {"action": "pending", "needs_prune": False, "agent": "studio/coder0", "kind": "agent", "name": "x"}
UPDATE = {"action": "update", "needs_prune": False, "agent": None, "kind": "file", "name": "/b"}
MANIFEST = {"host": "desk", "policy": {"prune": "never", "max_delete": None}, "resources": [UPDATE], "digest": "0"}


def plugin(**arguments: Any) -> ActionModule:
    made = ActionModule.__new__(ActionModule)
    made._task = SimpleNamespace(args=arguments, check_mode=True, diff=False)
    made._variables = {"inventory_hostname": "desk"}
    return made


def looked(made: ActionModule, *actions: dict[str, Any], problems: tuple[Any, ...] = ()) -> dict[str, Any]:
    answer = {"actions": list(actions), "differs": True, "needs": [], "problems": list(problems), "refused": []}
    return made._looked(CompiledHost(MANIFEST, {}), answer, {})


@pytest.mark.parametrize(
    ("arguments", "actions", "changed"),
    [
        ({}, [UPDATE], True),
        ({}, [DELETION], False),
        ({"prune": True}, [DELETION], True),
        ({"prune": True}, [PENDING], False),
        ({"observe": True}, [UPDATE], False),
        ({"release": True}, [UPDATE], False),
        ({"release": True}, [{**UPDATE, "action": "move"}], True),
    ],
)
def test_check_mode_says_changed_exactly_where_an_apply_would_change(
    arguments: dict[str, Any], actions: list[dict[str, Any]], changed: bool
) -> None:
    assert looked(plugin(**arguments), *actions)["changed"] is changed


def test_check_mode_fails_where_an_apply_would_refuse_and_a_look_does_not() -> None:
    problem = {"message": "this machine is fleet 'other'"}
    checked = looked(plugin(), UPDATE, problems=(problem,))
    assert (checked["failed"], checked["msg"]) == (True, problem["message"])
    assert "failed" not in looked(plugin(observe=True), UPDATE, problems=(problem,))


def test_removal_deletes_also_where_the_policy_is_never_to_prune(monkeypatch: pytest.MonkeyPatch) -> None:
    made = plugin(remove=True)
    monkeypatch.setattr(
        "ansible_collections.watchbill.fleet.plugins.action.reconcile.compile_host",
        lambda fleet, host: CompiledHost(MANIFEST, {"0": b""}),
    )
    compiled = made._compiled(SimpleNamespace(hosts={"desk": None}))
    assert (compiled.manifest["resources"], compiled.manifest["policy"]["prune"]) == ([], "ask")


def test_host_that_never_stays_as_it_was_seen_is_no_success(monkeypatch: pytest.MonkeyPatch) -> None:
    made = plugin(
        observation={"actions": [], "differs": True, "needs": [], "needs_secrets": [], "problems": [], "leaving": []}
    )
    made._task.check_mode = False
    answer = {"actions": [], "differs": True, "needs": ["0"], "needs_secrets": [], "problems": [], "applied": False}
    monkeypatch.setattr(ActionBase, "run", lambda self, tmp, task_vars: {})
    monkeypatch.setattr(made, "_fleet", lambda: SimpleNamespace(agents=[]))
    monkeypatch.setattr(made, "_compiled", lambda fleet: CompiledHost(MANIFEST, {}))
    monkeypatch.setattr(made, "_call", lambda compiled, arguments: answer)
    with pytest.raises(AnsibleActionFail, match="changes faster"):
        made.run(task_vars={})


@pytest.mark.parametrize("observe", [True, False])
def test_agent_is_known_to_move_also_where_nothing_is_ever_pruned(
    monkeypatch: pytest.MonkeyPatch, observe: bool
) -> None:
    """Else its new host would start it, and the old one would keep it."""
    fleet = SimpleNamespace(agents=[SimpleNamespace(tenant="studio", name="coder0", host="attic")])
    made = plugin(observe=observe)
    made._task.check_mode = False
    asked: list[dict[str, Any]] = []

    def call(compiled: CompiledHost, arguments: dict[str, Any]) -> dict[str, Any]:
        asked.append(arguments)
        return {
            "actions": [],
            "differs": False,
            "needs": [],
            "needs_secrets": [],
            "leaving": ["studio/coder0", "studio/gone"],
        }

    monkeypatch.setattr(ActionBase, "run", lambda self, tmp, task_vars: {})
    monkeypatch.setattr(made, "_fleet", lambda: fleet)
    monkeypatch.setattr(made, "_compiled", lambda fleet: CompiledHost(MANIFEST, {}))
    monkeypatch.setattr(made, "_call", call)
    made.run(task_vars={"inventory_hostname": "desk"})
    assert asked[1]["moves"] == {"studio/coder0": "attic"}


@pytest.mark.parametrize(
    ("name", "version", "refused"),
    [("pi", "0.74.2", False), ("pi", "0.1.0", True), ("claude", "0.74.2", True), ("pi", "../../x", True)],
)
def test_host_that_asks_for_another_runtime_than_the_file_pins_gets_none(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str, version: str, refused: bool
) -> None:
    path = tmp_path / "fleet.yaml"
    path.write_text(
        "version: 1\nfleet: {name: x}\ntenants: {studio: {uid: 20001, floor: none}}\nteams: {app: {tenant: studio}}\n"
        "hosts: {desk: {address: 192.0.2.1, slots: 2}}\nruntimes: {pi: {version: 0.74.2}}\n"
        "roster: [{name: a, team: app, role: coder, runtime: pi}, {name: b, team: app, role: coder, runtime: claude}]\n"
    )
    sent: list[str] = []
    monkeypatch.setattr(runtime.ActionModule, "_package", lambda *_: "package")
    monkeypatch.setattr(runtime.ActionModule, "_install", lambda _self, package, *_: sent.append(package) or {})
    monkeypatch.setattr(ActionBase, "run", lambda *_: {})
    made = runtime.ActionModule.__new__(runtime.ActionModule)
    platform = {"os": "linux", "cpu": "x64", "libc": "glibc"}
    arguments = {"name": name, "version": version, "pinned": True, "platform": platform}
    made._task = SimpleNamespace(args=arguments, check_mode=False)
    variables = {"inventory_hostname": "desk", "watchbill_fleet_file": str(path)}
    if refused:
        with pytest.raises(AnsibleActionFail, match="does not pin"):
            made.run(task_vars=variables)
    else:
        made.run(task_vars=variables)
    assert sent == ([] if refused else ["package"])


@pytest.mark.parametrize("wanted", ["others/theirs", "studio/theirs", "others/ours"])
def test_host_that_asks_for_secrets_of_others_gets_none(monkeypatch: pytest.MonkeyPatch, wanted: str) -> None:
    """A host that somebody broke into must not be handed what only other hosts have."""
    monkeypatch.setattr("ansible_collections.watchbill.fleet.plugins.action.reconcile.fetch", lambda *_: b"value")
    made = plugin()
    made._connection = SimpleNamespace(is_pipelining_enabled=lambda wrap_async: True)
    ours = {"kind": "file", "name": "/s", "tenant": "studio", "secret": "ours", "version": 1}
    compiled = CompiledHost({**MANIFEST, "resources": [UPDATE, ours]}, {})
    given = made._secrets(SimpleNamespace(), compiled, {"needs_secrets": ["studio/ours"]})
    assert given == {"studio/ours": "dmFsdWU="}
    with pytest.raises(AnsibleActionFail, match=f"no part in: {wanted}; none was sent"):
        made._secrets(SimpleNamespace(), compiled, {"needs_secrets": ["studio/ours", wanted]})


def test_secret_that_only_the_host_knows_of_is_told_and_not_looked_for(tmp_path: Path) -> None:
    path = tmp_path / "fleet.yaml"
    path.write_text(
        "version: 1\nfleet: {name: x}\ntenants: {studio: {uid: 20001, floor: none}}\n"
        "teams: {app: {tenant: studio}}\nhosts: {desk: {address: 192.0.2.1, slots: 2}}\n"
        "roster: [{name: a, team: app, role: coder, runtime: stub}]\n"
    )
    made = secret_sources.ActionModule.__new__(secret_sources.ActionModule)
    arguments = {"observation": {"needs_secrets": ["studio/x"]}, "fleet_file": str(path)}
    made._task = SimpleNamespace(args=arguments, check_mode=False)
    with (
        pytest.MonkeyPatch.context() as patch,
        pytest.raises(AnsibleActionFail, match=r'secret "x", which the fleet file'),
    ):
        patch.setattr(ActionBase, "run", lambda *_: {})
        made.run(task_vars={})
