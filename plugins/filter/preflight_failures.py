# Copyright: Watchbill contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Filter ``watchbill.fleet.preflight_failures``: judge what an observation says about a host."""

from __future__ import annotations

DOCUMENTATION = r"""
name: preflight_failures
short_description: Why Watchbill cannot work on a host
version_added: "0.1.0"
description:
  - Judges the result of M(watchbill.fleet.reconcile) for one host.
  - The role P(watchbill.fleet.preflight#role) fails with what it returns.
positional: _input
options:
  _input:
    description: The registered observation.
    type: dict
    required: true
  python:
    description: Oldest Python.
    type: str
    required: true
  systemd:
    description: Oldest systemd.
    type: int
    required: true
  tmux:
    description: Oldest tmux; a missing one is installed later.
    type: str
    required: true
  disk_mb:
    description: Megabytes that must be free.
    type: int
    required: true
  clock_tolerance:
    description: Seconds that the host's clock may differ from the controller's.
    type: int
    required: true
"""

EXAMPLES = r"""
- ansible.builtin.debug:
    msg: >-
      {{ watchbill_observation | watchbill.fleet.preflight_failures(
           python='3.9', systemd=247, tmux='3.2', disk_mb=100, clock_tolerance=120) }}
"""

RETURN = r"""
_value:
  description: One sentence for each reason, none for a host that is fit.
  type: list
  elements: str
"""

import re
import typing as t

MEGABYTE = 1024 * 1024


def preflight_failures(
    observation: dict[str, t.Any], python: str, systemd: int, tmux: str, disk_mb: int, clock_tolerance: int
) -> list[str]:
    """Return one sentence for each reason why the observed host cannot carry agents."""
    # A host half that refuses says nothing else about its host.
    if observation["problems"]:
        return [problem["message"] for problem in observation["problems"]]
    facts = observation["preflight"]
    failures = []
    if _older(facts["python"], python):
        failures.append(f"Python {facts['python']} is too old, {python} is needed")
    if facts["systemd"] is None or _older(facts["systemd"], str(systemd)):
        failures.append(f"systemd {facts['systemd'] or 'is missing'}: {systemd} or newer is needed")
    if facts["tmux"] is not None and _older(facts["tmux"], tmux):
        failures.append(f"tmux {facts['tmux']} is too old, {tmux} is needed")
    if facts["disk_free"] < disk_mb * MEGABYTE:
        failures.append(f"{facts['disk_free'] // MEGABYTE} MB are free, {disk_mb} MB are needed")
    if abs(facts["clock_difference"]) > clock_tolerance:
        seconds = round(facts["clock_difference"])
        failures.append(f"the clock is {seconds} s off the controller's: set up time synchronisation")
    if facts["packages_missing"] and facts["rootless"]:
        failures.append(f"missing here, and only root can install it: {' '.join(facts['packages_missing'])}")
    clashes = ", ".join(f"{clash['uid']} {clash['holder']}" for clash in facts["uid_clashes"])
    if clashes:
        failures.append(f"these uids belong to others here: {clashes}")
    return failures


def _older(version: str, minimum: str) -> bool:
    return _numbers(version) < _numbers(minimum)


def _numbers(version: str) -> list[int]:
    return [int(number) for number in re.findall(r"\d+", version)]


class FilterModule:
    """What Ansible looks for in this file."""

    def filters(self) -> dict[str, t.Callable[..., list[str]]]:
        """Return the filter by name."""
        return {"preflight_failures": preflight_failures}
