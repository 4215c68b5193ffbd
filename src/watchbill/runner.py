"""Run one of Watchbill's own playbooks with ansible-runner, and hear what happens as typed events.

Nothing around it can change what runs: the playbook, the collection and Ansible itself come from the installation that
this module belongs to; an ansible.cfg or ANSIBLE_* variable of whoever calls is not read.
"""

from __future__ import annotations

import json
import os
import signal
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from watchbill.errors import OperationError, visible

RECONCILE = "watchbill.fleet.reconcile"
RUNTIME = "watchbill.fleet.runtime"
MOST_FORKS = 50
# How long ansible-runner waits for output before it asks whether to stop.
_POLL_SECONDS = 0.5
# After an interrupt: when workers that are left are told once more, and when everything is killed.
_SECOND_CALL_SECONDS = 2.0
_PATIENCE_SECONDS = 15.0
# What an operator may have set for this machine and this network; every other ANSIBLE_* variable would change what a
# playbook does.
_KEPT_VARIABLES = frozenset(
    {"ANSIBLE_HOME", "ANSIBLE_LOCAL_TEMP", "ANSIBLE_LOG_PATH", "ANSIBLE_REMOTE_TEMP", "ANSIBLE_TIMEOUT"}
)


@dataclass(frozen=True)
class Event:
    """Something that happened while a playbook ran."""


@dataclass(frozen=True)
class TaskStarted(Event):
    """A task begins, on all hosts that take part. `phase` is the role it belongs to, or None."""

    task: str
    phase: str | None


@dataclass(frozen=True)
class HostStarted(Event):
    """A task begins on one host."""

    host: str
    task: str
    phase: str | None


@dataclass(frozen=True)
class HostResult(Event):
    """A task is done on one host. `answer` is what the reconcile module said, and None for every other module."""

    host: str
    task: str
    phase: str | None
    changed: bool
    answer: Mapping[str, Any] | None


@dataclass(frozen=True)
class HostFailed(Event):
    """A task failed on one host, and the play is over for it. `answer` as in HostResult."""

    host: str
    task: str
    phase: str | None
    message: str
    answer: Mapping[str, Any] | None


@dataclass(frozen=True)
class RuntimeInstalled(Event):
    """A host got a version of a runtime: `runtime` is its name and version."""

    host: str
    runtime: str


@dataclass(frozen=True)
class HostUnreachable(Event):
    """A host could not be asked."""

    host: str
    task: str
    message: str


OnEvent = Callable[[Event], None]


@dataclass
class PlaybookResult:
    """How a playbook ended.

    `answers` has, for each host, what reconcile answered, oldest first. `failed` and `unreachable` have the event that
    ended the play for a host. `return_code` is Ansible's own; `output` is the end of what it printed, for when nothing
    else explains a failure.
    """

    return_code: int
    interrupted: bool
    output: str
    answers: dict[str, list[Mapping[str, Any]]] = field(default_factory=dict)
    failed: dict[str, HostFailed] = field(default_factory=dict)
    unreachable: dict[str, HostUnreachable] = field(default_factory=dict)

    @property
    def reason(self) -> str:
        """Why Ansible itself gave up, in one line: its last error, else the last it said."""
        lines = self.output.splitlines()
        errors = [line for line in lines if line.startswith(("[ERROR]:", "ERROR!"))]
        told = errors[-1:] if errors and "Unexpected Exception" not in errors[-1] else lines[-1:]
        return told[0].removeprefix("[ERROR]:").strip()[:500] if told else "it said nothing"


def run_playbook(
    name: str,
    fleet_path: Path,
    *,
    hosts: Sequence[str],
    lab: bool = False,
    limited: bool = False,
    extra_vars: Mapping[str, Any] | None = None,
    check: bool = False,
    diff: bool = False,
    variables: Mapping[str, str | None] | None = None,
    on_event: OnEvent | None = None,
) -> PlaybookResult:
    """Run the playbook `watchbill.fleet.NAME` on `hosts` and return how it ended.

    `limited` says that `hosts` are not all of the fleet. `variables` are set in Ansible's environment; None takes one
    away: ansible-runner writes that environment into a file, which is gone with the run. An interrupt (SIGINT) ends the
    playbook in an orderly way, a second one at once; the result says so in `interrupted`. Without hosts nothing is run.
    Raises OperationError when Ansible could not start.
    """
    if not hosts:
        return PlaybookResult(return_code=0, interrupted=False, output="")
    from ansible_runner import Runner, RunnerConfig

    with tempfile.TemporaryDirectory(prefix="watchbill-", ignore_cleanup_errors=True) as directory:
        configuration = RunnerConfig(
            private_data_dir=directory,
            playbook=f"watchbill.fleet.{name}",
            inventory=str(fleet_path.resolve()),
            limit=",".join(hosts) if limited else None,
            forks=max(1, min(MOST_FORKS, len(hosts))),
            cmdline=" ".join(option for option, wanted in (("--check", check), ("--diff", diff)) if wanted) or None,
            quiet=True,
            ident="run",
        )
        _write_inputs(Path(directory), extra_vars or {})
        configuration.prepare()
        configuration.env = _environment(configuration.env, Path(directory), lab)
        for variable, value in (variables or {}).items():
            configuration.env.pop(variable, None)
            if value is not None:
                configuration.env[variable] = value
        # A file without the line `plugin: watchbill.fleet.fleet` is a fleet file, too, when we say so.
        configuration.env["WATCHBILL_FLEET_FILE"] = str(fleet_path.resolve())
        collector = _Collector(on_event)
        with _interruptible(collector):
            runner = Runner(configuration, event_handler=collector.take, cancel_callback=collector.must_be_killed)
            runner.run()
        if collector.error is not None:
            raise collector.error
        result = collector.result
        result.return_code = runner.rc
        result.output = _tail(Path(directory) / "artifacts" / "run" / "stdout")
    if runner.rc == 127 or (not collector.began and not result.interrupted):
        raise OperationError(
            f"Ansible could not run watchbill.fleet.{name}: {result.reason}",
            "try: ansible-playbook --version, then watchbill validate",
            "ansible",
        )
    return result


def _write_inputs(directory: Path, extra_vars: Mapping[str, Any]) -> None:
    """Put variables and settings where ansible-runner takes them from.

    Variables are in a file because arguments can be read by everybody on this machine; settings because ansible-runner
    forgets those it is given otherwise.
    """
    (directory / "env").mkdir(mode=0o700)
    (directory / "env" / "extravars").write_text(json.dumps(dict(extra_vars)))
    (directory / "env" / "settings").write_text(json.dumps({"pexpect_timeout": _POLL_SECONDS}))


def _environment(inherited: Mapping[str, str], directory: Path, lab: bool) -> dict[str, str]:
    """Return the environment of ansible-playbook: ours, and nothing of Ansible's that happened to be set."""
    from ansible_runner.utils import get_callback_dir

    programs = str(Path(sys.executable).parent)
    own_configuration = directory / "ansible.cfg"
    own_configuration.write_text("")
    kept = {
        name: value for name, value in inherited.items() if not name.startswith("ANSIBLE_") or name in _KEPT_VARIABLES
    }
    return kept | {
        "PATH": os.pathsep.join([programs, inherited.get("PATH", os.defpath)]),
        # ansible-runner hears events through this callback.
        "ANSIBLE_CALLBACK_PLUGINS": get_callback_dir(),
        "ANSIBLE_STDOUT_CALLBACK": "awx_display",
        "ORIGINAL_STDOUT_CALLBACK": "default",
        "ANSIBLE_CONFIG": str(own_configuration),
        "ANSIBLE_COLLECTIONS_PATH": str(collection_root()),
        "ANSIBLE_HOST_KEY_CHECKING": "True",
        "ANSIBLE_INVENTORY_ENABLED": "watchbill.fleet.fleet",
        "ANSIBLE_INVENTORY_ANY_UNPARSED_IS_FAILED": "True",
        "ANSIBLE_NOCOLOR": "True",
        "ANSIBLE_PIPELINING": "True",
        "ANSIBLE_RETRY_FILES_ENABLED": "False",
        # A key with a passphrase and no agent is an error here, not a question nobody sees.
        "ANSIBLE_SSH_EXTRA_ARGS": "-o BatchMode=yes",
        # Ansible refuses to start in the C locale, as cron and services have it, and in one that is not installed here,
        # as a login by ssh may bring it along.
        "LC_ALL": "C.UTF-8",
        "WATCHBILL_LAB": "1" if lab else "0",
    }


def collection_root() -> Path:
    """Return the directory whose `ansible_collections` holds the collection that came with this very package.

    Ansible prefers collections in home directories over installed ones; an older one there must not be the one that
    runs. Raises OperationError when there is none.
    """
    beside = str(Path(__file__).resolve().parent.parent)
    for entry in (beside, *sys.path):
        if entry and (Path(entry) / "ansible_collections" / "watchbill" / "fleet" / "playbooks").is_dir():
            return Path(entry).resolve()
    raise OperationError(
        "the collection watchbill.fleet is not installed beside watchbill",
        "pip install --force-reinstall watchbill",
        "ansible",
    )


def _tail(path: Path, most: int = 4000) -> str:
    """Return the end of what Ansible printed, at most `most` characters, safe to show."""
    if not path.exists():
        return ""
    text = path.read_text(errors="replace")[-most:]
    return "\n".join(visible(line) for line in text.splitlines() if line.strip())


class _Collector:
    """Turns ansible-runner's event dictionaries into typed events and the result, and knows how to stop Ansible."""

    def __init__(self, on_event: OnEvent | None) -> None:
        self.result = PlaybookResult(return_code=-1, interrupted=False, output="")
        self.began = False
        self.error: Exception | None = None
        self._kill = False
        self._stopped_at: float | None = None
        self._pid: int | None = None
        self._on_event = on_event

    def take(self, data: Mapping[str, Any]) -> bool:
        """Handle one event; returns False, so that ansible-runner writes no file for it."""
        if data.get("event") == "playbook_on_play_start":
            self.began = True
        if self._pid is None and isinstance(data.get("pid"), int):
            self._pid = data["pid"]
        event = self._typed(str(data.get("event")), data.get("event_data") or {})
        if event is not None and self._on_event is not None and self.error is None:
            try:
                self._on_event(event)
            except Exception as error:  # noqa: BLE001 - raised again once Ansible, which must not be left behind, has ended
                self.error = error
                self.stop()
        return False

    def stop(self) -> None:
        """End the playbook: in Ansible's own way the first time, at once the second time.

        ansible-runner starts Ansible in a session of its own, so that the terminal's interrupt does not reach it by
        itself. Its pid is known from its first event on; before that nothing has happened on any host.
        """
        again = self.result.interrupted
        self.result.interrupted = True
        self._stopped_at = self._stopped_at or time.monotonic()
        if again or self._pid is None:
            self._kill = True
        else:
            os.kill(self._pid, signal.SIGINT)

    def must_be_killed(self) -> bool:
        """Return whether Ansible is to be killed; asked by ansible-runner every now and then.

        A worker that was forked at the moment of the interrupt has missed it, and Ansible waits for its workers: those
        that are left are told once more.
        """
        waited = 0.0 if self._stopped_at is None else time.monotonic() - self._stopped_at
        if waited > _SECOND_CALL_SECONDS and self._pid is not None:
            for worker in _children(self._pid):
                with suppress(ProcessLookupError):
                    os.kill(worker, signal.SIGTERM)
        return self._kill or waited > _PATIENCE_SECONDS

    def _typed(self, name: str, details: Mapping[str, Any]) -> Event | None:
        """Return the typed event, or None for those that tell nobody anything; keeps what belongs to the result."""
        task, phase, host = str(details.get("task") or ""), details.get("role"), str(details.get("host"))
        phase = None if phase is None else str(phase).rpartition(".")[2]
        if name == "playbook_on_task_start":
            return TaskStarted(task, phase)
        if name == "runner_on_start":
            return HostStarted(host, task, phase)
        outcome = details.get("res")
        outcome = outcome if isinstance(outcome, Mapping) else {}
        if name == "runner_on_unreachable":
            unreachable = HostUnreachable(host, task, _unreachable_words(_message(outcome)))
            self.result.unreachable[host] = unreachable
            return unreachable
        if name == "runner_item_on_ok" and _module(details) == RUNTIME and outcome.get("changed"):
            return RuntimeInstalled(host, str(outcome.get("_ansible_item_label")))
        if name not in ("runner_on_ok", "runner_on_failed"):
            return None
        answer = outcome if _module(details) == RECONCILE and "actions" in outcome else None
        if answer is not None:
            self.result.answers.setdefault(host, []).append(answer)
        if name == "runner_on_ok" or details.get("ignore_errors"):
            return HostResult(host, task, phase, bool(outcome.get("changed")), answer)
        failed = HostFailed(host, task, phase, _message(outcome), answer)
        self.result.failed[host] = failed
        return failed


def _module(details: Mapping[str, Any]) -> str:
    """Return the full name of the module of a task."""
    return str(details.get("resolved_action", details.get("task_action")))


def _children(pid: int) -> list[int]:
    """Return the processes that a process of ours has started and that still run; none where /proc does not tell."""
    try:
        return [int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]
    except OSError:
        return []


def _unreachable_words(message: str) -> str:
    """Return what ssh said, without what Ansible says about it."""
    _, ssh, words = message.rpartition("ssh: ")
    return (ssh + words).strip() if ssh else message.removeprefix("Task failed: ")


def _message(outcome: Mapping[str, Any]) -> str:
    """Return why a task failed, in one line where the module gave one; for a loop, why each of its items did."""
    items = outcome.get("results")
    if isinstance(items, list):
        # ansible-core 2.21 leaves `failed` out of items; one that failed has an exception then.
        maps = [item for item in items if isinstance(item, Mapping)]
        failed = [_message(item) for item in maps if item.get("failed") or "exception" in item]
        if failed:
            return "; ".join(failed)
    for key in ("msg", "module_stderr", "stderr"):
        text = outcome.get(key)
        if isinstance(text, str) and text.strip():
            return text.strip()
    return "failed without a message"


@contextmanager
def _interruptible(collector: _Collector) -> Iterator[None]:
    """While inside, SIGINT and SIGTERM end the playbook instead of this process (only the main thread may ask for
    signals).
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return

    def on_signal(_number: int, _frame: object) -> None:
        collector.stop()

    previous = {number: signal.signal(number, on_signal) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield
    finally:
        for number, handler in previous.items():
            signal.signal(number, handler)
