"""Importance: which parameters explain the difference between good trials and all others."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any, NamedTuple

import ipywidgets
import numpy as np
import traitlets as t
from bqplot import Axis, Bars, LinearScale, OrdinalScale

from hpo_widgets._messages import run_in_thread
from hpo_widgets.trials import TrialState
from hpo_widgets.trials.columns import nan_where_absent
from hpo_widgets.trials.filter import TrialFilter
from hpo_widgets.widget import text
from hpo_widgets.widget.plots import style
from hpo_widgets.widget.plots.axes import even_ticks
from hpo_widgets.widget.plots.figure import AXIS, plain_figure
from hpo_widgets.widget.plots.numbers import MOST_ROWS, PlotNumbers, passing_rows
from hpo_widgets.widget.plots.plot import Plot
from hpo_widgets.widget.sync.flow import act_while_cell_runs

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from concurrent.futures import Future

    from hpo_widgets.search import Search
    from hpo_widgets.space import Space
    from hpo_widgets.trials.columns import Rows
    from hpo_widgets.widget.sync.refresher import Update

LEAST_TRIALS = 10
"""With fewer completed trials an importance would be chance."""

MOST_TRIALS = 1000
"""So many completed trials are looked at, spread evenly over all of them: about half a second of work."""

_MOST_GROUPS = 4
"""So many sets of trials that have other parameters than all are looked at beside all trials."""

MOST_BARS = 24
"""So many parameters are drawn, the most important ones."""

_PAUSE_SECONDS = 3.0
_PAUSE_FACTOR = 20
_MOST_NAME = 28
_MOST_TOLD = 4
_LEAST_GAP, _MOST_THICKNESS = 0.3, 0.1
"""Of the distance of two bars, the gap between them at least; and of the height of the plot, one bar at most."""
_MOST_ROOM, _LEAST_ROOM, _LETTER_WIDTH = 190, 24, 7
"""Pixels left of the bars at most, without any name, and for each letter of the longest one."""


class Importances(NamedTuple):
    """How important parameters are.

    Attributes
    ----------
    shares : dict of str to float
        Name to share of the whole, the greatest first; all 0 where no parameter explains anything.
    num_trials : int
        Completed trials that were looked at.
    conditional : dict of str to tuple
        Parameters that not every trial has: name to the share among the trials that have it, and how many these are.
    without_share : tuple of str
        Parameters without a share: they have one value only, or too few trials have them.
    """

    shares: dict[str, float]
    num_trials: int
    conditional: dict[str, tuple[float, int]]
    without_share: tuple[str, ...]


def importances(rows: Rows, space: Space, objective: int, *, minimise: bool) -> Importances | None:
    """Return the importance of each parameter by PED-ANOVA, for the best tenth of the trials against all.

    Parameters
    ----------
    rows
        All trials of a search.
    space
        The declared space.
    objective
        Index of the objective.
    minimise
        Its direction.

    Returns
    -------
    Importances or None
        None with fewer than `LEAST_TRIALS` completed trials that have a finite value.

    References
    ----------
    Watanabe, Bansal, Hutter: PED-ANOVA: Efficiently Quantifying Hyperparameter Importance in Arbitrary Subspaces,
    IJCAI 2023. Optuna's implementation.
    """
    values, completed = rows.values[:, objective], _with_value(rows, objective)
    if len(completed) < LEAST_TRIALS:
        return None
    chosen = completed[np.linspace(0, len(completed) - 1, min(len(completed), MOST_TRIALS)).round().astype(int)]
    columns = {name: nan_where_absent(column[chosen]) for name, column in rows.parameters.items()}
    shares = _shares(columns, values[chosen], space, minimise=minimise)
    conditional: dict[str, tuple[float, int]] = {}
    has_it = {name: np.isfinite(column) for name, column in columns.items()}
    groups = {has.tobytes(): has for has in has_it.values() if LEAST_TRIALS <= has.sum() < len(chosen)}
    for has in list(groups.values())[:_MOST_GROUPS]:
        inner = {name: column[has] for name, column in columns.items()}
        found = _shares(inner, values[chosen][has], space, minimise=minimise)
        conditional |= {
            name: (share, int(has.sum())) for name, share in found.items() if np.array_equal(has_it[name], has)
        }
    without_share = tuple(name for name in columns if name not in shares and name not in conditional)
    return Importances(shares, len(chosen), conditional, without_share)


def _shares(columns: Mapping[str, np.ndarray], values: np.ndarray, space: Space, *, minimise: bool) -> dict[str, float]:
    """Return the shares of the parameters that all of some trials have and that have several values there."""
    usable = {name: column for name, column in columns.items() if np.isfinite(column).all() and np.ptp(column) > 0}
    if np.ptp(values) == 0:  # then none is among the best
        shares = dict.fromkeys(usable, 0.0)
    else:
        shares = _ped_anova(usable, values, space, minimise=minimise) if usable else {}
    total = sum(shares.values())
    ordered = sorted(shares.items(), key=lambda item: (-item[1], item[0]))
    return {name: share / total if total > 0 else 0.0 for name, share in ordered}


def _with_value(rows: Rows, objective: int) -> np.ndarray:
    """Return the places of the completed trials that have a finite value: all that an importance can go by."""
    return np.flatnonzero((rows.state == TrialState.COMPLETED) & np.isfinite(rows.values[:, objective]))


def _ped_anova(columns: dict[str, np.ndarray], values: np.ndarray, space: Space, *, minimise: bool) -> dict[str, float]:
    import optuna
    from optuna.distributions import CategoricalDistribution, FloatDistribution

    from hpo_widgets.strategies.optuna.study import quiet

    distributions: dict[str, Any] = {}
    for name, column in columns.items():
        leaf = space.leaf(name)
        if leaf.kind == "choice":
            # A choice may have been added, and tried, since the space was read.
            distributions[name] = CategoricalDistribution(list(range(max(len(leaf.declared), int(column.max()) + 1))))
        else:
            # Ranges may have been widened since, and a point enqueued outside of them.
            low, high = leaf.declared
            low, high = min(low, float(column.min())), max(high, float(column.max()))
            distributions[name] = FloatDistribution(low, high, log=leaf.kind == "log" and low > 0)
    points = [dict(zip(columns, point, strict=True)) for point in np.stack(list(columns.values()), axis=1).tolist()]
    for name in columns:
        if isinstance(distributions[name], CategoricalDistribution):
            for point in points:
                point[name] = int(point[name])
    trials = [
        # Without the checks of `create_trial`, which take longer than all the rest.
        optuna.trial.FrozenTrial(
            number, optuna.trial.TrialState.COMPLETE, value, None, None, point, distributions, {}, {}, {}, number
        )
        for number, (point, value) in enumerate(zip(points, values.tolist(), strict=True))
    ]

    class Given(optuna.storages.InMemoryStorage):
        """A study of these trials, none of which is copied."""

        def get_all_trials(self, *_arguments: Any, **_keywords: Any) -> list[optuna.trial.FrozenTrial]:
            return trials

    with quiet():
        storage = Given()
        direction = optuna.study.StudyDirection.MINIMIZE if minimise else optuna.study.StudyDirection.MAXIMIZE
        storage.create_new_study([direction], "importance")
        study = optuna.load_study(study_name="importance", storage=storage)
        return dict(optuna.importance.PedAnovaImportanceEvaluator().evaluate(study))


class ImportancePlot(Plot):
    """Draws the importance of each parameter as a bar, live.

    Reckoned again on a thread of its own, at most every three seconds, for up to a thousand completed trials.

    Parameters
    ----------
    search
        The search to show.
    objective
        Index of the objective, from 0; with several it can be chosen. Default: the first one.

    Examples
    --------
    >>> ImportancePlot(optimizer)  # doctest: +SKIP
    """

    chosen = t.Unicode(None, allow_none=True, help="The parameter whose bar was clicked last.")

    def __init__(self, search: Search, *, clock: Callable[[], float] = time.monotonic, **keywords: Any) -> None:
        self._clock = clock
        self._answer: Future[tuple[Importances | None, int]] | None = None
        """What is being computed, with the number of trials that have a value, for the trials of `_asked_for` that pass
        `_asked_filter`, since `_asked_at` by the clock."""
        self._asked_for: tuple[object, ...] = ()
        self._asked_filter = TrialFilter()
        self._asked_at = self._not_before = -np.inf
        self._names: dict[str, str] = {}
        self._found: Importances | None = None
        super().__init__(search, **keywords)

    def make(self, search: Search) -> None:
        """Make the figure."""
        self._x, self._y = OrdinalScale(domain=[]), LinearScale(min=0.0, max=1.0)
        self._bars = Bars(
            x=[],
            y=[],
            scales={"x": self._x, "y": self._y},
            orientation="horizontal",
            colors=[style.DOT],
            padding=_LEAST_GAP,
        )
        act_while_cell_runs(self._bars)
        self._bars.on_element_click(lambda _mark, content: self._on_click(content.get("data")))
        self._said = ipywidgets.Label()
        self._said.add_class("hpo-muted")
        longest = max(map(len, text.labels(search.space.names).values()), default=0)
        # As many as fit beside the details of a trial, too.
        shares = {"tick_values": np.array(even_ticks(0.0, 1.0, 2)), "tick_format": ".0%"}
        self.figure = plain_figure(
            [self._bars],
            [
                Axis(scale=self._y, label="share of the importance", label_offset="32px", **shares, **AXIS),
                Axis(scale=self._x, side="left", grid_lines="none", **AXIS),
            ],
            self._title(),
            margins={"left": min(_MOST_ROOM, _LEAST_ROOM + _LETTER_WIDTH * longest), "right": 24},
        )

    def _title(self) -> str:
        return f"importance of each parameter for {self.objective_name}"

    def _take_objective(self) -> None:
        """Show nothing of the objective before, of which nothing is waited for either."""
        self._answer, self._asked_for, self._not_before = None, (), -np.inf
        self.figure.title = self._title()
        self._draw_nothing("The importance is being computed.")
        super()._take_objective()

    def contents(self) -> list[ipywidgets.Widget]:
        """Return the choice of the objective where there are several, the figure and what it is about."""
        self.add_class("hpo-plot-host")
        return [*self.objective_line(), self.figure, self._said]

    def refresh(self, update: Update) -> None:
        """Draw what was computed, and have it computed again when there is more to go by."""
        search = update.search
        answer = self._answer
        if answer is not None and answer.done():
            self._answer = None
            now = self._clock()
            self._not_before = now + max(_PAUSE_SECONDS, _PAUSE_FACTOR * (now - self._asked_at))
            self._draw(*answer.result())
        num_completed = search.counts.get(TrialState.COMPLETED, 0)
        chosen, at_once = self.filter, update.at_once
        # While no trial ends, a tag, other ranges and one that is left out or taken back may let other ones pass.
        asks_remarks = chosen.tags or search.counts.get(TrialState.LEFT_OUT, 0)
        remarks, num_epochs = update.rows.remarks if asks_remarks else None, len(search.epochs) if chosen.inside else 0
        asked_for = num_completed, remarks, num_epochs
        is_stale = asked_for != self._asked_for or chosen != self._asked_filter
        if at_once:
            is_due = is_stale or self._answer is not None
        else:
            has_waited = chosen != self._asked_filter or self._clock() >= self._not_before
            is_due = is_stale and has_waited and self._answer is None
        if not is_due:
            return
        space, objective = search.space, self.objective
        minimise = search.objectives[objective].minimise

        def ask() -> tuple[Importances | None, int]:
            rows = passing_rows(search, chosen)
            found = importances(rows, space, objective, minimise=minimise)
            return found, len(_with_value(rows, objective))

        self._asked_for, self._asked_filter, self._asked_at = asked_for, chosen, self._clock()
        if at_once:
            self._answer = None  # which is not waited for
            self._draw(*ask())
        else:
            self._answer = run_in_thread("hpo_widgets importance", ask, self._refresher.poke)

    def numbers(self) -> PlotNumbers:
        """Return the share of each parameter, the greatest first."""
        labels = text.labels(self.search.space.names)
        shares = {} if self._found is None else self._found.shares
        rows: list[tuple[Any, ...]] = [(labels[name], f"{share:.1%}") for name, share in shares.items()]
        conditional = {} if self._found is None else self._found.conditional
        rows += [
            (labels[name], f"{share:.1%} among the {text.counted(count, 'trial')} that have it")
            for name, (share, count) in conditional.items()
        ]
        columns = ("parameter", f"share of the importance{self._by}")
        return PlotNumbers(
            columns, rows[:MOST_ROWS], len(rows), "parameters, the most important first", "importances()"
        )

    def _draw(self, found: Importances | None, num_with_value: int) -> None:
        if found is None:
            num_missing = LEAST_TRIALS - num_with_value
            missing = f"{num_missing} {'is' if num_missing == 1 else 'are'} missing"
            self._draw_nothing(
                f"The importance is shown from {LEAST_TRIALS} completed trials on; "
                f"{missing if self._asked_filter.is_empty else 'fewer pass the filter'}."
            )
            return
        self._found = found
        labels = text.labels(self.search.space.names)
        shares = dict(list(found.shares.items())[:MOST_BARS])
        self._names = _short_names({name: labels[name] for name in shares})
        # The axis goes up, and the most important one belongs to the top.
        names = list(self._names)[::-1]
        if list(self._x.domain) != names:
            self._x.domain = names
        with self._bars.hold_sync():
            self._bars.x, self._bars.y = names, np.array(list(shares.values()))[::-1]
            self._bars.padding = max(_LEAST_GAP, 1 - _MOST_THICKNESS * len(names))
        self._said.value = _sentence(found, self._by)

    def _draw_nothing(self, why: str) -> None:
        self._found, self._said.value = None, why
        self._names, self._x.domain = {}, []
        with self._bars.hold_sync():
            self._bars.x, self._bars.y = [], style.NONE

    @property
    def _by(self) -> str:
        """Which of several objectives the shares go by."""
        return f" by {self.objective_name}" if len(self.search.objectives) > 1 else ""

    def _on_click(self, said: object) -> None:
        """Say which parameter was clicked; what the browser says is checked, and nonsense ignored."""
        name = self._names.get(str(said.get("x"))) if isinstance(said, dict) else None
        if name is not None:
            with self._refresher.lock:
                self.chosen = None
                self.chosen = name


def _short_names(labels: Mapping[str, str]) -> dict[str, str]:
    """Return names that fit beside bars, to those of the parameters."""
    shown = text.short_names([*labels.values()], _MOST_NAME)
    return {shown[label]: name for name, label in labels.items()}


def _sentence(found: Importances, by: str) -> str:
    """Say what the shares are of, ``by`` which of several objectives, and what has none."""
    sentence = f"What sets the best tenth{by} of {found.num_trials} trials apart (PED-ANOVA)."
    if not any(found.shares.values()):
        sentence += " No parameter explains it."
    if (num_more := len(found.shares) - MOST_BARS) > 0:
        sentence += f" {num_more} more, which explain less, are among the numbers."
    if found.conditional:
        told = sorted(found.conditional.items(), key=lambda item: -item[1][0])
        words = ", ".join(
            f"{text.short(name, _MOST_NAME)} {share:.0%} in {count} trials"
            for name, (share, count) in told[:_MOST_TOLD]
        )
        more = f" and {len(told) - _MOST_TOLD} more, among the numbers" if len(told) > _MOST_TOLD else ""
        sentence += f" Where it applies: {words}{more}."
    if found.without_share:
        more = f" and {len(found.without_share) - 3} more" if len(found.without_share) > 3 else ""
        names = ", ".join(text.short(name, _MOST_NAME) for name in found.without_share[:3])
        sentence += f" Without a share, as too few trials have it or its value never changed: {names}{more}."
    return sentence
