"""Challenge: a person proposes points, a strategy has the same budget unseen, and both are shown at the end."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import ipywidgets
import traitlets as t

from hpo_widgets._messages import short
from hpo_widgets.journal.naming import folder_of_journals
from hpo_widgets.optimizer.optimizer import HyperParameterOptimizer
from hpo_widgets.optimizer.race import EXIT_MINUTES, OF_TASKS, call_at_exit, check_passed_on
from hpo_widgets.optimizer.temporary_folder import TemporaryFolder
from hpo_widgets.search import SearchStatus
from hpo_widgets.search.comparison import cost_of, trace_of
from hpo_widgets.search.limits import positive_int
from hpo_widgets.strategies.base import Proposal, SearchStrategy
from hpo_widgets.strategies.registry import by_common_name, resolve
from hpo_widgets.trials import TrialState
from hpo_widgets.widget import text
from hpo_widgets.widget.comparison.maps import LookMap, grid_of, look_maps
from hpo_widgets.widget.comparison.panel import ComparisonPanel
from hpo_widgets.widget.comparison.snapshot import Said
from hpo_widgets.widget.comparison.table import cell, table
from hpo_widgets.widget.parts.part import close_tree
from hpo_widgets.widget.parts.point_form import PointForm, completed_point
from hpo_widgets.widget.plots.map import MapPlot
from hpo_widgets.widget.sync.refresher import Refresher

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from pathlib import Path

    from hpo_widgets.search.comparison import Trace
    from hpo_widgets.trials import Trial
    from hpo_widgets.widget.sync.refresher import Update

YOU = "you"
_OF_THE_CHALLENGE = {
    "optimizer_class": "rival",
    "total_max_jobs": "trials",
    "optimization_time_limit": "trials",
    "compute_time_limit": "trials",
    "allow_duplicates": None,
    **OF_TASKS,
}
"""Arguments of a search that a challenge sets itself, each with its own for it: with another budget no game ends."""
_MOST_ERROR = 200


class AsProposed(SearchStrategy):
    """Proposes nothing: all points are those that a person enqueues."""

    @property
    def title(self) -> str:
        """The display name of the strategy."""
        return YOU

    def ask(self) -> Proposal | None:
        """Return that there is no further point."""
        return None


class ProposalForm(PointForm):
    """A `PointForm` that tells when a point was queued, and offers the next one as long as there is one.

    Pressed twice, the button would waste a point: one that ``was_proposed`` is refused. Nobody has results beforehand.
    """

    records_results = False

    def __init__(
        self,
        search: HyperParameterOptimizer,
        *,
        num_left: Callable[[], int],
        was_proposed: Callable[[Mapping[str, Any]], bool],
        on_proposed: Callable[[Mapping[str, Any]], None],
        refresher: Refresher,
    ) -> None:
        self._num_left, self._was_proposed, self._on_proposed = num_left, was_proposed, on_proposed
        super().__init__(search, refresher=refresher)

    @t.validate("point")
    def _check_point(self, proposal: Mapping[str, Any]) -> Mapping[str, Any]:
        """Take no point after the last one, wherever it comes from: a click into the map too."""
        point: Mapping[str, Any] = proposal["value"] if self._num_left() else {}
        return point

    def _on_queue(self, content: dict[str, object]) -> None:
        if not self._num_left():
            self._refuse("a point was to be queued after the last one")
            return
        super()._on_queue(content)
        if not self.point:
            self.offer()

    def _queue(self, point: Mapping[str, Any]) -> str:
        if self._was_proposed(point):
            return "This point was proposed before: change a value."
        problem = super()._queue(point)
        if not problem:
            self._on_proposed(point)
        return problem

    def _on_cancel(self, _content: dict[str, object]) -> None:
        self.offer()

    def offer(self) -> None:
        """Show the best point so far, or the middle of the ranges, to be changed; nothing after the last point."""
        self.point = completed_point({}, self.search)


class Challenge(ComparisonPanel):
    """Beat the sampler: you propose points by a click into the map or by typing, a strategy has the same budget unseen.

    Its trials run when you propose your first point, and nothing of them is sent to the page before your last
    trial has ended. Then both are shown: best so far, where each has looked, and the function where it is known.

    Parameters
    ----------
    base_task_id
        A callable, or a `pathlib.Path` to a script; preferably one that is fast, as each point is waited for.
    hyper_parameters
        At least two parameters, as for `HyperParameterOptimizer`.
    rival
        The strategy: a name (``"TPE"``, ``"TPE + GP"``, ``"random"``, ``"grid"``, ``"Sobol"``), or a class. Default:
        TPE.
    trials
        The budget of each, at most as many as the space has points. Default: 20.
    seed
        Seed of the rival. Default: another one each time.
    **arguments
        Further arguments of both searches, such as ``objective_metric_sign``.

    Raises
    ------
    TypeError, ValueError
        For invalid input, with a correction, before anything runs.

    Examples
    --------
    >>> Challenge(himmelblau, space, trials=20)  # doctest: +SKIP
    """

    _is_closed = False

    def __init__(
        self,
        base_task_id: Callable[..., Any] | Path,
        hyper_parameters: Sequence[Any],
        rival: str | type[SearchStrategy] = "TPE",
        *,
        trials: int = 20,
        seed: int | None = None,
        **arguments: Any,
    ) -> None:
        if isinstance(rival, int):
            raise TypeError(f"a challenge takes its budget by name: write trials={rival!r:.80}")
        if not isinstance(rival, (str, type)):
            raise TypeError(f"rival is a name such as 'TPE', or the class of a strategy, got {rival!r:.80}")
        self._trials = positive_int("trials", trials)
        strategy, keywords = by_common_name(rival, self._trials) if isinstance(rival, str) else (resolve(rival), {})
        check_passed_on(Challenge, "a challenge", arguments, _OF_THE_CHALLENGE)
        if arguments.get("journal") is not None:
            arguments["journal"] = folder_of_journals(arguments["journal"])
        self._folder = TemporaryFolder("challenge")
        shared = {
            "max_number_of_concurrent_tasks": 1,
            "total_max_jobs": self._trials,
            "journal": self._folder.name,
            **arguments,
        }
        try:
            self._own = own = HyperParameterOptimizer(
                base_task_id, hyper_parameters, optimizer_class=AsProposed, allow_duplicates=True, **shared
            )
            self._rival = HyperParameterOptimizer(
                base_task_id, hyper_parameters, optimizer_class=strategy, seed=seed, **keywords, **shared
            )
            _check(own, self._trials)
        except BaseException:
            self._folder.cleanup()
            raise
        call_at_exit(self._leave)
        self._function = base_task_id
        title = self._rival.strategy_title
        self._names = (YOU, title if title != YOU else "the sampler")
        self._proposed: list[tuple[float | None, ...]] = []
        """The key of every point that was proposed."""
        self._points: list[Mapping[str, Any]] = []
        """The points in the same order, in which they are run."""
        self._looks: list[LookMap] = []
        self._own_refresher = Refresher(own)
        super().__init__(
            "a challenge", lambda: own.status, [own.subscribe, self._rival.subscribe], names=self._names,
            value_name=f"best so far, {text.axis(own.objectives[0])}", label="Challenge", alone="challenge",
            file_name="challenge", num_trials=self._trials, knows_size=False,
        )  # fmt: skip
        self.add_class("hpo-challenge")
        ipywidgets.link((self._map, "point"), (self._form, "point"))
        self._form.offer()
        self._refresher.add(self)

    def _arrange(self) -> list[ipywidgets.Widget]:
        own = self._own
        self._map = MapPlot(own, refresher=self._own_refresher)
        self._map.show_own(lambda: self._points[len(own.snapshot()) :])
        self._form = ProposalForm(
            own,
            num_left=lambda: self._num_left,
            was_proposed=lambda point: own.space.key(point) in self._proposed,
            on_proposed=self._on_proposed,
            refresher=self._own_refresher,
        )
        self._own_refresher.flow.follow(self._form)
        self._refresher.flow.follow(self._tables)
        self._end_of_game = ipywidgets.VBox()
        self._end_of_game.add_class("hpo-looks")
        self._end_of_game.add_class("hpo-part")
        aside = ipywidgets.VBox([self._tables, self._form])
        aside.add_class("hpo-challenge-aside")
        return [self._export, self._map, aside, self._end_of_game]

    # What is played -------------------------------------------------------------------------------

    def propose(self, **point: Any) -> None:
        """Propose a point; it is run at once.

        Parameters
        ----------
        **point
            A value for each parameter. Names that are no Python names: ``propose(**{"General/lr": 0.1})``.

        Raises
        ------
        ValueError
            For a point that the space does not have, and after the last one.
        RuntimeError
            After `close`.
        """
        if self._is_closed:
            raise RuntimeError("the challenge is closed; make another one")
        if not self._num_left:
            raise ValueError(f"all {self._trials} points are proposed")
        self._own.enqueue_trial(point)
        self._on_proposed(self._own.space.normalise(point))
        if not self._num_left:
            self._form.point = {}  # there is no further one to be offered

    @property
    def _num_left(self) -> int:
        """How many points may still be proposed."""
        return self._trials - len(self._proposed)

    def _on_proposed(self, point: Mapping[str, Any]) -> None:
        self._proposed.append(self._own.space.key(point))
        self._points.append(point)
        self._rival.start()
        self._own.start()

    @property
    def is_over(self) -> bool:
        """Whether all that was to be played has been."""
        rival = self._rival.status
        return self._num_ended >= self._trials and not rival.is_alive and rival is not SearchStatus.IDLE

    @property
    def _num_ended(self) -> int:
        return text.ended(self._own.counts)

    @property
    def searches(self) -> dict[str, HyperParameterOptimizer]:
        """Your search, and that of the sampler as soon as it may be seen."""
        shown = (self._own, self._rival) if self.is_over else (self._own,)
        return dict(zip(self._names, shown, strict=False))

    def wait(self, timeout: float | None = None) -> bool:
        """Wait until the points so far have been run, the sampler's too; see `HyperParameterOptimizer.wait`."""
        return self._own.wait(timeout) and self._rival.wait(timeout)

    def close(self) -> None:
        """Stop both searches, and free their folder, threads and comms."""
        self._is_closed = True
        super().close()
        if hasattr(self, "_plot"):
            close_tree(self._plot)  # which is a part of this at the end only

    def _end(self, timeout: float | None = None) -> None:
        # First what would start a search that was stopped.
        self._own_refresher.close()
        super()._end()
        for search in (self._own, self._rival):
            search.stop(timeout)
            search.close_files()
        self._folder.cleanup()

    def _leave(self) -> None:
        """Leave no folder behind when the process ends: searches that still run would write their journals again."""
        self._end(EXIT_MINUTES)

    def _say(self) -> Said:
        """Say nothing of the sampler before the end."""
        num_ended, is_over = self._num_ended, self.is_over
        said, why = self._tables.verdict
        return Said(
            name=f"Challenge against {self._names[1]}",
            about=f"challenge against {self._names[1]}",
            did="was over" if is_over else "was being played" if self._proposed else "had not begun",
            again="Run its cell again for another game.",
            plot="Best so far" if is_over else "Map",
            counts=[f"{num_ended} of {text.counted(self._trials, 'point')}"],
            has_values=num_ended > 0,
            verdict=(said, why if is_over else ""),
            facts=[text.objective(self._own.objectives[0])],
            end="over" if is_over else "",
        )

    def __repr__(self) -> str:
        return f"<Challenge of {self._names[1]}: {self._num_ended} of {self._trials} points>"

    # What is shown --------------------------------------------------------------------------------

    def refresh(self, _update: Update) -> None:
        """Show the end when it has come."""
        if self._num_ended < len(self._proposed) and not self._own.status.is_alive:
            self._own.start()  # a point that was proposed while the run of the one before was ending
        if self.is_over and not self._looks:
            own, pair = self._own, (self._map.x, self._map.y)
            minimise = own.objectives[0].minimise
            self._looks = look_maps(self._function, self._names, own.space, pair, minimise=minimise)
            for one, search in zip(self._looks, self.searches.values(), strict=True):
                one.draw(search.snapshot())
            self._end_of_game.children = [self._plot, grid_of(self._looks)]

    def _pictured(self) -> ipywidgets.Widget:
        """Return the map as long as it is played, then the best so far of both."""
        if self.is_over:
            return self._plot
        self._own_refresher.catch_up()
        return self._map

    def _traces(self) -> dict[str, list[Trace]]:
        minimise = self._own.objectives[0].minimise
        shown = {name: [trace_of(one.snapshot(), minimise=minimise)] for name, one in self.searches.items()}
        return {name: shown.get(name, []) for name in self._names}

    def _make_tables(self) -> tuple[list[dict[str, Any]], tuple[str, str]]:
        searches = self.searches  # once, as the sampler may end meanwhile
        is_over = len(searches) > 1
        best = {name: search.best_trial for name, search in searches.items()}
        rows = [
            [
                cell(name, series=series, strong=True),
                cell(f"{text.ended(searches[name].counts)} of {self._trials}"),
                cell(text.NO_VALUE if trial is None else text.number(trial.values[0])),
                cell(text.NO_VALUE if trial is None else f"#{trial.number}", muted=True),
            ]
            for series, (name, trial) in enumerate(best.items())
        ]
        tables = [table("Score", ["player", ">points", ">best", ">at"], rows)]
        said, why = self._verdict(best) if is_over else self._what_is_left()
        failures = f"{self._failure()}{self._failure_of_rival() if is_over else ''}"
        return tables, (said, f"{failures}{why}")

    def _what_is_left(self) -> tuple[str, str]:
        left = self._num_left
        if not left:
            return "No point is left.", "The result is shown when all have run, also those of the sampler."
        how = "Click an empty place of the map or change the values, then queue the point."
        return f"{left} {'points are' if left != 1 else 'point is'} left.", how

    def _verdict(self, best: Mapping[str, Trial | None]) -> tuple[str, str]:
        minimise = self._own.objectives[0].minimise
        own, other = (cost_of(None if one is None else one.values[0], minimise=minimise) for one in best.values())
        rival = self._names[1]
        lacking = "value" if all(one is None for one in best.values()) else "finite value"
        equal = "Neither was better." if own < math.inf else f"Neither has a {lacking}."
        said = "You were better." if own < other else f"{rival} was better." if other < own else equal
        return (
            said,
            "One game is one repeat, and says little: a StrategyRace has many. Run the cell again to play again.",
        )

    def _failure(self) -> str:
        """Say why the newest point has no value; empty where it has one, or may still get one."""
        count = len(self._own.snapshot())
        newest = self._own.trial(count - 1) if count else None
        if newest is None or newest.state is not TrialState.FAILED:
            return ""
        return f"{newest.name} failed: {short(str(newest.error), _MOST_ERROR)}. "

    def _failure_of_rival(self) -> str:
        """Say why the sampler has lost by failing; empty where it has used its budget, or had no further point."""
        rival, reason = self._rival, self._rival.stop_reason
        if rival.status is not SearchStatus.FAILED or reason is None or text.ended(rival.counts) >= self._trials:
            return ""
        return f"{self._names[1]} failed: {short(reason.sentence, _MOST_ERROR)}. "


def _check(search: HyperParameterOptimizer, num_trials: int) -> None:
    """Refuse what cannot be played to its end."""
    if len(search.objectives) > 1:
        raise ValueError(f"a challenge has one objective, got {len(search.objectives)}: choose one of them")
    MapPlot.check(search)
    size = search.space.size
    if size is not None and num_trials > size:
        raise ValueError(
            f"the space has {text.counted(size, 'point')}, and each can be proposed once: trials is at most {size}, "
            f"got {num_trials}"
        )
