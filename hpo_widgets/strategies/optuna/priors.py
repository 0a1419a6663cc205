"""A TPE sampler that follows the priors of a space, and lets them fade.

TPE compares candidates by l(x) / g(x), the densities of good and of other trials. With priors it compares
``l(x) / g(x) * prior(x) ** (beta / n)``, the rule of πBO (Hvarfner et al., ICLR 2022; see `hpo_widgets.space.prior`),
where n is the number of trials that have ended since the prior was set. TPE draws its candidates from l, which may give
none where the prior is high. So half of them, and fewer as the prior fades, are drawn from the prior instead. Before
TPE has enough trials for a model it draws at random; parameters with a prior are then drawn from it. A Gaussian process
can be so certain that no prior would change its choice. So it leaves its turns to TPE, fewer as the prior fades.

Optuna offers no public place for the weight of a candidate: an independent or relative sampler sees only the winner.
So this module, and no other, sets two private members of a copy of the sampler: ``_compute_acquisition_func`` and
``_random_sampler``. Tried with Optuna 5.0.0.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from optuna import __version__ as optuna_version
from optuna.samplers import BaseSampler, TPESampler

from hpo_widgets.strategies.optuna.gaussian_process import AlternatingSampler

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    import numpy.typing as npt
    from optuna import Study
    from optuna.distributions import BaseDistribution
    from optuna.trial import FrozenTrial, TrialState

    from hpo_widgets.parameters import LeafParameter
    from hpo_widgets.space.prior import Prior
    from hpo_widgets.strategies.optuna.mapping import OptunaParameter, SpaceMap

_ACQUISITION, _RANDOM = "_compute_acquisition_func", "_random_sampler"


def why_not(sampler: BaseSampler | None) -> str | None:
    """Say why a user's sampler, or TPE where there is none, cannot follow priors; None when it can."""
    sampler = TPESampler() if sampler is None else sampler
    if not isinstance(sampler, TPESampler):
        return f"Optuna's {type(sampler).__name__} follows no prior: TPESampler and random search do"
    if not (hasattr(sampler, _ACQUISITION) and hasattr(sampler, _RANDOM)):
        return f"hpo_widgets does not know where the TPESampler of Optuna {optuna_version} weighs its candidates"
    return None


class FadingPriors:
    """The priors of one space epoch, and how many trials have ended since each was drawn.

    Parameters
    ----------
    mapping
        The space in Optuna's terms.
    rng
        Draws from the priors.
    """

    def __init__(self, mapping: SpaceMap, rng: np.random.Generator) -> None:
        self._rng = rng
        self._priors = mapping.space.priors
        self._mapping = mapping
        self._num_ended = dict.fromkeys(self._priors, 0)

    def tell(self, number: int) -> None:
        """Count a trial that the sampler learns from."""
        for name, prior in self._priors.items():
            self._num_ended[name] += number >= prior.since

    def follow_with(self, sampler: BaseSampler) -> None:
        """Make a TPE sampler follow the priors; it is changed, so nothing else may use it."""
        if not self._priors or not isinstance(sampler, TPESampler):
            return
        own = vars(sampler)
        compute: Callable[..., npt.NDArray[np.float64]] = getattr(sampler, _ACQUISITION)

        def weighed(samples: dict[str, Any], *models: Any) -> npt.NDArray[np.float64]:
            self._mix_in(samples)
            return compute(samples, *models) + self._log_weights(samples)

        own[_ACQUISITION] = weighed
        own[_RANDOM] = _StartSampler(own[_RANDOM], self)
        if isinstance(sampler, AlternatingSampler):
            sampler.share_of_priors = self.strength

    def strength(self) -> float:
        """Return the exponent of the prior that has faded least."""
        return max(prior.exponent(self._num_ended[name]) for name, prior in self._priors.items())

    def of(self, parameter: str) -> tuple[Prior, OptunaParameter, LeafParameter, float] | None:
        """Return the prior of a parameter, the parameter in the study and in the space, and the present exponent."""
        known = self._mapping.parameters.get(parameter)
        prior = None if known is None else self._priors.get(known.leaf.name)
        if known is None or prior is None:
            return None
        name = known.leaf.name
        return prior, known, self._mapping.space.leaf(name), prior.exponent(self._num_ended[name])

    def draw(self, parameter: str, count: int) -> list[Any] | None:
        """Draw values of a parameter of the study from its faded prior.

        Parameters
        ----------
        parameter
            Its name in the study.
        count
            How many.

        Returns
        -------
        list or None
            As Optuna suggests them; None where the parameter has no prior.
        """
        found = self.of(parameter)
        if found is None:
            return None
        prior, known, column, exponent = found
        bent = prior.bent(self._rng.random(count), known.leaf, column, np.full(count, exponent))
        return [known.suggestion(value) for value in known.leaf.from_unit(bent)]

    def _mix_in(self, samples: dict[str, Any]) -> None:
        """Draw some of the candidates from the priors, whatever the model has drawn."""
        for name, internal in samples.items():
            found = self.of(name)
            if found is not None:
                _, known, _, exponent = found
                drawn = self.draw(name, round(exponent * len(internal) / 2)) or []
                internal[: len(drawn)] = [known.distribution.to_internal_repr(value) for value in drawn]

    def _log_weights(self, samples: dict[str, Any]) -> npt.NDArray[np.float64]:
        """Return the logarithm of what the priors multiply each candidate's score by."""
        total = np.zeros(len(next(iter(samples.values()))))
        for name, internal in samples.items():
            found = self.of(name)
            if found is not None:
                prior, parameter, column, exponent = found
                external = parameter.distribution.to_external_repr
                values = [parameter.value(external(one)) for one in internal.tolist()]
                total += exponent * np.log(prior.heights(values, column))
        return total


class _StartSampler(BaseSampler):
    """What TPE draws from before it has a model: the priors, and its own random sampler for the rest."""

    def __init__(self, sampler: BaseSampler, priors: FadingPriors) -> None:
        self._sampler = sampler
        self._priors = priors

    def reseed_rng(self) -> None:
        self._sampler.reseed_rng()

    def infer_relative_search_space(self, study: Study, trial: FrozenTrial) -> dict[str, BaseDistribution]:
        return self._sampler.infer_relative_search_space(study, trial)

    def sample_relative(
        self, study: Study, trial: FrozenTrial, search_space: dict[str, BaseDistribution]
    ) -> dict[str, Any]:
        return self._sampler.sample_relative(study, trial, search_space)

    def sample_independent(
        self, study: Study, trial: FrozenTrial, param_name: str, param_distribution: BaseDistribution
    ) -> Any:
        drawn = self._priors.draw(param_name, 1)
        if drawn is None:
            return self._sampler.sample_independent(study, trial, param_name, param_distribution)
        return drawn[0]

    def before_trial(self, study: Study, trial: FrozenTrial) -> None:
        self._sampler.before_trial(study, trial)

    def after_trial(self, study: Study, trial: FrozenTrial, state: TrialState, values: Sequence[float] | None) -> None:
        self._sampler.after_trial(study, trial, state, values)
