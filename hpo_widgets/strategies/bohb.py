"""BOHB: TPE proposes, Hyperband decides how long a trial may run."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, ClassVar

import numpy as np
from optuna.pruners import HyperbandPruner
from optuna.samplers import TPESampler

from hpo_widgets.strategies.optuna import OptimizerOptuna

if TYPE_CHECKING:
    from optuna.samplers import BaseSampler

    from hpo_widgets.space import Space


class OptimizerBOHB(OptimizerOptuna):
    """Bayesian optimisation and Hyperband, with the keywords of ClearML's class of this name.

    ClearML runs BOHB by hpbandster, which is no longer maintained (ClearML itself warns of it from Python
    3.12 on). This class puts the same two ideas together from Optuna: ``TPESampler`` in the place of
    BOHB's model, which is of the same family (good and bad points are modelled by kernel densities), and
    ``HyperbandPruner``, which stops a trial at rungs ``min_iteration_per_job * eta**k`` unless it is
    among the best ``1 / eta`` of those that reached it. Unlike in hpbandster no trial is started a
    second time with a larger budget: it just runs on. After a change of range the model knows the
    history, while the comparisons at the rungs start again.

    Parameters
    ----------
    min_iteration_per_job
        The first rung: reported iterations of the objective before a trial may be stopped. Required.
    max_iteration_per_job
        The iteration at which a full trial ends. Required.
    eta
        One trial in ``eta`` passes a rung; an integer of at least 2. Default 3.
    min_points_in_model
        Finished trials before the model is used. Default: one more than there are parameters, as in
        BOHB.
    top_n_percent
        Percentage of the trials that count as good, 1 to 99. Default 15.
    num_samples
        How many candidates the model compares for one point. Default 64.
    random_fraction
        Share of points that are drawn at random instead of by the model, 0 to 1. Default 1/3.
    seed, max_observations
        As in `OptimizerOptuna`.

    Notes
    -----
    ClearML's ``bandwidth_factor`` and ``min_bandwidth`` are refused: Optuna's TPE chooses its own
    widths. ``min_budget`` and ``max_budget`` are, too: a budget is a number of iterations here.

    References
    ----------
    Falkner, Klein, Hutter: BOHB: Robust and Efficient Hyperparameter Optimization at Scale. ICML 2018.
    Li, Jamieson, DeSalvo, Rostamizadeh, Talwalkar: Hyperband. JMLR 18 (185), 2018.
    Bergstra, Bardenet, Bengio, Kégl: Algorithms for Hyper-Parameter Optimization. NeurIPS 2011.
    """

    supports_several_objectives: ClassVar[bool] = False

    def __init__(
        self,
        *,
        min_iteration_per_job: int | None = None,
        max_iteration_per_job: int | None = None,
        eta: int = 3,
        min_points_in_model: int | None = None,
        top_n_percent: float = 15,
        num_samples: int = 64,
        random_fraction: float = 1 / 3,
        max_observations: int | None = 1000,
        seed: int | None = None,
    ) -> None:
        if min_iteration_per_job is None or max_iteration_per_job is None:
            raise ValueError(
                "OptimizerBOHB needs min_iteration_per_job and max_iteration_per_job: the iterations after "
                "which a trial is first compared with others, and at which it ends"
            )
        if not 1 <= min_iteration_per_job < max_iteration_per_job:
            raise ValueError(
                "min_iteration_per_job must be at least 1 and below max_iteration_per_job, got "
                f"{min_iteration_per_job!r} and {max_iteration_per_job!r}"
            )
        if int(eta) != eta or eta < 2:
            raise ValueError(f"eta must be an integer of at least 2, got {eta!r}")
        if not 1 <= top_n_percent <= 99:
            raise ValueError(f"top_n_percent must be between 1 and 99, got {top_n_percent!r}")
        if num_samples < 1:
            raise ValueError(f"num_samples must be at least 1, got {num_samples!r}")
        if min_points_in_model is not None and min_points_in_model < 1:
            raise ValueError(f"min_points_in_model must be at least 1, got {min_points_in_model!r}")
        if not 0 <= random_fraction <= 1:
            raise ValueError(f"random_fraction must be between 0 and 1, got {random_fraction!r}")
        super().__init__(
            optuna_pruner=HyperbandPruner(
                min_resource=int(min_iteration_per_job),
                max_resource=int(max_iteration_per_job),
                reduction_factor=int(eta),
            ),
            min_iteration_per_job=min_iteration_per_job,
            max_iteration_per_job=max_iteration_per_job,
            max_observations=max_observations,
            seed=seed,
        )
        self.eta = int(eta)
        self.min_points_in_model = min_points_in_model
        self.top_n_percent = top_n_percent
        self.num_samples = num_samples
        self.random_fraction = random_fraction

    def _make_sampler(self, space: Space, epoch: int, draws: int) -> BaseSampler:
        words = np.random.SeedSequence([self.seed, epoch, draws]).generate_state(1)
        points = self.min_points_in_model
        sampler = TPESampler(
            n_startup_trials=len(space.names) + 1 if points is None else points,
            n_ei_candidates=self.num_samples,
            seed=int(words[0]),
        )
        # The constructor's argument ``gamma`` is deprecated without a successor, and warns.
        sampler._gamma = self._num_good  # noqa: SLF001
        return sampler

    def _num_good(self, num_trials: int) -> int:
        return max(1, math.ceil(num_trials * self.top_n_percent / 100))

    def _is_random_draw(self, draw: int) -> bool:
        # By its low bits: the high ones of the same number say where on a grid the random point is looked for.
        return self._stream.integer(draw, 2**128) % 2**32 < self.random_fraction * 2**32
