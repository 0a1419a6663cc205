"""The head of a race: its status, its buttons, and how far each strategy is."""

from __future__ import annotations

from typing import TYPE_CHECKING

import traitlets as t

from hpo_widgets.search import SearchStatus
from hpo_widgets.widget import text
from hpo_widgets.widget.assets import asset
from hpo_widgets.widget.parts.part import ViewPart

if TYPE_CHECKING:
    from hpo_widgets.optimizer.race import Race
    from hpo_widgets.search import Search
    from hpo_widgets.widget.sync.refresher import Refresher, Update

COMMANDS = ("start", "pause", "resume", "stop")
"""What buttons ask of a race."""


class RaceHead(ViewPart):
    """Shows a race in a line with Start, Pause and Stop, and a bar for each strategy.

    Parameters
    ----------
    search
        What the refresher follows.
    race
        The race.
    """

    _esm = asset("race.js")
    _css = asset("race.css")

    title = t.Unicode(help="Name of the race.").tag(sync=True)
    status = t.Unicode(SearchStatus.IDLE.value, help="What the race is doing.").tag(sync=True)
    facts = t.Unicode(help="Budget and repeats in words.").tag(sync=True)
    progress = t.Unicode(help="Whole repeats and time in words.").tag(sync=True)
    reason = t.Unicode(help="Why it failed; empty else.").tag(sync=True)
    start_word = t.Unicode("Start", help="What Start is called now.").tag(sync=True)
    strategies = t.List(t.Dict(), help="Name, trials in words and used share of each strategy.").tag(sync=True)
    commands = t.Dict(help="Command to None when it can be done now, else to the sentence that says why not.").tag(
        sync=True
    )

    def __init__(self, search: Search, *, race: Race, refresher: Refresher) -> None:
        self._race = race
        super().__init__(search, refresher=refresher)

    def refresh(self, _update: Update) -> None:
        """Show the race as it is now."""
        race = self._race
        ended, done, target = race.num_ended, len(race.finished), race.target
        whole = race.trials * target
        with self.hold_sync():
            self.title = f"Race on {race.name}"
            self.status = str(race.status)
            repeats = text.counted(target, "repeat")
            self.facts = f"{text.counted(race.trials, 'trial')} × {repeats} · same budget, same seeds"
            self.progress = f"{done} of {repeats} · {text.duration(race.elapsed_minutes)}"
            self.reason = race.reason
            self.start_word = start_word(race)
            self.commands = dict(race.capabilities)
            self.strategies = [
                {"name": name, "text": f"{count} / {whole}", "fraction": count / whole, "series": series}
                for series, (name, count) in enumerate(ended.items())
            ]

    def _on_command(self, content: dict[str, object]) -> None:
        name = content.get("name")
        if name in COMMANDS:
            self._race.command(str(name))


def start_word(race: Race) -> str:
    """Say what Start does now: begin, go on with the repeats that are left, or run as many again."""
    if race.status.is_alive or len(race.finished) < race.target:
        return "Continue" if race.finished and not race.status.is_alive else "Start"
    return f"Start {race.repeats} more"
