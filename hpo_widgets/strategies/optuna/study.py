"""The study behind a search: asked and told, in memory, one for each space epoch; its log lines are held back."""

from __future__ import annotations

import contextlib
import logging
import threading
from typing import TYPE_CHECKING

import optuna
from optuna.study import StudyDirection

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

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
    """Return a new study in a storage.

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

    Returns
    -------
    AskTellStudy
        The study, without trials.
    """
    storage.create_new_study(directions, _STUDY_NAME)
    return AskTellStudy(study_name=_STUDY_NAME, storage=storage, sampler=sampler, pruner=pruner)


def directions_of(objectives: Sequence[Objective]) -> list[StudyDirection]:
    """Return Optuna's directions of objectives."""
    return [StudyDirection.MINIMIZE if objective.minimise else StudyDirection.MAXIMIZE for objective in objectives]


_ours = logging.getLogger("hpo_widgets.strategies.optuna")
_here = threading.local()


class _HoldBack(logging.Filter):
    """Lets pass what was logged outside `quiet`; the rest goes to our own logger as DEBUG."""

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
