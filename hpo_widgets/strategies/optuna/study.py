"""The study in memory behind a search, and a search exported as a study for Optuna's plots and analyses."""

from __future__ import annotations

import contextlib
import logging
import math
import threading
import warnings
from typing import TYPE_CHECKING, Any

import optuna
from optuna.distributions import (
    BaseDistribution,
    CategoricalDistribution,
    FloatDistribution,
    IntDistribution,
)
from optuna.study import StudyDirection
from optuna.trial import TrialState as OptunaState
from optuna.trial import create_trial

from hpo_widgets.strategies.optuna.history import last_report, outcome
from hpo_widgets.strategies.optuna.mapping import can_hold

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from optuna.pruners import BasePruner
    from optuna.samplers import BaseSampler

    from hpo_widgets.objectives import Objective
    from hpo_widgets.parameters import LeafParameter
    from hpo_widgets.space import Space
    from hpo_widgets.strategies.base import Observation
    from hpo_widgets.strategies.optuna.window import WindowedStorage


# Hyperband takes the bracket of a trial from the study's name, so the name must not be random.
_STUDY_NAME = "search"


class AskTellStudy(optuna.Study):
    """A new study that is asked and told. `stop`, which Optuna allows in ``optimize`` only, sets a flag.

    Parameters
    ----------
    storage
        Where its trials are.
    directions
        One for each objective.
    sampler
        Chooses points.
    pruner
        Judges curves.
    """

    stop_requested = False

    def __init__(
        self, storage: WindowedStorage, directions: Sequence[StudyDirection], sampler: BaseSampler, pruner: BasePruner
    ) -> None:
        storage.create_new_study(directions, _STUDY_NAME)
        super().__init__(_STUDY_NAME, storage, sampler, pruner)

    def stop(self) -> None:
        """Note that the sampler has nothing left to try."""
        self.stop_requested = True


def directions_of(objectives: Sequence[Objective]) -> list[StudyDirection]:
    """Return Optuna's directions of objectives."""
    return [StudyDirection.MINIMIZE if objective.minimise else StudyDirection.MAXIMIZE for objective in objectives]


_ours = logging.getLogger("hpo_widgets.strategies.optuna")
_here = threading.local()


class _HoldBack(logging.Filter):
    """Passes on what was logged outside `quiet`; the rest goes to this package's logger as DEBUG."""

    def filter(self, record: logging.LogRecord) -> bool:
        # A handler may serve other loggers too, ours among them.
        if not getattr(_here, "depth", 0) or record.name.partition(".")[0] != "optuna":
            return True
        _ours.debug("%s: %s", record.name, record.getMessage())
        return False


_hold_back = _HoldBack()


@contextlib.contextmanager
def quiet() -> Iterator[None]:
    """Hold back what Optuna logs on this thread inside the block.

    Optuna's verbosity and handlers stay as the user set them: a study of the user's own beside this
    search, also on another thread, logs as before.
    """
    for handler in logging.getLogger("optuna").handlers:
        handler.addFilter(_hold_back)  # does nothing when it is there already
    _here.depth = getattr(_here, "depth", 0) + 1
    try:
        yield
    finally:
        _here.depth -= 1


def study_from_trials(
    space: Space,
    objectives: Sequence[Objective],
    observations: Sequence[Observation],
    name: str | None = None,
) -> optuna.Study:
    """Return an Optuna study in memory that holds ended trials.

    Parameters
    ----------
    space
        The present space. A range is widened where trials of earlier ranges lie outside it.
    objectives
        One direction each; their ``title/series`` become the study's metric names.
    observations
        Ended trials, oldest first.
    name
        The study's name. Default: Optuna's own.

    Returns
    -------
    optuna.Study
        Parameters have the search's names and values. Choices that Optuna cannot hold or tell apart
        appear as their labels. Steps are left out, since enqueued points may lie between them. Each
        trial's number and state in the search are its user attributes ``number`` and ``state``.
    """
    columns = {name: _ExportedParameter(space.leaf(name), name, observations) for name in space.names}
    with quiet():
        study = optuna.create_study(
            study_name=name,
            storage=optuna.storages.InMemoryStorage(),
            directions=["minimize" if objective.minimise else "maximize" for objective in objectives],
        )
        study.add_trials([_trial(o, columns, len(objectives)) for o in observations])
        keys = [objective.key for objective in objectives]
        if len(set(keys)) == len(keys):
            with warnings.catch_warnings():
                warnings.simplefilter("ignore", optuna.exceptions.ExperimentalWarning)
                study.set_metric_names(keys)
    return study


class _ExportedParameter:
    """One parameter with a distribution that holds the values of all trials."""

    def __init__(self, leaf: LeafParameter, name: str, observations: Sequence[Observation]) -> None:
        self._labels: dict[int, str] | None = None
        self._leaf = leaf
        self.distribution: BaseDistribution
        if leaf.kind == "choice":
            if can_hold(leaf.declared):
                self.distribution = CategoricalDistribution(leaf.declared)
            else:
                self._labels = dict(enumerate(getattr(leaf, "labels", ())))
                self.distribution = CategoricalDistribution(list(self._labels.values()))
            return
        values = [o.point[name] for o in observations if name in o.point]
        low, high = min([*leaf.range, *values]), max([*leaf.range, *values])
        if leaf.kind == "int":
            self.distribution = IntDistribution(int(low), int(high))
        else:
            self.distribution = FloatDistribution(low, high, log=leaf.kind == "log" and low > 0)

    def value(self, value: Any) -> Any:
        if self._labels is None:
            return value
        table: Any = self._leaf
        return self._labels[table.table.index_of(value)]


def _trial(
    observation: Observation, columns: dict[str, _ExportedParameter], num_objectives: int
) -> optuna.trial.FrozenTrial:
    state = outcome(observation, num_objectives)
    curve = last_report(observation) if num_objectives == 1 else {}
    values = observation.values if state is OptunaState.COMPLETE else None
    # Storages of Optuna's that are files or servers hold no NaN as a value.
    if state is OptunaState.PRUNED and curve and not any(map(math.isnan, curve.values())):
        values = observation.values
    return create_trial(
        state=state,
        values=values,
        params={name: columns[name].value(value) for name, value in observation.point.items()},
        distributions={name: columns[name].distribution for name in observation.point},
        intermediate_values=curve,
        user_attrs={"number": observation.number, "state": observation.state.label},
    )
