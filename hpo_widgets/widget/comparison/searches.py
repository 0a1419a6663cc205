"""compare: searches that were run anyway, side by side."""

from __future__ import annotations

import itertools
import math
from typing import TYPE_CHECKING, Any

from hpo_widgets._messages import printable, run_in_thread
from hpo_widgets.parameters import DiscreteParameterRange
from hpo_widgets.search import SearchStatus, in_words
from hpo_widgets.search.comparison import cost_of, idle_times, trace_of
from hpo_widgets.trials import TrialState
from hpo_widgets.trials.export import column_titles, csv_text
from hpo_widgets.widget import text
from hpo_widgets.widget.comparison.best_figure import MOST_COMPETITORS
from hpo_widgets.widget.comparison.panel import ComparisonPanel
from hpo_widgets.widget.comparison.snapshot import Said
from hpo_widgets.widget.comparison.table import cell, table
from hpo_widgets.widget.parts.part import as_search
from hpo_widgets.widget.parts.snapshot import DID
from hpo_widgets.widget.plots.importance import LEAST_TRIALS, Importances, importances

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from concurrent.futures import Future

    import ipywidgets
    import pandas as pd

    from hpo_widgets.parameters import LeafParameter
    from hpo_widgets.search import Search
    from hpo_widgets.search.comparison import Trace
    from hpo_widgets.trials import Trial

_MOST_PARAMETERS = 12
_MOST_NAME = 40


def compare(searches: Any, *more: Any) -> SearchComparison:
    """Show finished or running searches side by side.

    Best so far by trials and by minutes, the parameters of the best, and which parameters matter in each. Searches
    over other spaces, or for other objectives, are compared as far as they have the same; a sentence says what is not.

    Parameters
    ----------
    searches, *more
        Two to four, one after another or as one list: optimizers, opened journals (`HyperParameterOptimizer.open`) or
        anything else that a panel shows. A dict gives them names.

    Returns
    -------
    SearchComparison
        The last line of a cell shows it. `SearchComparison.to_dataframe` has the best of each.

    Raises
    ------
    TypeError, ValueError
        For anything but searches, and for too few or too many.

    Examples
    --------
    >>> compare({"wide": first, "narrow": second})  # doctest: +SKIP
    """
    return SearchComparison([searches, *more] if more else searches)


class SearchComparison(ComparisonPanel):
    """Two to four searches side by side; see `compare`.

    The searches continue when it is closed.

    Parameters
    ----------
    searches
        As for `compare`.
    """

    def __init__(self, searches: Sequence[Any] | Mapping[str, Any]) -> None:
        self._searches = _named(searches)
        self._importance: dict[str, tuple[int, Importances | None]] = {}
        """Name to the completed trials that its importances were computed for, and these; owned by the refresher."""
        self._answers: dict[str, tuple[int, Future[Importances | None]]] = {}
        self._sentences = differences(self._searches)
        names, shown = tuple(self._searches), self._searches.values()
        objective = next(iter(shown)).objectives[0]
        super().__init__(
            "a comparison", lambda: _status(shown), [one.subscribe for one in shown], names=names,
            value_name=f"best so far, {text.axis(objective)}", minimise=objective.minimise,
            label="Searches", alone="comparison", file_name="-".join(names),
            table=("Best trials as CSV", lambda: csv_text(self.to_dataframe())),
        )  # fmt: skip

    def _arrange(self) -> list[ipywidgets.Widget]:
        self._refresher.flow.follow(self._tables)
        return [self._export, self._plot, self._tables]

    @property
    def searches(self) -> Mapping[str, Search]:
        """The searches by their names."""
        return dict(self._searches)

    @property
    def sentences(self) -> tuple[str, ...]:
        """What cannot be compared; empty where all can."""
        return tuple(self._sentences)

    def to_dataframe(self) -> pd.DataFrame:
        """The best trial of each search: its value, when it came, and its parameters, one row per search.

        A parameter that is called like another column, such as ``value``, has the column ``General/value``.
        """
        import pandas as pd

        bests = {name: search.best_trial for name, search in self._searches.items()}
        names = dict.fromkeys(one for best in bests.values() if best is not None for one in best.parameters)
        titles = column_titles(names, {"search", "id", "trials", "value", "trial"})
        index = pd.Index(list(bests), name="search")
        frame: dict[str, Any] = {
            "id": [search.id for search in self._searches.values()],
            "trials": [text.ended(search.counts) for search in self._searches.values()],
            "value": [math.nan if best is None else best.values[0] for best in bests.values()],
            "trial": pd.array([None if best is None else best.number for best in bests.values()], dtype="Int64"),
        }
        points = [{} if best is None else best.parameters for best in bests.values()]
        for one, title in titles.items():
            # Left to itself, pandas makes 3.0 of a 3 beside a missing value, and NaN of the choice None.
            is_float = all(isinstance(point[one], float) for point in points if one in point)
            dtype = "float64" if is_float else object
            frame[title] = pd.Series([point.get(one) for point in points], index=index, dtype=dtype)
        return pd.DataFrame(frame, index=index)

    def _say(self) -> Said:
        searches = self._searches
        status, num_ended = _status(searches.values()), [text.ended(one.counts) for one in searches.values()]
        has_ended = status is SearchStatus.COMPLETED
        return Said(
            name=" · ".join(searches),
            about=f"comparison of {', '.join(searches)}",
            did="had ended" if has_ended else DID[str(status)],
            again="Run its cell to compare again.",
            plot="Best so far",
            counts=[f"{name} {text.counted(count, 'trial')}" for name, count in zip(searches, num_ended, strict=True)],
            has_values=any(num_ended),
            verdict=self._tables.verdict,
            best=_best_of_all(searches),
            end=f"{status}, {num_ended}" if has_ended else "",
        )

    def __repr__(self) -> str:
        return f"<SearchComparison of {', '.join(self._searches)}>"

    def _traces(self) -> dict[str, list[Trace]]:
        traces = {}
        for name, search in self._searches.items():
            rows = search.snapshot()
            traces[name] = [trace_of(rows, minimise=search.objectives[0].minimise, pauses=idle_times(rows))]
        return traces

    def _make_tables(self) -> tuple[list[dict[str, Any]], tuple[str, str]]:
        best = {name: search.best_trial for name, search in self._searches.items()}
        tables = [self._best_table(best), self._importance_table()]
        if not self._sentences:
            return tables, ("", "")
        return tables, ("Not all of this can be compared.", " ".join(self._sentences))

    def _best_table(self, best: Mapping[str, Trial | None]) -> dict[str, Any]:
        names = _parameters(self._searches)
        heads = _heads(names)
        rows = []
        for series, (name, search) in enumerate(self._searches.items()):
            trial = best[name]
            cells = [cell(name, series=series, strong=True), cell(_how(search), muted=True)]
            if trial is None:
                rows.append([*cells, *(cell(text.NO_VALUE) for _ in (0, 1, *names))])
                continue
            known = set(search.space.names)
            words = [text.parameter(search.space, trial, one) if one in known else text.NO_VALUE for one in names]
            rows.append(
                [*cells, cell(text.number(trial.values[0]), strong=True), cell(f"#{trial.number}"), *map(cell, words)]
            )
        columns = ["search", "trials", ">best", ">at", *(f">{heads[one]}" for one in names)]
        return table("The best of each search", columns, rows)

    def _importance_table(self) -> dict[str, Any]:
        self._compute()
        names = _parameters(self._searches)
        heads = _heads(names)
        rows = []
        for series, name in enumerate(self._searches):
            _, found = self._importance.get(name, (0, None))
            shares = {} if found is None else found.shares
            words = [f"{shares[one]:.0%}" if one in shares else text.NO_VALUE for one in names]
            rows.append([cell(name, series=series, strong=True), *map(cell, words)])
        note = f"What sets the best tenth apart (PED-ANOVA), from {LEAST_TRIALS} completed trials on."
        return table(
            "Importance of each parameter",
            ["importance", *(f">{heads[one]}" for one in names)],
            rows,
            note,
        )

    def _compute(self) -> None:
        """Take importances that are there; for many more trials they are computed again, on a thread."""
        for name, search in self._searches.items():
            if name in self._answers and self._answers[name][1].done():
                asked, answer = self._answers.pop(name)
                self._importance[name] = asked, answer.result()
            count = search.counts.get(TrialState.COMPLETED, 0)
            known, _ = self._importance.get(name, (0, None))
            # A tenth more, as each costs up to half a second; at the end all.
            is_due = count != known if not search.status.is_alive else count >= known * 1.1 + 1
            if name in self._answers or count < LEAST_TRIALS or not is_due:
                continue

            def ask(search: Search = search) -> Importances | None:
                return importances(search.snapshot(), search.space, 0, minimise=search.objectives[0].minimise)

            if search.status.is_alive:
                self._answers[name] = count, run_in_thread("hpo_widgets importance", ask, self._refresher.poke)
            else:  # this may be what is saved
                self._importance[name] = count, ask()


def _named(given: Sequence[Any] | Mapping[str, Any]) -> dict[str, Search]:
    """Return the searches by names that differ."""
    if isinstance(given, str) or not hasattr(given, "__iter__"):
        msg = f"compare takes a list of searches, or a dict of names to them: write compare([a, b]), got {given!r:.80}"
        raise TypeError(msg)
    own_names = hasattr(given, "keys")
    entries: list[tuple[str | None, Any]] = (
        [(printable(str(name)), one) for name, one in dict(given).items()]
        if own_names
        else [(None, one) for one in given]
    )
    if not 2 <= len(entries) <= MOST_COMPETITORS:
        msg = f"compare takes 2 to {MOST_COMPETITORS} searches, got {len(entries)}"
        raise ValueError(msg)
    searches = [(name, as_search(one)) for name, one in entries]
    if len({id(one) for _, one in searches}) < len(searches):
        msg = "compare was given the same search twice"
        raise ValueError(msg)
    shown = [one.name for _, one in searches]
    own = [name or (one.name if shown.count(one.name) == 1 else None) for name, one in searches]
    fixed = [name for name in own if name is not None]
    twice = sorted({name for name in fixed if fixed.count(name) > 1})
    if twice:
        msg = f"compare was given two searches of the same name: {', '.join(map(repr, twice))}"
        raise ValueError(msg)
    named: dict[str, Search] = {}
    for place, (name, (_, one)) in enumerate(zip(own, searches, strict=True)):
        counted = (f"{one.name} {number}" for number in itertools.count(place + 1))
        named[name if name is not None else next(made for made in counted if made not in {*fixed, *named})] = one
    return named


def differences(searches: Mapping[str, Search]) -> list[str]:
    """Say in sentences what cannot be compared of some searches with the first one; none where all can."""
    (first_name, first), *others = searches.items()
    sentences = []
    for name, search in others:
        one, other = first.objectives[0], search.objectives[0]
        if one.minimise != other.minimise:
            directions = f"{first_name} is to {text.objective(one)}, {name} to {text.objective(other)}"
            sentences.append(f"{directions}: which one is better cannot be said.")
        elif one.key != other.key:
            sentences.append(
                f"Values are {one.key} in {first_name} and {other.key} in {name}, which may not be comparable."
            )
        mine, theirs = set(first.space.names), set(search.space.names)
        if mine != theirs:
            only = [
                f"only {whose} has {', '.join(text.short(some, _MOST_NAME) for some in sorted(names)[:3])}"
                for whose, names in ((first_name, mine - theirs), (name, theirs - mine))
                if names
            ]
            sentences.append(f"The spaces differ: {'; '.join(only)}.")
            continue
        changed = [
            some for some in first.space.names if _range(first.space.leaf(some)) != _range(search.space.leaf(some))
        ]
        if changed:
            names = ", ".join(text.short(some, _MOST_NAME) for some in changed[:3])
            sentences.append(f"{name} has another range of {names} than {first_name}.")
    if any(len(search.objectives) > 1 for search in searches.values()):
        sentences.append("Of several objectives the first one is compared.")
    return sentences


def _best_of_all(searches: Mapping[str, Search]) -> str:
    """Say which search has the best value; empty where the values are not alike, or none is finite."""
    objectives = [one.objectives[0] for one in searches.values()]
    if len({(one.minimise, one.key) for one in objectives}) > 1:
        return ""
    minimise = objectives[0].minimise
    bests = [(name, one.best_trial) for name, one in searches.items()]
    ranked = [(cost_of(best.values[0], minimise=minimise), name, best) for name, best in bests if best is not None]
    known = [entry for entry in ranked if entry[0] < math.inf]
    if not known:
        return ""
    _, name, best = min(known, key=lambda entry: entry[0])
    return f"best {text.number(best.values[0])} in {name} at {best.name}"


def _range(leaf: LeafParameter) -> tuple[object, ...]:
    """What can be compared of a range between two spaces: bounds, or the texts of choices, whatever those are."""
    return (
        tuple(leaf.labels[place] for place in leaf.range_key)
        if isinstance(leaf, DiscreteParameterRange)
        else leaf.range
    )


def _heads(names: Sequence[str]) -> dict[str, str]:
    """Map each parameter to what its column of a table is called."""
    labels = text.labels(names)
    short = text.short_names([*labels.values()], _MOST_NAME)
    return {name: short[labels[name]] for name in names}


def _parameters(searches: Mapping[str, Search]) -> list[str]:
    """Names of the parameters that have columns: those that most searches have first."""
    names = dict.fromkeys(name for search in searches.values() for name in search.space.names)
    having = {name: sum(name in search.space.names for search in searches.values()) for name in names}
    return sorted(names, key=lambda name: -having[name])[:_MOST_PARAMETERS]


def _how(search: Search) -> str:
    return f"{text.ended(search.counts)}, {in_words.pill(search)['word']}"


def _status(searches: Any) -> SearchStatus:
    """Running while one of them is, as its end is to be shown at once."""
    statuses = [search.status for search in searches]
    if any(status.is_alive for status in statuses):
        return SearchStatus.RUNNING
    return SearchStatus.IDLE if all(status is SearchStatus.IDLE for status in statuses) else SearchStatus.COMPLETED
