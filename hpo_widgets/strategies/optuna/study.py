"""The study behind a search: asked and told, in memory, one for each space epoch."""

from __future__ import annotations

from typing import TYPE_CHECKING

import optuna
from optuna.study import StudyDirection

if TYPE_CHECKING:
    from collections.abc import Sequence

    from optuna.pruners import BasePruner
    from optuna.samplers import BaseSampler

    from hpo_widgets.objectives import Objective
    from hpo_widgets.strategies.optuna.window import WindowedStorage

# Hyperband takes the bracket of a trial from the study's name, so the name must not be random.
_STUDY_NAME = "search"


class AskTellStudy(optuna.Study):
    """A study that is asked and told. `stop`, which Optuna allows in ``optimize`` only, sets a flag."""

    stop_requested = False

    def stop(self) -> None:
        """Note that the sampler has nothing left to try."""
        self.stop_requested = True


def make_study(
    storage: WindowedStorage,
    directions: Sequence[StudyDirection],
    sampler: BaseSampler,
    pruner: BasePruner,
) -> AskTellStudy:
    """Return a new study in a storage."""
    storage.create_new_study(directions, _STUDY_NAME)
    return AskTellStudy(study_name=_STUDY_NAME, storage=storage, sampler=sampler, pruner=pruner)


def directions_of(objectives: Sequence[Objective]) -> list[StudyDirection]:
    """Return Optuna's directions of objectives."""
    return [StudyDirection.MINIMIZE if objective.minimise else StudyDirection.MAXIMIZE for objective in objectives]
