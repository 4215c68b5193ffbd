"""The keys of a fleet file that have one of a few values, with what each value means."""

from __future__ import annotations

from typing import Annotated, Literal

from watchbill.fleet.kinds import Meanings

Restart = Annotated[
    Literal["when-idle", "now", "at-window", "manual"],
    Meanings(
        {
            "when-idle": "when its turn is over",
            "now": "at once, in the middle of a turn if need be",
            "at-window": "when its schedule opens or closes a window",
            "manual": "when somebody runs watchbill restart",
        }
    ),
]
Stuck = Annotated[
    Literal["restart", "report"],
    Meanings({"restart": "the keeper restarts its session", "report": "it is shown as stuck, nothing else happens"}),
]
Prune = Annotated[
    Literal["ask", "auto", "never"],
    Meanings(
        {
            "ask": "deletions are planned, and done with --prune or after a yes on a terminal",
            "auto": "deletions are done like any other change",
            "never": "nothing is deleted",
        }
    ),
]
Event = Annotated[
    Literal["waiting-input", "crashed", "stuck", "limited", "drift"],
    Meanings(
        {
            "waiting-input": "it asks a person something",
            "crashed": "it ended three times in a row",
            "stuck": "it answers no more",
            "limited": "its provider does not serve it for a while",
            "drift": "something of it is not what the last apply left; its host looks every 5 minutes",
        }
    ),
]
Condition = Annotated[Literal["idle"], Meanings({"idle": "the prompt is left out while it does something else"})]
SchedulePolicy = Annotated[
    Literal["always-on", "windows", "manual", "burst-on-backlog"],
    Meanings(
        {
            "always-on": "always, but for the days of except",
            "windows": "in the windows, in the time of timezone",
            "manual": "only after watchbill on AGENT",
            "burst-on-backlog": "while backlog says that there is work; with windows, only in those",
        }
    ),
]
Outside = Annotated[
    Literal["stop", "pause"],
    Meanings({"stop": "the session is ended", "pause": "the session is kept, its work is held"}),
]
