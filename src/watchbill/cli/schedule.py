"""`watchbill schedule`: who is on watch, and when."""

from __future__ import annotations

import datetime
from typing import TYPE_CHECKING, Annotated

import typer

from watchbill.cli.options import Options, command, naming
from watchbill.cli.output import console, print_json
from watchbill.errors import OperationError

if TYPE_CHECKING:
    from zoneinfo import ZoneInfo


def register(app: typer.Typer) -> None:
    """Give the command of this module to the program."""
    command(app)(schedule)


def _complete_zone(incomplete: str) -> list[str]:
    from zoneinfo import available_timezones

    return sorted(zone for zone in available_timezones() if zone.startswith(incomplete))


def schedule(
    options: Options,
    week: Annotated[bool, typer.Option("--week", help="A grid of the whole week")] = False,
    at: Annotated[
        str | None,
        typer.Option("--at", metavar="TIME", help="Another time than now: 18:00, 2h, 2026-12-24T18:00, with a zone …Z"),
    ] = None,
    timezone: Annotated[
        str | None,
        typer.Option(
            "--timezone",
            metavar="ZONE",
            help="Show times of this zone [default: this machine's]",
            autocompletion=_complete_zone,
        ),
    ] = None,
    team: Annotated[str | None, naming("team", "Only this team's agents")] = None,
) -> None:
    """Show who is on watch, by the schedules in the file.

    Examples:  watchbill schedule --at 18:00   ·   watchbill schedule --week --timezone Europe/Berlin
    """
    from watchbill.ops.schedule import schedule as look

    zone = _zone(timezone)
    found = look(options.target(), _instant(at, zone), zone=zone, week=week, team=team)
    if options.as_json:
        print_json(found.to_json())
        return
    from watchbill.cli.schedule_view import print_watches

    print_watches(console(), found)


def _instant(at: str | None, zone: ZoneInfo | None) -> float:
    from watchbill.ops.until import parse_at

    now = datetime.datetime.now(datetime.UTC)
    return now.timestamp() if at is None else parse_at(at, now, zone).timestamp()


def _zone(name: str | None) -> ZoneInfo | None:
    from zoneinfo import ZoneInfo, ZoneInfoNotFoundError, available_timezones

    if name is None:
        return None
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        from watchbill.fleet.objects import did_you_mean

        hint = did_you_mean(name, sorted(available_timezones())) or "write it as Europe/Berlin or UTC"
        raise OperationError(f'there is no time zone "{name}"', hint, "unknown-timezone") from None
