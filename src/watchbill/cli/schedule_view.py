"""Who is on watch: a table for now, a grid for a week."""

from __future__ import annotations

import datetime
from typing import TYPE_CHECKING

from watchbill.cli.hours_view import duration
from watchbill.cli.output import NOTHING, cell
from watchbill.cli.table import print_table, say
from watchbill.fleet.words import in_short
from watchbill.ops.schedule import BURST, CELL_HOURS, DAYS, Watch, Watches, Week
from watchbill.ops.validate import counted

if TYPE_CHECKING:
    from rich.console import Console
    from rich.text import Text

FULL, PART, NONE, NOW = "█", "▒", "·", "▾"
_WITHOUT = "(none)"


def print_watches(console: Console, watches: Watches) -> None:
    """Print one row for each schedule: what holds at the instant, until when, for whom."""
    if watches.week is not None:
        _print_week(console, watches, watches.week)
        return
    say(console, f"{_moment(watches.at, watches)}: {_counts(watches)}")
    rows = [[cell(title) for title in ("SCHEDULE", "WATCH", "NEXT", "AGENTS")]]
    rows += [
        [cell(watch.name or _WITHOUT), _state(watch), cell(_next(watch, watches)), cell(_agents(watch))]
        for watch in watches.schedules
    ]
    print_table(console, rows)
    if watches.disabled:
        say(console, f"not enabled: {', '.join(watches.disabled)}", "dim")
    say(console, "by the file alone; who was paused or put on and off by hand: watchbill ps", "dim")


def _print_week(console: Console, watches: Watches, week: Week) -> None:
    labels = [watch.name or _WITHOUT for watch in watches.schedules]
    margin = max(map(len, labels), default=0) + 2
    first, last = week.dates[0], week.dates[-1]
    say(console, f"{first:%a %d %b} to {last:%a %d %b %Y}, {_zone(watches)}; each cell {CELL_HOURS} hours")
    width = max(len(cells) for cells in week.cells) + 1
    # A terminal that is too narrow for a week has some days of it below the others.
    fitting = max(1, (console.width - margin + 1) // width)
    for start in range(0, DAYS, fitting):
        _print_days(console, watches, week, range(start, min(start + fitting, DAYS)), margin, width)
    say(console, f"{FULL} on watch   {PART} for a part   {NONE} off   yellow: only while there is work", "dim")


def _print_days(console: Console, watches: Watches, week: Week, days: range, margin: int, width: int) -> None:
    """Print some days of the grid, `width` columns each, behind a `margin` for the names of schedules."""
    from rich.text import Text

    header = "".join(f"{week.dates[day]:%a %d}".ljust(width) for day in days)
    console.print(Text(" " * margin + header.rstrip()), soft_wrap=True)
    now = _column_of_now(watches.at, week, days, width)
    if now is not None:
        console.print(Text(" " * (margin + now) + NOW, style="bold"), soft_wrap=True)
    for watch in watches.schedules:
        row = Text((watch.name or _WITHOUT).ljust(margin))
        for day in days:
            for span in week.cells[day]:
                row.append_text(_block(watch, watch.share(span)))
            row.append(" " * (width - len(week.cells[day])))
        row.rstrip()
        console.print(row, soft_wrap=True)
        say(console, " " * margin + _agents(watch), "dim")


def _block(watch: Watch, share: float) -> Text:
    style = "dim" if share == 0 else "yellow" if watch.policy == BURST else "green"
    return cell(NONE if share == 0 else FULL if share > 0.999 else PART, style)


def _column_of_now(at: float, week: Week, days: range, width: int) -> int | None:
    """Return the column of an instant in the grid of some days, None where it is on another day."""
    for place, day in enumerate(days):
        for number, (begin, end) in enumerate(week.cells[day]):
            if begin <= at < end:
                return place * width + number
    return None


def _state(watch: Watch) -> Text:
    if watch.on_watch is None:
        return cell("if there is work", "yellow")
    return cell("on", "green") if watch.on_watch else cell("off", "dim")


def _next(watch: Watch, watches: Watches) -> str:
    if watch.policy == "manual":
        return "by: watchbill on AGENT"
    if watch.on_watch is None and watch.next_change is None:
        return NOTHING
    if watch.next_change is None:
        return "never off" if watch.on_watch is not False else "never on"
    wait = duration(watch.next_change - watches.at)
    then = "on" if watch.on_watch is False else "off"
    return f"{then} {_moment(watch.next_change, watches)} (in {wait})"


def _agents(watch: Watch) -> str:
    return ", ".join(in_short(watch.agents)) or "nobody"


def _counts(watches: Watches) -> str:
    on = sum(len(watch.agents) for watch in watches.schedules if watch.on_watch)
    maybe = sum(len(watch.agents) for watch in watches.schedules if watch.on_watch is None)
    total = sum(len(watch.agents) for watch in watches.schedules)
    return f"{on} of {counted(total, 'agent')} on watch" + (f", {maybe} if there is work" if maybe else "")


def _moment(instant: float, watches: Watches) -> str:
    moment = datetime.datetime.fromtimestamp(instant, watches.zone)
    here = datetime.datetime.fromtimestamp(watches.at, watches.zone)
    far = abs(moment - here) > datetime.timedelta(days=6)
    return moment.strftime("%a %d %b %Y %H:%M" if far or instant == watches.at else "%a %H:%M")


def _zone(watches: Watches) -> str:
    return f"times in {watches.zone}" if watches.zone else "times of this machine"
