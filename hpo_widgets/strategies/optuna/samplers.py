"""Optuna's samplers under a space that changes: fresh copies, seeds, warm starts, and what a sampler cannot do."""

from __future__ import annotations

import copy
import importlib.util
import threading
import warnings
from typing import TYPE_CHECKING, Any

import numpy as np
from optuna.distributions import FloatDistribution, IntDistribution
from optuna.exceptions import ExperimentalWarning
from optuna.pruners import NopPruner
from optuna.samplers import (
    BaseGASampler,
    BaseSampler,
    BruteForceSampler,
    CmaEsSampler,
    GPSampler,
    GridSampler,
    QMCSampler,
    TPESampler,
)
from optuna.trial import TrialState

from hpo_widgets.parameters import LeafParameter, Parameter, ParameterSet
from hpo_widgets.strategies.optuna.window import best_first, losses_of

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from optuna import Study
    from optuna.distributions import BaseDistribution
    from optuna.study import StudyDirection
    from optuna.trial import FrozenTrial


_LOCK = type(threading.Lock())
_SMALLEST_WARM_START = 10  # trials: the method looks at the best tenth
_LIBRARIES: dict[type[BaseSampler], tuple[str, ...]] = {
    CmaEsSampler: ("cmaes",), GPSampler: ("scipy", "torch"), QMCSampler: ("scipy",)
}  # fmt: skip
"""What Optuna imports when a sampler of a class proposes, and does not bring."""


def without_pruning(name: str) -> dict[str, Any]:
    """Return the keywords of `OptimizerOptuna` for a sampler of a common name, without pruning."""
    if name == "TPE + GP":
        return {"optuna_pruner": NopPruner()}  # the sampler is the default
    if name == "TPE":
        return {"optuna_sampler": TPESampler(), "optuna_pruner": NopPruner()}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ExperimentalWarning)  # it is experimental in Optuna for years
        # A seeded search seeds the sampler too, so that Optuna's warning about a missing seed would be wrong.
        sampler = QMCSampler(qmc_type="sobol", scramble=True, warn_asynchronous_seeding=False)
        return {"optuna_sampler": sampler, "optuna_pruner": NopPruner()}


def nested(sampler: BaseSampler) -> Iterator[BaseSampler]:
    """Yield a sampler and every sampler that it holds."""
    yield sampler
    for part in vars(sampler).values():
        if isinstance(part, BaseSampler):
            yield from nested(part)


def missing_libraries(sampler: BaseSampler) -> list[str]:
    """Return the names of libraries that a sampler will import and that are not installed."""
    needed = [
        name for part in nested(sampler) for kind in _LIBRARIES if isinstance(part, kind) for name in _LIBRARIES[kind]
    ]
    return [name for name in dict.fromkeys(needed) if importlib.util.find_spec(name) is None]


def is_exhaustive(sampler: BaseSampler) -> bool:
    """Tell whether a sampler goes through a finite list and stops its study at the end."""
    return any(isinstance(part, (GridSampler, BruteForceSampler)) for part in nested(sampler))


def needs_all_trials(sampler: BaseSampler) -> bool:
    """Tell whether a sampler keeps records of its own over trials, in which none may be missing."""
    return is_exhaustive(sampler) or any(isinstance(part, BaseGASampler) for part in nested(sampler))


def fresh(prototype: BaseSampler, seed: int, epoch: int, draws: int, *, is_seeded: bool) -> BaseSampler:
    """Return a sampler for a new study, with random numbers that follow from the arguments.

    A sampler cannot serve two studies: it remembers the space of the first. So each space epoch gets a
    copy of the user's instance as it was handed over. The copy for the very first draw keeps the seed
    that the user gave the sampler; later ones go on with other numbers.

    Parameters
    ----------
    prototype
        The user's sampler, never used itself.
    seed, epoch, draws
        What the seed of the random numbers is made of.
    is_seeded
        Whether the search was given a seed, which then also seeds scrambled QMC sequences.

    Returns
    -------
    BaseSampler
        A sampler that was never used.
    """
    words = np.random.SeedSequence([seed, epoch, draws]).generate_state(2)
    # Optuna's genetic samplers have a lock from 5.1 on, which cannot be copied: each copy gets one of its own.
    attributes = [value for part in nested(prototype) for value in vars(part).values()]
    locks = {id(value): threading.Lock() for value in attributes if isinstance(value, _LOCK)}
    sampler = copy.deepcopy(prototype, locks)
    keeps_own_seed = epoch == 0 and draws == 0
    for state, has_seed in _random_states(sampler):
        if not (keeps_own_seed and has_seed):
            own = state.get_state(legacy=False)["state"]["key"][:2] if has_seed else ()
            state.seed(np.array([*words, *own], dtype=np.uint32))
    if is_seeded:
        for part in nested(sampler):
            if isinstance(part, QMCSampler):
                # All draws of an epoch are one sequence, so it does not depend on `draws`.
                part._seed = int(np.random.SeedSequence([seed, epoch]).generate_state(1)[0])  # noqa: SLF001
    return sampler


def _random_states(part: object, known: set[int] | None = None) -> Iterator[tuple[np.random.RandomState, bool]]:
    """Yield the random states inside a sampler, each with whether the user had it seeded.

    Optuna offers only ``reseed_rng()``, which takes fresh entropy and so cannot be repeated.
    """
    known = set() if known is None else known
    if id(part) in known or not hasattr(part, "__dict__"):
        return
    known.add(id(part))
    for value in list(vars(part).values()):
        if type(value).__name__ == "LazyRandomState":
            if id(value) not in known:
                known.add(id(value))
                has_seed = vars(value).get("_rng") is not None
                yield value.rng, has_seed
        elif isinstance(value, np.random.RandomState):
            if id(value) not in known:
                known.add(id(value))
                yield value, True
        elif isinstance(value, BaseSampler) or type(value).__module__.startswith("optuna.samplers"):
            yield from _random_states(value, known)


def warm_start(
    sampler: BaseSampler,
    distributions: Mapping[str, BaseDistribution],
    trials: Sequence[FrozenTrial],
    directions: Sequence[StudyDirection],
) -> None:
    """Give the history to samplers that keep their state in the trials of their study, when a new study begins.

    CMA-ES gets the history as its ``source_trials`` (Nomura et al., AAAI 2021), unless the user set these or a
    starting point: it begins where the best tenth lies and not in the middle of the range. The best of the
    history become the first generation of NSGA-II and NSGA-III. Other samplers read the history themselves.

    Parameters
    ----------
    sampler
        A fresh sampler.
    distributions
        The parameters that every trial has, by name.
    trials
        The history inside the space; not yet in the study.
    directions
        One per objective.
    """
    completed = [trial for trial in trials if trial.state is TrialState.COMPLETE]
    for part in nested(sampler):
        if isinstance(part, CmaEsSampler):
            _give_sources(part, distributions, completed)
        elif isinstance(part, BaseGASampler):
            size = part.population_size
            if size is not None and len(completed) >= size:
                for row in best_first(losses_of(completed, directions))[:size]:
                    completed[row].system_attrs[part._get_generation_key()] = 0  # noqa: SLF001


def _give_sources(
    sampler: CmaEsSampler, distributions: Mapping[str, BaseDistribution], completed: Sequence[FrozenTrial]
) -> None:
    numeric = {
        name: distribution
        for name, distribution in distributions.items()
        if isinstance(distribution, (FloatDistribution, IntDistribution)) and not distribution.single()
    }
    own = vars(sampler)
    is_set = any(own.get(name) is not None for name in ("_x0", "_sigma0", "_source_trials"))
    if not numeric or len(completed) < _SMALLEST_WARM_START or is_set or own.get("_use_separable_cma"):
        return
    sources = []
    for trial in completed:
        source = copy.copy(trial)
        source.params = {name: trial.params[name] for name in numeric}
        source.distributions = dict(numeric)
        sources.append(source)
    sampler._source_trials = sources  # noqa: SLF001  its constructor was the user's business


class SpaceWideSampler(BaseSampler):
    """A QMC sampler that is given the whole space instead of inferring it from the first trial.

    So the first point and conditional parameters are part of the sequence too, and the n-th point follows
    from n alone.

    Parameters
    ----------
    sampler
        The QMC sampler.
    distributions
        All parameters by name.
    draws
        How many points of the sequence to leave out.
    """

    def __init__(self, sampler: QMCSampler, distributions: Mapping[str, BaseDistribution], draws: int) -> None:
        self._sampler = sampler
        self._distributions = {
            name: distribution for name, distribution in sorted(distributions.items()) if not distribution.single()
        }
        self._draws = draws
        self.is_on = True

    def infer_relative_search_space(self, study: Study, trial: FrozenTrial) -> dict[str, BaseDistribution]:
        """Return the whole space, or nothing while a trial is only being entered."""
        del study, trial
        return dict(self._distributions) if self.is_on else {}

    def sample_relative(
        self, study: Study, trial: FrozenTrial, search_space: dict[str, BaseDistribution]
    ) -> dict[str, Any]:
        """Return the next point of the sequence."""
        if search_space and self._draws:
            # The sampler counts in an attribute of the study that only it knows; drawing one point
            # shows its name, and where the count starts.
            storage, study_id = study._storage, study._study_id  # noqa: SLF001
            known = set(storage.get_study_system_attrs(study_id))
            self._sampler.sample_relative(study, trial, search_space)
            attributes = storage.get_study_system_attrs(study_id)
            for key in attributes.keys() - known:
                storage.set_study_system_attr(study_id, key, attributes[key] + self._draws - 1)
            self._draws = 0
        return self._sampler.sample_relative(study, trial, search_space)

    def sample_independent(
        self,
        study: Study,
        trial: FrozenTrial,
        param_name: str,
        param_distribution: BaseDistribution,
    ) -> Any:
        """Sample one parameter as the QMC sampler would."""
        return self._sampler.sample_independent(study, trial, param_name, param_distribution)

    def before_trial(self, study: Study, trial: FrozenTrial) -> None:
        """Pass on."""
        self._sampler.before_trial(study, trial)

    def after_trial(
        self,
        study: Study,
        trial: FrozenTrial,
        state: TrialState,
        values: Sequence[float] | None,
    ) -> None:
        """Pass on."""
        self._sampler.after_trial(study, trial, state, values)


def has_continuous(parameter: Parameter) -> bool:
    """Tell whether a parameter, or one inside it, has a range without steps."""
    if isinstance(parameter, ParameterSet):
        return any(
            isinstance(part, Parameter) and has_continuous(part)
            for combination in parameter.values
            for part in combination.values()
        )
    return isinstance(parameter, LeafParameter) and parameter.num_values is None
