"""What is said before a search runs: what a sampler cannot do, and what a person should know."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from optuna.pruners import NopPruner
from optuna.samplers import CmaEsSampler

from hpo_widgets.parameters import LeafParameter, Parameter, ParameterSet
from hpo_widgets.strategies.optuna.mapping import SpaceMap
from hpo_widgets.strategies.optuna.samplers import nested
from hpo_widgets.strategies.optuna.study import make_study
from hpo_widgets.strategies.optuna.window import WindowedStorage

if TYPE_CHECKING:
    from collections.abc import Sequence

    from optuna.samplers import BaseSampler
    from optuna.study import StudyDirection

    from hpo_widgets.space import Space


def expect(given: object, kind: type, keyword: str, example: str) -> None:
    """Raise a TypeError when an argument is neither None nor an instance of an Optuna class."""
    if given is not None and not isinstance(given, kind):
        hint = ": pass an instance, not the class" if isinstance(given, type) else ""
        msg = f"{keyword} must be an optuna {kind.__name__} such as {example}, got {given!r}{hint}"
        raise TypeError(msg)


def has_continuous(parameter: Parameter) -> bool:
    """Tell whether a parameter, or one inside it, has a range without steps."""
    if isinstance(parameter, ParameterSet):
        return any(
            isinstance(part, Parameter) and has_continuous(part)
            for combination in parameter.values
            for part in combination.values()
        )
    return isinstance(parameter, LeafParameter) and parameter.num_values is None


def try_sampler(sampler: BaseSampler, space: Space, directions: Sequence[StudyDirection]) -> None:
    """Ask a sampler for two points in a study of its own; it raises what it has against the space."""
    mapping = SpaceMap(space)
    study = make_study(WindowedStorage(None, np.random.default_rng(0)), directions, sampler, NopPruner())
    for _ in range(2):  # many samplers look at the space from the second trial on
        trial = study.ask()
        mapping.suggest(trial)
        study.tell(trial, [0.0] * len(directions))


def notes_on(sampler: BaseSampler | None, space: Space, epoch: int, num_objectives: int) -> tuple[str, ...]:
    """Return sentences on what this search's sampler and pruner leave out."""
    notes = []
    if num_objectives > 1:
        notes.append("Nothing is pruned: Optuna's pruners compare one objective, this search has several.")
    if sampler is not None and any(isinstance(part, CmaEsSampler) for part in nested(sampler)):
        drawn = [
            name
            for name, alternatives in space.conditions.items()
            if alternatives != ((),) or space.leaf(name).kind == "choice"
        ]
        if drawn:
            notes.append(f"CMA-ES leaves {', '.join(drawn)} to random sampling: it takes numbers that every trial has.")
        if epoch:
            notes.append("CMA-ES cannot change its space: it has started again inside the new range.")
    return tuple(notes)
