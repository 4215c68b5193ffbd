"""`watchbill agent`, `host`, `team` and `project`: the fleet file, edited in place."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from watchbill.cli.fetch import fetch
from watchbill.cli.options import Options, command, completed, group, naming
from watchbill.cli.output import print_json
from watchbill.errors import OperationError

if TYPE_CHECKING:
    from watchbill.edit.outcome import Edited

SHARED = ("file", "as_json")

agent = group(
    "Agents in the file: comments and order stay, and nothing is written that would be wrong.\n\n"
    "Examples:  watchbill agent add tester --team app --role coder   ·   watchbill agent scale coder 5"
)
host = group(
    "Hosts in the file: comments and order stay, and nothing is written that would be wrong.\n\n"
    "Examples:  watchbill host add barn --address 192.0.2.13 --slots 4   ·   watchbill host drain barn"
)
team = group(
    "Teams in the file: comments and order stay, and nothing is written that would be wrong.\n\n"
    "Examples:  watchbill team add docs --tenant studio   ·   watchbill team add docs --priority 40 --dry-run"
)
project = group(
    "Projects in the file: comments and order stay, and nothing is written that would be wrong.\n\n"
    "Examples:  watchbill project add shop --team app --path '~/src/shop'   ·   watchbill project discover ~/src"
)

_agents = completed(lambda fleet: [entry.name for entry in fleet.roster])
_hosts = completed(lambda fleet: fleet.hosts)
_schedules = completed(lambda fleet: fleet.schedules)


def _roles(context: typer.Context, incomplete: str) -> list[str]:
    from watchbill.library import role_names

    known = completed(lambda fleet: {*fleet.roles, *role_names()})(context, incomplete)
    return sorted(known)


AgentName = Annotated[
    str, typer.Argument(metavar="AGENT", help="The entry's name, or tenant/name", autocompletion=_agents)
]
NewName = Annotated[str, typer.Argument(metavar="NAME", help="The new name")]
HostName = Annotated[str, typer.Argument(metavar="HOST", help="A host of the file", autocompletion=_hosts)]
Team = Annotated[str | None, naming("team", "Whose it is [default: the only team]")]
Schedule = Annotated[
    str | None,
    typer.Option("--schedule", metavar="NAME", help="When it is on watch", autocompletion=_schedules),
]
DryRun = Annotated[bool, typer.Option("--dry-run", help="Print the diff and write nothing")]


def add_agent(
    options: Options,
    name: NewName,
    role: Annotated[str, typer.Option("--role", metavar="ROLE", help="What it is for", autocompletion=_roles)],
    team: Team = None,
    count: Annotated[int | None, typer.Option("--count", metavar="N", help="N of them: NAME0, NAME1, …")] = None,
    runtime: Annotated[str | None, naming("runtime", "The program that is the agent")] = None,
    model: Annotated[str | None, typer.Option("--model", metavar="MODEL", help="As the runtime calls it")] = None,
    project: Annotated[str | None, naming("project", "What it works on")] = None,
    host: Annotated[str | None, naming("host", "Pin it there [default: a free slot]")] = None,
    schedule: Schedule = None,
    enabled: Annotated[bool, typer.Option("--enabled/--disabled", help="Whether it runs at all")] = True,
    dry_run: DryRun = False,
) -> None:
    """Add an agent to the roster, after those of its team.

    Examples:  watchbill agent add tester --team app --role coder   ·   watchbill agent add coder --role coder --count 3
    """
    from watchbill.ops import edit

    edited = edit.add_agent(
        options.path,
        name,
        role=role,
        team=team,
        count=count,
        runtime=runtime,
        model=model,
        project=project,
        host=host,
        schedule=schedule,
        enabled=enabled,
        dry_run=dry_run,
    )
    _report(options, edited, dry_run)


def remove_agent(options: Options, name: AgentName, dry_run: DryRun = False) -> None:
    """Remove an agent from the roster: the whole entry, whatever its count.

    Examples:  watchbill agent remove tester   ·   watchbill agent remove studio/tester --dry-run

    A protected agent, the orchestrator and the last enhancer of a tenant stay.
    """
    from watchbill.ops import edit

    _report(options, edit.remove_agent(options.path, name, dry_run=dry_run), dry_run)


def scale_agent(
    options: Options,
    name: AgentName,
    count: Annotated[int, typer.Argument(metavar="N", help="How many the entry stands for")],
    dry_run: DryRun = False,
) -> None:
    """Set how many agents an entry of the roster stands for.

    Examples:  watchbill agent scale coder 5   ·   watchbill agent scale studio/coder 2 --dry-run
    """
    from watchbill.ops import edit

    _report(options, edit.scale_agent(options.path, name, count, dry_run=dry_run), dry_run)


def move_agent(
    options: Options,
    name: AgentName,
    host: Annotated[
        str | None, typer.Argument(metavar="[HOST]", help="Where it is pinned", autocompletion=_hosts)
    ] = None,
    anywhere: Annotated[bool, typer.Option("--anywhere", help="No pin: placement decides")] = False,
    dry_run: DryRun = False,
) -> None:
    """Pin an agent to a host, or let placement decide again.

    Examples:  watchbill agent move writer attic   ·   watchbill agent move writer --anywhere
    """
    if (host is None) is not anywhere:
        raise OperationError("say either HOST or --anywhere", "see: watchbill agent move --help", "usage")
    from watchbill.ops import edit

    _report(options, edit.move_agent(options.path, name, host, dry_run=dry_run), dry_run)


def add_host(
    options: Options,
    name: NewName,
    address: Annotated[str, typer.Option("--address", metavar="ADDRESS", help="IP address, DNS name, or local")],
    slots: Annotated[int, typer.Option("--slots", metavar="N", help="How many agents it can carry")],
    label: Annotated[
        list[str] | None, typer.Option("--label", metavar="KEY=VALUE", help="For places; may be given again")
    ] = None,
    user: Annotated[str | None, typer.Option("--user", metavar="USER", help="Who ssh logs in as")] = None,
    port: Annotated[int | None, typer.Option("--port", metavar="PORT", help="Where sshd listens")] = None,
    jump: Annotated[
        str | None,
        typer.Option("--jump", metavar="HOST", help="The host that it is reached through", autocompletion=_hosts),
    ] = None,
    rootless: Annotated[bool, typer.Option("--rootless", help="One tenant, no root")] = False,
    dry_run: DryRun = False,
) -> None:
    """Add a host.

    Examples:  watchbill host add barn --address 192.0.2.13 --slots 4   ·
    watchbill host add lap --address local --slots 2 --rootless
    """
    from watchbill.ops import edit

    edited = edit.add_host(
        options.path,
        name,
        address=address,
        slots=slots,
        labels=_labels(label or ()),
        rootless=rootless,
        connect={"user": user, "port": port, "jump": jump},
        dry_run=dry_run,
    )
    _report(options, edited, dry_run)


def cordon(
    options: Options,
    name: HostName,
    undo: Annotated[bool, typer.Option("--undo", help="Let it take agents again")] = False,
    dry_run: DryRun = False,
) -> None:
    """Let a host take no agents.

    Examples:  watchbill host cordon attic   ·   watchbill host cordon attic --undo
    """
    from watchbill.ops import edit

    _report(options, edit.cordon_host(options.path, name, undo=undo, dry_run=dry_run), dry_run)


def uncordon(options: Options, name: HostName, dry_run: DryRun = False) -> None:
    """Let a cordoned host take agents again.

    Examples:  watchbill host uncordon attic   ·   watchbill host uncordon attic --dry-run
    """
    from watchbill.ops import edit

    _report(options, edit.cordon_host(options.path, name, undo=True, dry_run=dry_run), dry_run)


def drain(options: Options, name: HostName, dry_run: DryRun = False) -> None:
    """Cordon a host and say where its agents move. Refused when they do not fit elsewhere.

    Examples:  watchbill host drain attic --dry-run   ·   watchbill host drain attic
    """
    from watchbill.ops import edit

    _report(options, edit.drain_host(options.path, name, dry_run=dry_run), dry_run)


def add_team(
    options: Options,
    name: NewName,
    tenant: Annotated[str | None, naming("tenant", "Whose it is [default: the only tenant]")] = None,
    mission: Annotated[str | None, typer.Option("--mission", metavar="TEXT", help="What it is there for")] = None,
    priority: Annotated[
        int | None, typer.Option("--priority", metavar="0-100", help="Higher gets its places first [default: 50]")
    ] = None,
    schedule: Schedule = None,
    dry_run: DryRun = False,
) -> None:
    """Add a team.

    Examples:  watchbill team add docs --mission "Explain it"   ·
    watchbill team add docs --tenant studio --priority 40
    """
    from watchbill.ops import edit

    edited = edit.add_team(
        options.path,
        name,
        tenant=tenant,
        mission=mission,
        priority=priority,
        schedule=schedule,
        dry_run=dry_run,
    )
    _report(options, edited, dry_run)


def add_project(
    options: Options,
    name: NewName,
    path: Annotated[str, typer.Option("--path", metavar="PATH", help="Where its agents work: ~/… or /…")],
    team: Team = None,
    repository: Annotated[str | None, typer.Option("--repository", metavar="URL", help="Where it comes from")] = None,
    branch: Annotated[str | None, typer.Option("--branch", metavar="BRANCH", help="What work begins from")] = None,
    dry_run: DryRun = False,
) -> None:
    """Add a project.

    Examples:  watchbill project add shop --team app --path '~/src/shop'   ·
    watchbill project add docs --path '~/docs' --branch main
    """
    from watchbill.ops import edit

    edited = edit.add_project(
        options.path,
        name,
        project_path=path,
        team=team,
        repository=repository,
        branch=branch,
        dry_run=dry_run,
    )
    _report(options, edited, dry_run)


def discover(
    options: Options,
    roots: Annotated[list[Path], typer.Argument(metavar="ROOT…", help="Folders to look in")],
    team: Team = None,
    depth: Annotated[int, typer.Option("--depth", metavar="N", min=0, max=20, help="How many folders down")] = 5,
    write: Annotated[bool, typer.Option("--write", help="Add the ones that are missing to the file")] = False,
    dry_run: DryRun = False,
) -> None:
    """Find git repositories and propose them as projects.

    Examples:  watchbill project discover ~/src   ·   watchbill project discover ~/src ~/work --team app --write

    Addresses are shown and written without passwords and tokens. A repository that the file has already, by address or
    path, is left alone.
    """
    from watchbill.cli.edit_view import print_discovery
    from watchbill.ops.discover import discover as look

    found = look(options.path, roots, team=team, depth=depth, write=write, dry_run=dry_run)
    if options.as_json:
        print_json(found.to_json())
        return
    print_discovery(found)
    if found.edited is not None:
        _report(options, found.edited, dry_run)


def _labels(words: Sequence[str]) -> dict[str, str]:
    """Return labels given as ``KEY=VALUE``. Raises OperationError."""
    labels = {}
    for word in words:
        key, equals, value = word.partition("=")
        if not equals or key in labels:
            message = f'"{word}" is no label' if not equals else f'the label "{key}" was given twice'
            raise OperationError(message, "write --label zone=home, once for each key", "usage")
        labels[key] = value
    return labels


def _report(options: Options, edited: Edited, dry_run: bool) -> None:
    """Print what an edit did, or would do."""
    if options.as_json:
        print_json(edited.to_json())
        return
    from watchbill.cli.edit_view import print_diff, print_edited

    if dry_run:
        print_diff(edited)
    else:
        print_edited(edited, again=options.again("plan"))


for _app, _name, _function in (
    (agent, "add", add_agent),
    (agent, "remove", remove_agent),
    (agent, "scale", scale_agent),
    (agent, "move", move_agent),
    (host, "add", add_host),
    (host, "cordon", cordon),
    (host, "uncordon", uncordon),
    (host, "drain", drain),
    (team, "add", add_team),
    (project, "add", add_project),
    (project, "discover", discover),
):
    command(_app, _name, SHARED)(_function)
command(project, "fetch")(fetch)
