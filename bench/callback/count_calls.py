"""Ansible callback that counts what a run really does: tasks, module calls, commands and transfers to each host."""

from __future__ import annotations

import json
import os
import typing as t

from ansible.plugins.action import ActionBase
from ansible.plugins.callback import CallbackBase
from ansible.plugins.connection.ssh import Connection

DOCUMENTATION = """
name: count_calls
type: aggregate
short_description: Count module calls and remote commands
description:
  - Appends one JSON line to the file for each module call, each command and each transfer to a host, and one at the end
    with the number of tasks and what changed.
  - Events of Ansible tell of tasks, not of what travels to a host. So the calls themselves are counted, in the workers.
options:
  log:
    description: The file to append to.
    env:
      - name: COUNT_CALLS_LOG
    type: path
    required: true
"""

_Method = t.Callable[..., t.Any]


def _note(entry: dict[str, t.Any]) -> None:
    """Append one line: short enough that writes of several workers never mix."""
    log = os.open(os.environ["COUNT_CALLS_LOG"], os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
    try:
        os.write(log, json.dumps(entry).encode() + b"\n")
    finally:
        os.close(log)


def _counting_module(original: _Method) -> _Method:
    def execute_module(action: ActionBase, *positional: t.Any, **named: t.Any) -> t.Any:
        module = named.get("module_name") or (positional[0] if positional else None) or action._task.action
        host = (named.get("task_vars") or {}).get("inventory_hostname", action._play_context.remote_addr)
        _note({"call": "module", "name": module, "host": host})
        return original(action, *positional, **named)

    return execute_module


def _counting_connection(kind: str, original: _Method) -> _Method:
    def use_connection(connection: Connection, *positional: t.Any, **named: t.Any) -> t.Any:
        _note({"call": kind, "host": connection.get_option("host")})
        return original(connection, *positional, **named)

    return use_connection


class CallbackModule(CallbackBase):
    """Patches the two places every remote action goes through before the workers are forked."""

    CALLBACK_VERSION = 2.0
    CALLBACK_TYPE = "aggregate"
    CALLBACK_NAME = "count_calls"
    CALLBACK_NEEDS_ENABLED = True

    def __init__(self) -> None:
        super().__init__()
        self.tasks = 0
        ActionBase._execute_module = _counting_module(ActionBase._execute_module)
        Connection.exec_command = _counting_connection("command", Connection.exec_command)
        Connection.put_file = _counting_connection("transfer", Connection.put_file)

    def v2_playbook_on_task_start(self, task: t.Any, is_conditional: bool) -> None:
        """Count a task."""
        self.tasks += 1

    def v2_playbook_on_stats(self, stats: t.Any) -> None:
        """Write the end: what changed and failed on each host."""
        hosts = {host: stats.summarize(host) for host in sorted(stats.processed)}
        _note({"call": "end", "tasks": self.tasks, "hosts": hosts})
