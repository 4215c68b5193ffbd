# Copyright: Watchbill contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""``watchbill-host fetch``: fetch the remotes of the projects here, as their tenants; no branch or file is moved."""

from __future__ import annotations

import argparse
import os
import typing as t

from .._plain_files import read_object
from .._projects._phase import fetch_all
from . import CommandFailed, layout_here, print_json, print_table


def add_to(commands: t.Any) -> None:
    """Add the command to the parser."""
    command: argparse.ArgumentParser = commands.add_parser("fetch", help="fetch the remotes of projects")
    command.add_argument("projects", metavar="PROJECT", nargs="*", help="only these; by default all")
    command.add_argument("--json", action="store_true", help="a list of tenant, project, path, error")
    command.set_defaults(function=_fetch)


def _fetch(chosen: argparse.Namespace) -> int:
    layout = layout_here()
    projects = []
    for tenant in sorted(os.listdir(layout.tenants)):
        try:
            projects += read_object(layout.projects(tenant))["projects"]
        except FileNotFoundError:
            continue
    missing = set(chosen.projects) - {project["name"] for project in projects}
    if missing:
        raise CommandFailed(f"no agent of this host works on {', '.join(sorted(missing))}")
    wanted = [project for project in projects if not chosen.projects or project["name"] in chosen.projects]
    rows = fetch_all(layout, wanted)
    if chosen.json:
        print_json(rows)
    else:
        print_table(
            ("project", "path", "result"), [(row["project"], row["path"], row["error"] or "fetched") for row in rows]
        )
    return 1 if any(row["error"] for row in rows) else 0
