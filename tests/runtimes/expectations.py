"""What is promised of each runtime, where they differ: the only place of the suite that knows their names."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from tests.model_api.providers import MODEL, provider


@dataclass(frozen=True)
class Expected:
    """One runtime. Prompts are the words that bring its agent, or the model API behind it, into a situation."""

    version: str | None = None
    """What the fleet file pins; None: it comes with Watchbill."""
    settings: dict[str, Any] = field(default_factory=dict)
    """Settings beside those of the provider."""
    files: dict[str, str] = field(default_factory=dict)
    """What these name, by its path on each host."""
    model: str | None = None
    busy: str = "[[slow {seconds}]] [[say done]]"
    dialog: str | None = "[[ask bash: touch {path}]]"
    """Makes it ask for a permission; None: it has no such dialog."""
    limit: str | None = "[[429 usage reset={seconds}]]"
    """Makes its provider refuse; None: it has none."""
    pause: str = "[[429 reset={seconds} times=1]]"
    """Makes its provider refuse once, and say when to try again."""
    tab: str = "\t"
    """What becomes of a tab in a prompt that is pasted."""
    knows_reset: bool = False
    """Whether it says when the limit ends."""

    @property
    def asks_a_model(self) -> bool:
        """Whether its prompts can be seen at the model API."""
        return self.model is not None


GATE = "/opt/gate.mjs"
ASKS_BEFORE_TOUCH = """\
// pi itself asks for no permission. An extension of a person's may, like this one.
export default (pi) =>
  pi.on("tool_call", async ({ input: { command } }, { ui }) =>
    !command.includes("touch ") || (await ui.confirm("May I?", command)) ? undefined : { block: true, reason: "no" })
"""

EXPECTED = {
    "stub": Expected(
        busy="work {seconds}",
        dialog="dialog May I touch {path}?",
        limit="limit {seconds}",
        pause="limit {seconds}",
        knows_reset=True,
    ),
    "claude": Expected(version="2.1.197", model=MODEL["claude"], tab="    "),
    "codex": Expected(
        version="0.169.0",
        model=MODEL["codex"],
        knows_reset=True,
    ),
    "opencode": Expected(
        version="1.18.33",
        model=MODEL["opencode"],
        settings={"permission": {"bash": "ask"}},
        limit="[[429 reset={seconds}]]",
        knows_reset=True,
    ),
    "pi": Expected(
        version="0.74.2",
        model=MODEL["pi"],
        settings={"extensions": [GATE]},
        files={GATE: ASKS_BEFORE_TOUCH},
        tab="    ",
        limit="[[429 reset={seconds}]]",
        knows_reset=True,
    ),
}


def section(runtime: str, api_url: str) -> dict[str, Any]:
    """Return `runtimes.RUNTIME` of a fleet file whose agents use a model API."""
    expected = EXPECTED[runtime]
    provided = provider(runtime, api_url)
    return {"version": expected.version, **provided, "settings": {**provided["settings"], **expected.settings}}
