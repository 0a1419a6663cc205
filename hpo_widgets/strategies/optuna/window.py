"""What a sampler sees of a long search, so that asking it stays cheap.

Optuna's samplers read all finished trials at every ask: with 10,000 trials of five parameters TPE
needs some eight times as long as with 1,000. `WindowedStorage` keeps every trial and shows the
sampler at most a given number of them.
"""

from __future__ import annotations

import contextlib
from collections import deque
from operator import attrgetter
from typing import TYPE_CHECKING, Any

import numpy as np
from optuna.storages import InMemoryStorage
from optuna.trial import TrialState

from hpo_widgets.objectives.pareto import fronts_in_turn

if TYPE_CHECKING:
    from collections.abc import Container, Iterator, Sequence

    import numpy.typing as npt
    from optuna.study import StudyDirection
    from optuna.trial import FrozenTrial

FINISHED = (TrialState.COMPLETE, TrialState.PRUNED)
_SLACK = 4  # the window is thinned when it is a quarter above its limit, so that not every trial costs a sort


def best_first(losses: npt.NDArray[np.float64]) -> npt.NDArray[np.intp]:
    """Return row numbers in the order of losses, shape (n, objectives); by fronts for several."""
    worst_last = np.where(np.isnan(losses), np.inf, losses)
    if losses.shape[1] == 1:
        return np.argsort(worst_last[:, 0], kind="stable")
    return np.concatenate([np.empty(0, dtype=np.intp), *fronts_in_turn(worst_last)])


def thinned(losses: npt.NDArray[np.float64], limit: int, rng: np.random.Generator) -> list[int]:
    """Choose which of many trials represent all of them: the best, the newest, a random rest.

    Parameters
    ----------
    losses
        Shape (n, number of objectives), oldest first; lower is better, NaN is worst.
    limit
        How many to keep, a third of each kind.
    rng
        Chooses the rest.

    Returns
    -------
    list of int
        At most ``limit`` row numbers, in ascending order.
    """
    n = len(losses)
    if n <= limit:
        return list(range(n))
    third = limit // 3
    order = best_first(losses)
    kept = set(order[:third].tolist()) | set(range(n - third, n))
    others = np.array([row for row in range(n) if row not in kept])
    kept.update(rng.choice(others, size=limit - len(kept), replace=False).tolist())
    return sorted(kept)


class WindowedStorage(InMemoryStorage):
    """Optuna's storage in memory, of which samplers and pruners see a bounded part.

    A sampler sees all unfinished trials and the window: every finished trial until there are a
    quarter more than ``limit``, then ``limit`` of them chosen by `thinned`, and so on. A pruner
    compares with what is typical now, so inside `newest` the last ``limit`` finished trials are seen
    instead, of those that have reported: one whose reports are not known, as they are at a server, would be
    among the trials that a pruner waits for, with nothing to compare with. Failed trials are in neither.

    Parameters
    ----------
    limit
        Number of finished trials; None: all of them.
    rng
        Chooses the random rest of the window.
    """

    def __init__(self, limit: int | None, rng: np.random.Generator) -> None:
        super().__init__()
        self._limit = limit
        self._rng = rng
        self._open: set[int] = set()
        self._window: list[FrozenTrial] = []
        self._newest: deque[FrozenTrial] = deque(maxlen=limit)
        self._shows_newest = False

    @contextlib.contextmanager
    def newest(self) -> Iterator[None]:
        """Show the newest finished trials that have reported instead of the window."""
        self._shows_newest = True
        try:
            yield
        finally:
            self._shows_newest = False

    def create_new_trial(self, study_id: int, template_trial: FrozenTrial | None = None) -> int:
        """Add a trial. See ``optuna.storages.BaseStorage``."""
        trial_id = super().create_new_trial(study_id, template_trial)
        if template_trial is not None and template_trial.state.is_finished():
            self._finish(study_id, trial_id)
        else:
            self._open.add(trial_id)
        return trial_id

    def set_trial_state_values(self, trial_id: int, state: TrialState, values: Sequence[float] | None = None) -> bool:
        """Change a trial's state. See ``optuna.storages.BaseStorage``."""
        is_changed = super().set_trial_state_values(trial_id, state, values)
        if state.is_finished():
            self._open.discard(trial_id)
            self._finish(0, trial_id)
        return is_changed

    def get_all_trials(
        self,
        study_id: int,
        deepcopy: bool = True,
        states: Container[TrialState] | None = None,
    ) -> list[FrozenTrial]:
        """Return the trials to be seen now, by number. See ``optuna.storages.BaseStorage``."""
        shows_all = self._limit is None and not self._shows_newest
        if shows_all or deepcopy or states == (TrialState.WAITING,):
            return super().get_all_trials(study_id, deepcopy, states)
        finished = self._newest if self._shows_newest else self._window
        trials = [*finished, *map(self.get_trial, self._open)]
        if states is not None:
            trials = [trial for trial in trials if trial.state in states]
        trials.sort(key=attrgetter("number"))
        return trials

    def _finish(self, study_id: int, trial_id: int) -> None:
        trial = self.get_trial(trial_id)
        if trial.state not in FINISHED:
            return
        if trial.intermediate_values:
            self._newest.append(trial)
        if self._limit is None:
            return
        self._window.append(trial)
        if len(self._window) > self._limit + self._limit // _SLACK:
            losses = losses_of(self._window, self.get_study_directions(study_id))
            rows = thinned(losses, self._limit, self._rng)
            self._window = [self._window[row] for row in rows]


def losses_of(trials: Sequence[Any], directions: Sequence[StudyDirection]) -> npt.NDArray[np.float64]:
    """Return values as losses, shape (n, objectives): lower is better, NaN for pruned trials.

    Parameters
    ----------
    trials
        Trials of Optuna's, or what has their ``state`` and ``values``.
    directions
        One for each objective.

    Returns
    -------
    array of float
        Shape (number of trials, number of objectives).
    """
    signs = np.array([-1.0 if direction.name == "MAXIMIZE" else 1.0 for direction in directions])
    nothing = [np.nan] * len(signs)
    rows: list[Any] = [trial.values if trial.state is TrialState.COMPLETE else nothing for trial in trials]
    losses: npt.NDArray[np.float64] = np.array(rows, dtype=float).reshape(len(rows), len(signs))
    signed: npt.NDArray[np.float64] = losses * signs
    return signed
