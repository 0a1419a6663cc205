"""A study of Optuna that is there already, as what a search consists of: parameters, objectives and trials."""

from __future__ import annotations

import contextlib
import heapq
import math
from typing import TYPE_CHECKING, Any, NamedTuple

import optuna
from optuna.distributions import CategoricalDistribution, FloatDistribution, IntDistribution
from optuna.trial import TrialState as OptunaState

from hpo_widgets._messages import PRUNED, printable
from hpo_widgets.parameters import (
    DiscreteParameterRange,
    ParameterSet,
    UniformIntegerParameterRange,
    range_between,
)
from hpo_widgets.trials import TrialRow, TrialState

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from optuna.distributions import BaseDistribution
    from optuna.trial import FrozenTrial

    from hpo_widgets.objectives import Objective
    from hpo_widgets.parameters import LeafParameter, Parameter
    from hpo_widgets.space import Space

_STATES = {
    OptunaState.COMPLETE: TrialState.COMPLETED,
    OptunaState.PRUNED: TrialState.PRUNED,
    OptunaState.FAIL: TrialState.FAILED,
    OptunaState.RUNNING: TrialState.ABORTED,
}
"""Optuna's states to ours. A trial that still waits has no result, and is passed over."""

_ERRORS = {
    TrialState.PRUNED: PRUNED,
    TrialState.FAILED: "Optuna keeps no reason",
    TrialState.ABORTED: "it ran when its study was read",
}

_MOST_CHOICES = 32
"""Values that a whole number has at most on which other parameters depend."""

_LONGEST_TEXT = 500
"""Letters that the name of a scalar has at most, and an error."""


_Report = tuple[str, str, float, int]


class StudiedTrial(NamedTuple):
    """A trial of a study.

    Attributes
    ----------
    row
        All but its values.
    curve
        Its interim values, oldest first: title, series, value and iteration.
    results
        What it gave at its end, in the same form.
    """

    row: TrialRow
    curve: Sequence[_Report]
    results: Sequence[_Report]


def check_study(study: object) -> optuna.Study:
    """Return a study; raises a ``TypeError`` that says how to get one for anything else."""
    if isinstance(study, optuna.Study):
        return study
    how = "optuna.load_study(study_name='name', storage='sqlite:///study.db')"
    raise TypeError(f"from_optuna takes a study of Optuna, such as {how}, got {study!r:.80}")


def objectives_of(study: optuna.Study) -> tuple[list[str], list[str], list[str]]:
    """Return titles, series and signs of a study's objectives.

    Their names are the study's metric names, and without these ``objective``, or ``objective_0`` and so on.
    """
    signs = ["max" if one is optuna.study.StudyDirection.MAXIMIZE else "min" for one in study.directions]
    names = study.metric_names or (
        ["objective"] if len(signs) == 1 else [f"objective_{place}" for place in range(len(signs))]
    )
    parts = [name.rpartition("/") for name in names]
    return [title or series for title, _, series in parts], [series for _, _, series in parts], signs


# The space -----------------------------------------------------------------------------------------------------


def parameters_of(study: optuna.Study) -> list[Parameter]:
    """Return the parameters that the trials of a study have.

    A range is as wide as the widest that a trial had. A parameter that some trials lack depends on a choice, or on a
    whole number of few values: it becomes part of a `ParameterSet`. A whole number on a log scale is drawn evenly.

    Parameters
    ----------
    study
        A study with trials.

    Raises
    ------
    ValueError
        When no trial has any parameter, a parameter has ranges of different kinds, or no choice explains why some
        trials lack a parameter.
    """
    trials = [one for one in study.get_trials(deepcopy=False) if one.distributions]
    if not trials:
        raise ValueError(
            f"no trial of the study {study.study_name!r} has parameters, so its space is not known: give "
            "hyper_parameters="
        )
    leaves = {name: _leaf(name, alike) for name, alike in _distributions(trials).items()}
    # A trial that was pruned has most often asked for all of its parameters before its first report.
    whole = [one for one in trials if one.state in {OptunaState.COMPLETE, OptunaState.PRUNED}] or trials
    try:
        return _parts(whole, leaves)
    except _UnexplainedError:
        completed = [one for one in whole if one.state is OptunaState.COMPLETE]
        if not completed:
            raise
        return _parts(completed, leaves)


def _parts(trials: Sequence[FrozenTrial], leaves: Mapping[str, LeafParameter]) -> list[Parameter]:
    """Return the parameters of trials that have all of theirs, and then those that only others have."""
    having = {name: {place for place, one in enumerate(trials) if name in one.params} for name in leaves}
    named = [name for name, places in having.items() if places]
    conditions = {
        name: _condition(name, named, trials, having, leaves) for name in named if len(having[name]) < len(trials)
    }
    unexplained = [name for name, found in conditions.items() if found is None]
    if unexplained:
        raise _UnexplainedError(unexplained)

    def part(name: str) -> Parameter:
        leaf = leaves[name]
        dependent = {other: found[1] for other, found in conditions.items() if found is not None and found[0] == name}
        if not dependent:
            return leaf
        return ParameterSet(
            [
                {name: choice}
                | {f"part {other}": part(other) for other, places in dependent.items() if place in places}
                for place, choice in enumerate(_choices(leaf))
            ]
        )

    return [
        *(part(name) for name in named if name not in conditions),
        *(leaf for name, leaf in leaves.items() if name not in named),
    ]


def _condition(
    name: str,
    named: Sequence[str],
    trials: Sequence[FrozenTrial],
    having: Mapping[str, set[int]],
    leaves: Mapping[str, LeafParameter],
) -> tuple[str, set[int]] | None:
    """Find the parameter on whose choice another one depends, and the choices that bring it in; None: there is none.

    Of several it is the one that the fewest trials have, as it may itself depend on another. A whole number of few
    values, such as that of layers, counts as a choice, after all others.
    """
    found: tuple[str, set[int]] | None = None
    for other in sorted(named, key=lambda one: not isinstance(leaves[one], DiscreteParameterRange)):
        leaf = leaves[other]
        is_wider = having[name] < having[other] and (found is None or len(having[other]) < len(having[found[0]]))
        if not is_wider or not _choices(leaf):
            continue
        chosen = {place: leaf.index_of(trials[place].params[other]) for place in having[other]}
        present = {choice for place, choice in chosen.items() if choice is not None and place in having[name]}
        if all(place in having[name] for place, choice in chosen.items() if choice in present):
            found = other, present
    return found


def _choices(leaf: LeafParameter) -> Sequence[Any]:
    """Return what a parameter may be on which others depend; nothing for one that cannot."""
    if isinstance(leaf, DiscreteParameterRange):
        return leaf.declared
    count = leaf.num_values if isinstance(leaf, UniformIntegerParameterRange) else None
    return [leaf.value_at(place) for place in range(count)] if count is not None and count <= _MOST_CHOICES else []


def _distributions(trials: Sequence[FrozenTrial]) -> dict[str, list[BaseDistribution]]:
    """Return the distributions of each parameter, each once, by its name."""
    found: dict[str, list[BaseDistribution]] = {}
    for trial in trials:
        for name, distribution in trial.distributions.items():
            known = found.setdefault(name, [])
            if distribution not in known:
                known.append(distribution)
    return found


def _leaf(name: str, alike: Sequence[BaseDistribution]) -> LeafParameter:
    """Return a parameter that can have the values of all distributions."""
    first = alike[0]
    kinds = {type(one) for one in alike}
    if len(kinds) > 1:
        words = " and ".join(sorted(kind.__name__ for kind in kinds))
        raise ValueError(f"{name!r} has a {words} in different trials of the study: give hyper_parameters=")
    if isinstance(first, CategoricalDistribution):
        return DiscreteParameterRange(name, list(first.choices))
    ranges = [one for one in alike if isinstance(one, (FloatDistribution, IntDistribution))]
    low, high = min(one.low for one in ranges), max(one.high for one in ranges)
    steps = {one.step for one in ranges}
    step = steps.pop() if len(steps) == 1 else None
    is_log = any(one.log for one in ranges)
    return range_between(name, low, high, step=step, log=is_log, whole=isinstance(first, IntDistribution))


class _UnexplainedError(ValueError):
    """Trials lack parameters, and no choice explains which."""

    def __init__(self, names: Sequence[str]) -> None:
        super().__init__(
            f"some trials of the study lack {' and '.join(map(repr, names))}, and no choice of another parameter says "
            "which: give hyper_parameters=, with a ParameterSet for what depends on another parameter"
        )


# The trials ----------------------------------------------------------------------------------------------------


def trials_of(study: optuna.Study, space: Space, objectives: Sequence[Objective]) -> Iterator[StudiedTrial]:
    """Yield the trials of a study that have begun, oldest first, numbered from 0.

    User attributes that are numbers become scalars. A trial that ran at the same time as others is given a worker that
    had none of them. Values that the space does not have are an error.

    Parameters
    ----------
    study
        The study.
    space
        The space of the search.
    objectives
        The search's, as many as the study's.

    Raises
    ------
    ValueError
        For a trial that the space cannot hold: the message names it.
    """
    workers = _Workers()
    begun = (one for one in study.get_trials(deepcopy=False) if one.state in _STATES)
    for number, trial in enumerate(begun):
        try:
            point = space.encode({name: space.leaf(name).normalise(value) for name, value in trial.params.items()})
        except ValueError as error:
            raise ValueError(f"trial {trial.number} of the study: {error}") from error
        state = _STATES[trial.state]
        row = TrialRow(number, int(state), 0, point, started=_seconds(trial.datetime_start))
        row.ended = _seconds(trial.datetime_complete)
        if math.isnan(row.started):
            row.started = row.ended
        if state is TrialState.ABORTED:
            row.ended = row.started
        row.duration = max(0.0, row.ended - row.started)
        row.worker = workers.take(row.started, row.ended)
        row.error = _ERRORS.get(state)
        reason = trial.system_attrs.get("fail_reason")
        if state is TrialState.FAILED and isinstance(reason, str):
            row.error = printable(reason[:_LONGEST_TEXT])
        yield StudiedTrial(row, *_reports(trial, objectives))


def _reports(trial: FrozenTrial, objectives: Sequence[Objective]) -> tuple[list[_Report], list[_Report]]:
    """Return the interim values of a trial, and what it gave at its end."""
    curve: list[_Report] = []
    if len(objectives) == 1:
        title, series = objectives[0].title, objectives[0].series
        curve = [
            (title, series, float(trial.intermediate_values[step]), step) for step in sorted(trial.intermediate_values)
        ]
    last = curve[-1][3] if curve else 0
    values = list(trial.values) if trial.state is OptunaState.COMPLETE and trial.values is not None else []
    results = [(one.title, one.series, float(value), last) for one, value in zip(objectives, values, strict=False)]
    taken = {(one.title, one.series) for one in objectives}
    numbers = _numbers(trial.user_attrs)
    results += [(key, key, value, last) for key, value in numbers.items() if (key, key) not in taken]
    return curve, results


def _numbers(attributes: Mapping[str, Any]) -> dict[str, float]:
    """Return those of a trial's user attributes that can be scalars."""
    found = {}
    for key, value in attributes.items():
        if isinstance(value, (int, float)) and not isinstance(value, bool) and 0 < len(key) <= _LONGEST_TEXT:
            with contextlib.suppress(OverflowError):
                found[key] = float(value)
    return found


def _seconds(moment: Any) -> float:
    """Unix seconds of a moment of Optuna's, which is local time; NaN for None."""
    return math.nan if moment is None else float(moment.timestamp())


class _Workers:
    """Gives each trial the worker with the lowest index among those that are free when it begins."""

    def __init__(self) -> None:
        self._free: list[int] = []
        self._busy: list[tuple[float, int]] = []
        self._most = 0

    def take(self, started: float, ended: float) -> int:
        """Return the index of a worker; trials come in the order of their starts, or nearly so."""
        if math.isnan(started):
            return -1
        while self._busy and self._busy[0][0] <= started:
            heapq.heappush(self._free, heapq.heappop(self._busy)[1])
        if not self._free:
            heapq.heappush(self._free, self._most)
            self._most += 1
        worker = heapq.heappop(self._free)
        heapq.heappush(self._busy, (ended, worker))
        return worker
