"""StrategyRace: the panel of a race of strategies, live."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import ipywidgets
import traitlets as t

from hpo_widgets._messages import near_match
from hpo_widgets.optimizer.race import Race
from hpo_widgets.search import SearchStatus
from hpo_widgets.trials.export import csv_text
from hpo_widgets.widget import text
from hpo_widgets.widget.assets import asset
from hpo_widgets.widget.comparison.maps import LookMap, grid_of, look_maps
from hpo_widgets.widget.comparison.panel import ComparisonPanel
from hpo_widgets.widget.comparison.snapshot import Said
from hpo_widgets.widget.comparison.table import standings_tables
from hpo_widgets.widget.parts.earlier import EarlierRuns, common_status
from hpo_widgets.widget.parts.part import ViewPart
from hpo_widgets.widget.parts.snapshot import DID
from hpo_widgets.widget.sync.flow import act_while_cell_runs

if TYPE_CHECKING:
    import weakref
    from collections.abc import Callable, Mapping, Sequence
    from pathlib import Path

    import pandas as pd

    from hpo_widgets.optimizer.race import RaceSummary, Repeat
    from hpo_widgets.search import Search
    from hpo_widgets.search.comparison import Trace
    from hpo_widgets.widget.sync.refresher import Refresher, Update

NEWEST = 0
"""The repeat that runs or was broken off, or the last one."""
COMMANDS = ("start", "pause", "resume", "stop")
"""What buttons ask of a race."""

# Every race that a panel of this process has shown, in the order in which they were first shown.
_shown: list[weakref.ref[Race]] = []


class RaceHead(ViewPart):
    """Shows a race in a line with Start, Pause and Stop, and a bar for each strategy."""

    _esm = asset("race.js")
    _css = asset("race.css")

    title = t.Unicode(help="Name of the race.").tag(sync=True)
    status = t.Unicode(SearchStatus.IDLE.value, help="What the race is doing.").tag(sync=True)
    facts = t.Unicode(help="Budget and repeats in words.").tag(sync=True)
    progress = t.Unicode(help="Whole repeats and time in words.").tag(sync=True)
    reason = t.Unicode(help="Why it failed; empty else.").tag(sync=True)
    start_word = t.Unicode("Start", help="What Start is called now.").tag(sync=True)
    strategies = t.List(t.Dict(), help="Name, trials in words and used share of each strategy.").tag(sync=True)

    def __init__(self, search: Search, *, race: Race, refresher: Refresher) -> None:
        self._race = race
        super().__init__(search, refresher=refresher)

    def refresh(self, _update: Update) -> None:
        """Show the race as it is now."""
        race = self._race
        done, target = len(race.finished), race.target
        whole = race.trials * target
        with self.hold_sync():
            self.title = f"Race on {race.name}"
            self.status = str(race.status)
            repeats = text.counted(target, "repeat")
            self.facts = f"{text.counted(race.trials, 'trial')} × {repeats} · same budget, same seeds"
            more = "" if race.broken is None else ", one broken off"
            self.progress = f"{done} of {repeats}{more} · {text.duration(race.elapsed_minutes)}"
            self.reason = race.reason
            self.start_word = start_word(race)
            self.commands = dict(race.capabilities)
            self.strategies = [
                {"name": name, "text": f"{count} / {whole}", "fraction": count / whole, "series": series}
                for series, (name, count) in enumerate(race.num_shown.items())
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


class StrategyRace(ComparisonPanel):
    """A race of two to four strategies on one space: the last line of a cell shows it, and its Start runs it.

    Best so far with the middle half over the repeats, wins with their 95 % intervals, a verdict that may be "not
    distinguishable yet", and where each has looked, with the function behind where it is one of
    `hpo_widgets.testing.objectives`. `Race` is the same without a widget.

    Parameters
    ----------
    base_task_id, hyper_parameters, strategies, trials, repeats, seed, workers, journal, name, **arguments
        As for `Race`. A `Race` as ``base_task_id`` is shown as it is, and takes nothing else.
    x, y
        Names of the parameters of the maps, across and up. Default: the first two of the space.

    Raises
    ------
    TypeError, ValueError
        For invalid input, with a correction, before anything runs.

    Examples
    --------
    >>> race = StrategyRace(branin, space, ["grid", "random", "TPE"], trials=49)  # doctest: +SKIP
    >>> race.start(); race.wait(); print(race.summary())  # doctest: +SKIP
    """

    _owns_race = False
    repeat = t.Int(NEWEST, min=0, help="Two-way. The repeat that the maps show, from 1; 0: the newest.")

    def __init__(
        self,
        base_task_id: Callable[..., Any] | Path | Race,
        hyper_parameters: Sequence[Any] | None = None,
        strategies: Sequence[Any] | Mapping[str, Any] | None = None,
        *,
        x: str | None = None,
        y: str | None = None,
        **arguments: Any,
    ) -> None:
        if isinstance(base_task_id, Race):
            given = {"hyper_parameters": hyper_parameters, "strategies": strategies, **arguments}
            if extra := [name for name, value in given.items() if value is not None]:
                raise TypeError(f"a Race that is made already takes no {extra[0]}")
            race = base_task_id
        else:
            if hyper_parameters is None:
                raise TypeError("a race needs hyper_parameters: a list of parameters, as HyperParameterOptimizer takes")
            if strategies is not None:
                arguments["strategies"] = strategies
            race = Race(base_task_id, hyper_parameters, **arguments)
        self._race = race
        self._owns_race = race is not base_task_id
        self._earlier: EarlierRuns[Race] | None = None
        try:
            self._pair = _pair(race.space.names, x, y)
        except ValueError:
            if self._owns_race:
                race.close()
            raise
        super().__init__(
            race.id, lambda: race.status, [race.subscribe], names=race.names, value_name=_value_name(race),
            label="Standings", file_name="-".join(race.names), table=("Trials as CSV", self._csv),
            num_trials=race.trials, is_whole=lambda: bool(race.finished),
            is_log=True if race.compares_distances else None, minimise=race.minimise,
        )  # fmt: skip
        self._refresher.add(self)
        self.observe(self._on_repeat, "repeat")

    def _arrange(self) -> list[ipywidgets.Widget]:
        race, refresher = self._race, self._refresher
        self._head = RaceHead(self._followed, race=race, refresher=refresher)
        refresher.flow.follow(self._head)
        self._maps = self._make_maps()
        self._looks = self._make_looks()
        parts: list[ipywidgets.Widget] = [self._head, self._export, self._plot, self._tables, self._looks]
        self._earlier = EarlierRuns.than(
            race, _shown, tell=_still_running, make=StrategyRace, owner=self, refresher=refresher
        )
        if self._earlier is not None:
            parts.insert(2, self._earlier)
        return parts

    # What is run ----------------------------------------------------------------------------------

    @property
    def race(self) -> Race:
        """The race that is shown."""
        return self._race

    def start(self) -> bool:
        """Run the repeats that are left, or as many again when none is; see `Race.start`."""
        return self._race.start()

    def pause(self) -> None:
        """Launch nothing more; running trials finish."""
        self._race.pause()

    def resume(self) -> None:
        """Go on after `pause`."""
        self._race.resume()

    def stop(self, timeout: float | None = None) -> bool:
        """Stop all searches; see `Race.stop`."""
        return self._race.stop(timeout)

    def wait(self, timeout: float | None = None) -> bool:
        """Wait for the end of the last repeat; see `Race.wait`."""
        return self._race.wait(timeout)

    def summary(self) -> RaceSummary:
        """What came out so far; printing it gives a table."""
        return self._race.summary()

    def to_dataframe(self) -> pd.DataFrame:
        """All trials of the whole repeats, one row each."""
        return self._race.to_dataframe()

    def _csv(self) -> str:
        """Return all trials of the whole repeats as a table; raises a ``ValueError`` before there are any."""
        if not self._race.finished:
            raise ValueError("no repeat has ended yet, and a race exports the trials of whole repeats")
        return csv_text(self.to_dataframe(), index=False)

    def _end(self) -> None:
        super()._end()
        if self._earlier is not None:
            self._earlier.end()

    def close(self) -> None:
        """Stop the race that was made here, and free its folder, threads and comms; a `Race` that was given goes on."""
        if self._owns_race and hasattr(self, "_refresher"):
            self._race.close()
        super().close()

    def _say(self) -> Said:
        race, head = self._race, self._head
        status, num_whole = str(race.status), text.counted(len(race.finished), "whole repeat")
        has_ended = race.status is not SearchStatus.IDLE and not race.status.is_alive
        return Said(
            name=head.title,
            about=f"race on {race.name} of {', '.join(race.names)}",
            did=DID[status],
            again="Run its cell again for another race.",
            plot="Best so far",
            counts=[num_whole, *(f"{one['name']} {one['text']} trials" for one in head.strategies)],
            has_values=any(one["fraction"] for one in head.strategies),
            verdict=self._tables.verdict,
            facts=[head.facts, head.reason] if head.reason else [head.facts],
            end=f"{status}, {num_whole}" if has_ended else "",
        )

    def __repr__(self) -> str:
        return f"<StrategyRace of {', '.join(self._race.names)} {self._race!r}>"

    # What is shown --------------------------------------------------------------------------------

    def _traces(self) -> Mapping[str, Sequence[Trace]]:
        """Those of the whole repeats; as long as there is none, of the one that runs or was broken off."""
        race = self._race
        if race.finished or (current := race.current or race.broken) is None:
            return race.traces()
        return {name: [race.compared(current.traces[name])] for name in race.names}

    def _make_tables(self) -> tuple[list[dict[str, Any]], tuple[str, str]]:
        race, summary = self._race, self._race.summary()
        where = "" if not race.compares_distances else f", {_apart(race)} the optimum"
        mean = "mean log10 of the curve" if race.compares_distances else "mean of the curve"
        note = (
            f"end: median over the repeats{where} · area: {mean}, {'lower' if race.minimise else 'higher'} is better · "
            "dashed mark: equal chances"
        )
        return standings_tables(summary.standings, summary.pairs, race.names, note)

    def _make_maps(self) -> list[LookMap]:
        if self._pair is None:
            return []
        race = self._race
        return look_maps(race.function, race.names, race.space, self._pair, minimise=race.objective.minimise)

    def _make_looks(self) -> ipywidgets.VBox:
        self._chooser = ipywidgets.Dropdown(
            options=[("newest", NEWEST)], value=NEWEST, description="repeat", style={"description_width": "initial"},
            layout={"width": "auto"},
        )  # fmt: skip
        act_while_cell_runs(self._chooser)
        self._chooser.observe(lambda change: self.set_trait("repeat", change["new"]), "value")
        self._said = ipywidgets.Label(self._key())
        self._said.add_class("hpo-muted")
        title = ipywidgets.Label("Where each has looked")
        title.add_class("hpo-looks-title")
        head = ipywidgets.HBox([title, self._chooser, self._said])
        head.add_class("hpo-looks-head")
        looks = ipywidgets.VBox([head, grid_of(self._maps)] if self._maps else [])
        looks.add_class("hpo-looks")
        looks.add_class("hpo-part")
        return looks

    def _key(self) -> str:
        if not self._maps:
            return ""
        of_all, is_low = self._maps[0], self._race.objective.minimise
        known = " · ✚ optimum" if of_all.has_optima else ""
        dark = f" · strong colour is {'low' if is_low else 'high'}" if of_all.has_background else ""
        return f"▲ best found{known}{dark}"

    def refresh(self, _update: Update) -> None:
        """Draw the maps, and offer the repeats that there are."""
        race = self._race
        finished, current = race.finished, race.current
        options = [("newest", NEWEST), *((f"{one.number + 1} of {len(finished)}", one.number + 1) for one in finished)]
        if len(options) != len(self._chooser.options):
            value = self._chooser.value
            self._chooser.options = options
            self._chooser.value = value
        chosen: Repeat | None = current or race.broken or (finished[-1] if finished else None)
        if 0 < self.repeat <= len(finished):
            chosen = finished[self.repeat - 1]
        for name, one in zip(race.names, self._maps, strict=bool(self._maps)):
            one.draw(None if chosen is None else chosen.rows[name])

    @t.validate("repeat")
    def _check_repeat(self, proposal: Mapping[str, Any]) -> int:
        number: int = proposal["value"]
        if number > (count := len(self._race.finished)):
            raise t.TraitError(f"repeat is at most {count}, the number of whole repeats, got {number}; 0 is the newest")
        return number

    def _on_repeat(self, _change: object) -> None:
        with self._refresher.lock:
            if self._chooser.value != self.repeat and self.repeat in dict(self._chooser.options).values():
                self._chooser.value = self.repeat
        self._refresher.poke()


def _still_running(earlier: Sequence[Race]) -> str:
    if len(earlier) == 1:
        return f"An earlier race on {earlier[0].name!r} is still {earlier[0].status}, on the same machine as this one."
    return f"{len(earlier)} earlier races are still {common_status(earlier)}, on the same machine as this one."


def _pair(names: Sequence[str], x: str | None, y: str | None) -> tuple[str, str] | None:
    """Return the parameters of the maps; None for a space with one parameter, of which there is no map."""
    for name in (x, y):
        if name is not None and name not in names:
            raise ValueError(f"the space has no parameter {name!r:.80}. {near_match(name, names)}")
    if len(names) < 2:
        return None
    if x is not None and x == y:
        raise ValueError(f"a map has two parameters, got {x!r} twice")
    across = x or next(name for name in names if name != y)
    return across, y or next(name for name in names if name != across)


def _apart(race: Race) -> str:
    return "above" if race.objective.minimise else "below"


def _value_name(race: Race) -> str:
    if race.compares_distances:
        return f"best so far, {_apart(race)} the optimum"
    return f"best so far, {text.axis(race.objective)}"
