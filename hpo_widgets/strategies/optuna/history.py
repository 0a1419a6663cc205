"""Trials of a search as trials of an Optuna study."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any, NamedTuple

from optuna.trial import TrialState as OptunaState
from optuna.trial import create_trial

from hpo_widgets.strategies.optuna.window import losses_of, thinned
from hpo_widgets.trials import TrialState

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    import numpy as np
    from optuna import Study
    from optuna.study import StudyDirection
    from optuna.trial import FrozenTrial, Trial

    from hpo_widgets.strategies.base import Observation
    from hpo_widgets.strategies.optuna.mapping import SpaceMap

    Curve = Mapping[int, float]


class _Past(NamedTuple):
    """A finished trial inside the space, before Optuna's costly trial object is made of it."""

    params: dict[str, Any]
    state: OptunaState
    values: Sequence[float] | None
    curve: Curve
    number: int | None
    has_failed: bool = False


_FAILED = "failed"  # the constraint that a failed trial violates


def outcome(observation: Observation, num_objectives: int, full_length: int | None = None) -> OptunaState:
    """Return the state that a sampler should know.

    A trial that lacks a value or has a NaN counts as failed; infinite values stay, samplers rank them last or first.
    An aborted trial tells nothing about its point and counts as failed, unless it had reached ``full_length``
    iterations.

    Parameters
    ----------
    observation
        The ended trial.
    num_objectives
        How many values a whole result has.
    full_length
        Iterations at which an aborted trial counts as complete. Default None: never.

    Returns
    -------
    OptunaState
        Complete, pruned or failed.
    """
    values = observation.values
    has_values = values is not None and len(values) == num_objectives and not any(map(math.isnan, values))
    is_full = observation.state is TrialState.COMPLETED or (
        observation.state is TrialState.ABORTED
        and full_length is not None
        and max(observation.iteration or (-1,)) >= full_length
    )
    if is_full and has_values:
        return OptunaState.COMPLETE
    if observation.state is TrialState.PRUNED:
        return OptunaState.PRUNED
    return OptunaState.FAIL


def has_failed(observation: Observation, state: OptunaState) -> bool:
    """Whether a trial tells that its point fails; an aborted one does not.

    Parameters
    ----------
    observation
        The ended trial.
    state
        What `outcome` says of it.

    Returns
    -------
    bool
        Whether.
    """
    return state is OptunaState.FAIL and observation.state is not TrialState.ABORTED


def tell_failed(study: Study, trial: Trial) -> None:
    """Tell a study that a trial has failed, in a way that its sampler learns from.

    A pruned trial that violates a constraint is the worst for TPE; one in Optuna's state *failed* is ignored.

    Parameters
    ----------
    study
        The study.
    trial
        Its trial.
    """
    trial.set_constraint(_FAILED, 1.0)
    study.tell(trial, state=OptunaState.PRUNED)


def is_failed(trial: FrozenTrial) -> bool:
    """Whether a trial of such a study has failed.

    Parameters
    ----------
    trial
        The trial.

    Returns
    -------
    bool
        Whether.
    """
    return trial.state is OptunaState.PRUNED and _FAILED in trial.constraints


class PastTrials:
    """Makes the trials that a new study begins with.

    Parameters
    ----------
    mapping
        The space of the new study.
    directions
        One per objective.
    full_length
        The iteration at which a trial is ended as complete; None when there is none.
    with_failed
        Whether failed trials are made, too, as by `tell_failed`.
    """

    def __init__(
        self, mapping: SpaceMap, directions: Sequence[StudyDirection], full_length: int | None, *, with_failed: bool
    ) -> None:
        self._map = mapping
        self._full_length = full_length
        self._with_failed = with_failed
        self._directions = directions

    def trials(
        self,
        observations: Sequence[Observation],
        study: Study | None,
        curves: Mapping[int, Curve],
        limit: int | None,
        rng: np.random.Generator,
    ) -> list[FrozenTrial]:
        """Return the finished trials inside the space, at most ``limit``, oldest first.

        Parameters
        ----------
        observations
            The search's own ended trials.
        study
            A study of the user's that this search continues; its trials come first, as the older ones.
        curves
            Intermediate values by trial number, as far as they are known.
        limit
            How many trials at most, chosen by `thinned`; None for all.
        rng
            Chooses which are left out.

        Returns
        -------
        list of FrozenTrial
            Trials of Optuna's.
        """
        past = list(self._of_study(study)) if study is not None else []
        for observation in observations:
            one = self._of_observation(observation, curves.get(observation.number, {}))
            if one is not None:
                past.append(one)
        if limit is not None and len(past) > limit:
            past = [past[row] for row in thinned(losses_of(past, self._directions), limit, rng)]
        return [self._frozen(one) for one in past]

    def trial(self, observation: Observation, curve: Curve) -> FrozenTrial | None:
        """Return one ended trial; None when it is outside the space or counts as failed.

        Parameters
        ----------
        observation
            The ended trial.
        curve
            Iteration to value, as far as it is known.

        Returns
        -------
        FrozenTrial or None
            A trial of Optuna's; None when it is outside the space or counts as failed.
        """
        one = self._of_observation(observation, curve)
        return None if one is None else self._frozen(one)

    def _of_observation(self, observation: Observation, curve: Curve) -> _Past | None:
        state = outcome(observation, len(self._directions), self._full_length)
        is_told_as_failed = self._with_failed and has_failed(observation, state)
        if state is OptunaState.FAIL and not is_told_as_failed:
            return None
        params = self._map.params(observation.point)
        if params is None:
            return None
        if is_told_as_failed:
            return _Past(params, OptunaState.PRUNED, None, {}, observation.number, has_failed=True)
        values: Sequence[float] | None = observation.values
        if state is OptunaState.PRUNED:
            curve = curve or last_report(observation)
            values = [curve[max(curve)]] if curve and len(self._directions) == 1 else None
            if values is not None and math.isnan(values[0]):
                values = None
        return _Past(params, state, values, curve, observation.number)

    def _of_study(self, study: Study) -> Iterator[_Past]:
        for trial in study.get_trials(deepcopy=False, states=(OptunaState.COMPLETE, OptunaState.PRUNED)):
            try:
                point = self._map.space.normalise(trial.params)
            except ValueError:
                continue
            params = self._map.params(point)
            if params is not None:
                yield _Past(params, trial.state, trial.values, trial.intermediate_values, None)

    def _frozen(self, one: _Past) -> FrozenTrial:
        return create_trial(
            state=one.state,
            values=one.values,
            params=one.params,
            distributions={name: self._map.distributions[name] for name in one.params},
            intermediate_values=dict(one.curve),
            user_attrs={} if one.number is None else {"number": one.number},
            constraints={_FAILED: 1.0} if one.has_failed else None,
        )


def last_report(observation: Observation) -> dict[int, float]:
    """Return the curve of a trial of which only the last value is known."""
    if not observation.values or not observation.iteration or observation.iteration[0] < 0:
        return {}
    return {observation.iteration[0]: observation.values[0]}
