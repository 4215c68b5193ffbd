# Copyright: Watchbill contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Why a manifest is not applied to a host at all: told by a look as well, so that nobody is surprised by an apply."""

from __future__ import annotations

import os
import shutil
import typing as t

from . import _runtime_store, _zones
from ._as_user import has_manager
from ._layout import AGENT_PATH, Layout
from ._manifest import FORMAT_VERSION, VERSION, version_key
from ._observe import Observation
from ._planner import key_of
from ._runtimes import RUNTIMES


def problem(code: str, message: str, hint: str) -> dict[str, str]:
    """Return one reason in the form of an answer."""
    return {"code": code, "message": message, "hint": hint}


def wrong_account(mode: str) -> dict[str, str] | None:
    """Return why the account that we run as cannot do it."""
    if mode == "system" and os.geteuid() != 0:
        return problem("needs-root", "this host is managed as root", "set connect.become, or rootless: true")
    if mode == "rootless" and os.geteuid() == 0:
        return problem("rootless-as-root", "a rootless host is reached as a plain user", "set connect.user")
    return None


def no_manager(layout: Layout) -> dict[str, str] | None:
    """Return why units of a rootless user can neither be seen nor started. Root starts its tenants' managers itself."""
    if layout.mode != "rootless":
        return None
    who = layout.account_of("")
    if has_manager(who):
        return None
    return problem(
        "no-user-manager",
        f"no systemd user manager runs for {who.name}",
        f"log in as {who.name} (su and sudo start none), or as root: loginctl enable-linger {who.name}",
    )


def refusals(
    layout: Layout, manifest: t.Mapping[str, t.Any], last: t.Mapping[str, t.Any], observation: Observation
) -> list[dict[str, str]]:
    """Return why this manifest must not be applied to this host."""
    problems = []
    theirs = str(last.get("product_version", VERSION))
    if version_key(theirs) > version_key(VERSION) or last.get("format_version", 1) > FORMAT_VERSION:
        problems.append(
            problem(
                "newer-host-half",
                f"this host was set up by Watchbill {theirs}, the control half is {VERSION}",
                "upgrade the control half: pip install --upgrade watchbill",
            )
        )
    for field in ("fleet", "host"):
        if last.get(field, manifest[field]) != manifest[field]:
            problems.append(
                problem(
                    f"other-{field}",
                    f"this machine is {field} {last[field]!r}, not {manifest[field]!r}",
                    "check the address; to give it up, run the playbook watchbill.fleet.remove with its old file",
                )
            )
    return problems + _wrong_users(layout, manifest, last, observation)


def protected(actions: t.Iterable[t.Mapping[str, t.Any]]) -> list[dict[str, str]]:
    """Return one reason for each protected agent that left the file. All else is applied, so these are no problems."""
    return [
        problem(
            "protected-agent",
            f"agent {action['name']} left the file, but is protected: it is not deleted",
            "put it back with protect: false, apply, then take it out again; or keep it in the file",
        )
        for action in actions
        if action.get("refused") and action["kind"] == "agent"
    ]


def _wrong_users(
    layout: Layout, manifest: t.Mapping[str, t.Any], last: t.Mapping[str, t.Any], observation: Observation
) -> list[dict[str, str]]:
    """Return which tenants cannot have their account: it is somebody else's, or it is another one than wanted."""
    owned = {key_of(resource) for resource in [*last["resources"], *last["claims"]]}
    problems = []
    for resource in manifest["resources"]:
        state = observation.states.get(key_of(resource))
        if resource["kind"] != "user" or state is None:
            continue
        name = resource["name"]
        if key_of(resource) not in owned and not _has_definitions(layout, name, state["uid"]):
            message = f"user {name} exists and was not made by Watchbill"
            problems.append(problem("foreign-user", message, "name the tenant differently, or remove that user"))
        for field in ("uid", "home"):
            if state[field] != resource[field]:
                message = f"the {field} of user {name} is {state[field]}, not {resource[field]}"
                hint = "Watchbill does not renumber or move accounts: set it back, or name the tenant differently"
                problems.append(problem(f"other-{field}", message, hint))
    return problems


def _has_definitions(layout: Layout, tenant: str, uid: int) -> bool:
    """Return whether root keeps definitions for this account: so it is ours although manifest.json was lost."""
    try:
        status = os.lstat(f"{layout.agents}/{tenant}")
    except FileNotFoundError:
        return False
    return (status.st_uid, status.st_gid) == (0, uid)


def unknown_zones(manifest: t.Mapping[str, t.Any], installing: bool) -> list[dict[str, str]]:
    """Return which schedules this host cannot evaluate: their keepers would neither start nor end anybody.

    :param installing: whether the package that brings zones is going to be installed where it is missing.
    """
    if installing and _zones.lacks_package(manifest):
        return []
    return [
        problem(
            "unknown-timezone",
            f'this host knows no timezone {zone}, which schedule "{schedule}" of {_named(agents)} needs',
            "apt install tzdata there, for old names tzdata-legacy; or write another timezone",
        )
        for (zone, schedule), agents in sorted(_zones.zones_needed(manifest).items())
        if not _zones.is_known(zone)
    ]


def _named(agents: list[str]) -> str:
    return ", ".join(agents[:3]) + (f" and {len(agents) - 3} more" if len(agents) > 3 else "")


def missing_runtimes(layout: Layout, manifest: t.Mapping[str, t.Any], installing: bool) -> list[dict[str, str]]:
    """Return which programs agents shall be and are not here: their sessions would end as soon as they begin.

    :param installing: whether versions that the file pins are going to be installed where they are missing.
    """
    wanted: dict[str, list[str]] = {}
    for resource in manifest["resources"]:
        if resource["kind"] == "agent" and not resource.get("runtime_version") and resource["enabled"]:
            wanted.setdefault(resource["runtime"], []).append(resource["name"])
    problems = []
    for runtime, agents in sorted(wanted.items()):
        program = RUNTIMES[runtime].program
        if program and shutil.which(program, path=AGENT_PATH) is None:
            message = f"runtime {runtime} is not installed on this host; it is wanted by {_named(agents)}"
            hint = (
                f"pin a version in the file (runtimes: {{{runtime}: {{version: …}}}}) and apply installs it; "
                f"or put {program} into /usr/local/bin there, or write enabled: false"
            )
            problems.append(problem("runtime-not-installed", message, hint))
    for one in [] if installing else _runtime_store.missing(layout, manifest):
        message = f"runtime {one['runtime']} {one['version']} is not installed on this host"
        hint = "the phase runtimes was skipped: run it, too (watchbill apply, or the tag runtimes)"
        problems.append(problem("runtime-not-installed", message, hint))
    return problems
