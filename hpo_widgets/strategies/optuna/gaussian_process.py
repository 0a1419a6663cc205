"""The default sampler of `OptimizerOptuna`: TPE and a Gaussian process propose in turn.

TPE (Bergstra et al., NeurIPS 2011) copes with objectives that jump, with noise and with many parameters. A Gaussian
process needs far fewer trials where the objective is smooth. Each learns from the trials of both, so a search is not
lost where one of them does not suit the objective.

The process has a Matérn 5/2 kernel with a length scale for each parameter (Snoek et al., NeurIPS 2012). Its
hyperparameters are those of the greatest posterior density, with a log-normal prior on the length scales that grows
with the number of parameters (Hvarfner et al., ICML 2024). The point proposed is the one with the greatest expected
improvement (Jones et al., 1998). Points of running trials lower the uncertainty around them, so that parallel trials
spread out. Where trials have failed, a second process learns of which points that is likely, and the improvement is
weighted by the probability of success (Gelbart et al., UAI 2014); for TPE failed trials are worse than any other.
With several objectives each turn models another weighting of them, drawn at random (ParEGO, Knowles, IEEE
Transactions on Evolutionary Computation 2006).

Everything is numpy: Optuna's own process needs PyTorch, and leaves parameters that depend on a choice to random
sampling.
"""

from __future__ import annotations

import itertools
import math
import sys
from typing import TYPE_CHECKING, Any

import numpy as np
from optuna.distributions import CategoricalDistribution, FloatDistribution, IntDistribution
from optuna.samplers import TPESampler
from optuna.trial import TrialState

from hpo_widgets.strategies.optuna.history import is_failed
from hpo_widgets.strategies.optuna.window import FINISHED, losses_of, thinned

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    import numpy.typing as npt
    from optuna import Study
    from optuna.distributions import BaseDistribution
    from optuna.trial import FrozenTrial

    from hpo_widgets.strategies.optuna.mapping import SpaceMap

    Floats = npt.NDArray[np.float64]

_MOST_TRIALS = 96  # that the process learns from
_MOST_FITTED = 60  # of these, those that its hyperparameters are fitted to
_MOST_FAILED = 48  # from which the other process learns where trials fail, the newest
_LEAST_COMPLETED = 3  # before its first turn, where the other trials of the random start have failed
_MOST_RUNNING = 90  # whose points it knows, the newest
# Larger matrices are computed in several threads: see _GaussianProcess.
_BLOCK = 250_000  # multiplications, OpenBLAS divides products from 262,145 on
_LEAST_NOISE = math.log(1e-6)  # of the variance of the objective
_NOISE = math.log(1e-4)  # the middle of its prior
_CAUTION = 2  # the power of the probability of success: near failures it is less than the model says
_LABEL_NOISE = math.log(0.1)  # least and middle; with less a step from 0 to 1 leads to far too short length scales
_JITTER = 1e-8  # keeps matrices positive definite where points repeat
_BORDER = 1e12  # more than the sum of squared scores, divided by the noise

_SUM_SHARE = 0.05  # how much the sum of several objectives counts beside the greatest of them

_NUM_RANDOM = 300  # points looked at all over the space
_NUM_BEST = 10  # trials around which points are looked at
_WIDTHS = (0.2, 0.05, 0.01)  # how far around these, as a part of each range
_CLOSE_WIDTHS = (0.05, 0.02, 0.01)
_NUM_KEPT = 6  # points around which the next round looks
_FINER_WIDTHS = (0.1, 0.05, 0.02, 0.01, 0.004, 0.001)  # a round each


class AlternatingSampler(TPESampler):
    """TPE, which leaves every second point to a Gaussian process once its random start is over.

    The process learns from at most 96 trials. Where there are more, it looks only around the best of them, as it has
    forgotten what was tried elsewhere.

    Parameters
    ----------
    mapping
        The space in Optuna's terms.
    seed
        Of all random numbers.

    Attributes
    ----------
    share_of_priors : callable
        Tells how many turns of the process, as a part of them, are TPE's now, which follows the priors of the space.
    allows : callable or None
        Tells whether a point in Optuna's terms may be run: the process looks only at such points. None: all may.
    """

    def __init__(self, mapping: SpaceMap, seed: int) -> None:
        super().__init__(seed=seed)
        self.share_of_priors: Callable[[], float] = lambda: 0.0
        self.allows: Callable[[dict[str, Any]], bool] | None = None
        self._encoding = _Encoding(mapping)
        self._draws = np.random.default_rng(seed)
        self._process = _GaussianProcess(self._encoding.choices, self._draws)
        self._failures = _GaussianProcess(self._encoding.choices, self._draws, least_noise=_LABEL_NOISE)
        self._hidden: set[bytes] = set()

    def infer_relative_search_space(self, study: Study, trial: FrozenTrial) -> dict[str, BaseDistribution]:
        """Return the parameters that are drawn together: all of the space when it is the turn of the process."""
        if "fixed_params" in trial.system_attrs:  # an enqueued point, for which nothing is drawn
            return {}
        if self._is_turn_of_process(study, trial):
            return self._encoding.distributions
        return super().infer_relative_search_space(study, trial)

    def sample_relative(
        self, study: Study, trial: FrozenTrial, search_space: dict[str, BaseDistribution]
    ) -> dict[str, Any]:
        """Return their values."""
        if search_space is not self._encoding.distributions:
            return super().sample_relative(study, trial, search_space)
        trials = study.get_trials(deepcopy=False)
        ended = [one for one in trials if one.state in FINISHED]
        failures = [is_failed(one) for one in ended]
        finished = list(itertools.compress(ended, (not one for one in failures)))
        is_close = len(finished) > _MOST_TRIALS
        losses = losses_of(finished, study.directions)
        kept = thinned(losses, _MOST_TRIALS, self._draws)
        finished, losses = [finished[index] for index in kept], losses[kept]
        if len(study.directions) == 1:
            _estimate_pruned(finished, losses[:, 0], -1 if study.direction.name == "MAXIMIZE" else 1)
        rows = self._encoding.of([one.params for one in finished])
        # The trial itself runs too, and has a value already where a parameter with a single one comes first.
        others = [one.params for one in trials if one.state is TrialState.RUNNING and one.number != trial.number]
        running = self._encoding.of(others[-_MOST_RUNNING:])
        self._process.learn(rows, self._scores(losses), running)
        failed = self._encoding.of([one.params for one in itertools.compress(ended, failures)])
        tried = self._encoding.keys(np.concatenate([rows, running, failed])) | self._hidden
        return self._encoding.params(self._best(tried, self._gains(failed[-_MOST_FAILED:]), is_close=is_close))

    def _gains(self, failed: Floats) -> Callable[[Floats], Floats]:
        """Return what tells the logarithm of the improvement that is expected of rows, failures considered.

        Parameters
        ----------
        failed
            The rows of trials that have failed.
        """
        if not len(failed):
            return self._process.log_gains
        others = self._process.best(_MOST_TRIALS - len(failed))
        labels = np.repeat([0.0, 1.0], [len(others), len(failed)])
        middle, width = labels.mean(), labels.std()
        self._failures.learn(np.concatenate([others, failed]), (labels - middle) / width, failed[:0])
        limit = (0.5 - middle) / width
        return lambda rows: self._process.log_gains(rows) + _CAUTION * self._failures.log_chances(rows, limit)

    def after_trial(self, study: Study, trial: FrozenTrial, state: TrialState, values: Sequence[float] | None) -> None:
        """Note a point that is not to be proposed again and that the study does not show.

        Its trial was aborted, or it was refused as tried: the process has forgotten it, or TPE proposed it.
        """
        super().after_trial(study, trial, state, values)
        if state is TrialState.FAIL and "dropped" not in trial.user_attrs:
            self._hidden |= self._encoding.keys(self._encoding.of([trial.params]))

    def _is_turn_of_process(self, study: Study, trial: FrozenTrial) -> bool:
        if not trial.number % 2 or not self._encoding.distributions:
            return False
        trials = study.get_trials(deepcopy=False, states=FINISHED)
        num_completed = sum(one.state is TrialState.COMPLETE for one in trials)
        num_failed = sum(map(is_failed, trials))
        is_begun = num_completed + num_failed >= self._n_startup_trials and num_completed >= _LEAST_COMPLETED
        return is_begun and self._draws.random() >= self.share_of_priors()

    def _scores(self, losses: Floats) -> Floats:
        """Return one score for each row of losses, shape (n, objectives); lower is better."""
        scores = np.stack([_scores(column) for column in losses.T], axis=1)
        if scores.shape[1] > 1:
            scores -= scores.min(axis=0)
            weighted = scores / (scores.max(axis=0) + _JITTER) * self._draws.dirichlet(np.ones(scores.shape[1]))
            scores[:, 0] = _scores(weighted.max(axis=1) + _SUM_SHARE * weighted.sum(axis=1))
        return scores[:, 0]

    def _best(self, tried: set[bytes], gains_of: Callable[[Floats], Floats], *, is_close: bool) -> Floats:
        """Return the row of the greatest expected improvement that was found, of those not tried and allowed.

        Parameters
        ----------
        tried
            The keys of the others.
        gains_of
            What is to be great.
        is_close
            Whether to look only around the best trials.
        """
        draws = self._draws
        best = np.repeat(self._process.best(_NUM_BEST), _NUM_BEST, axis=0)
        widths = _CLOSE_WIDTHS if is_close else _WIDTHS
        rows = np.concatenate([self._encoding.near(best, width, draws) for width in widths])
        if not is_close:
            rows = np.concatenate([rows, self._encoding.random(_NUM_RANDOM, draws)])
        gains = gains_of(rows)
        is_allowed = self._tells_allowed()
        for width in _FINER_WIDTHS:
            order = np.argsort(-gains)
            kept = list(itertools.islice(filter(is_allowed, rows[order]), _NUM_KEPT))
            best = np.array(kept) if kept else rows[order[:_NUM_KEPT]]
            nearby = self._encoding.near(np.repeat(best, 15, axis=0), width, draws)
            rows, gains = np.concatenate([rows, nearby]), np.concatenate([gains, gains_of(nearby)])
        untried = (rows[index] for index in np.argsort(-gains) if rows[index].tobytes() not in tried)
        return next(filter(is_allowed, untried), self._encoding.random(1, draws)[0])

    def _tells_allowed(self) -> Callable[[Floats], bool]:
        """Return what tells whether a row is allowed, and asks about each only once."""
        allows, known = self.allows, dict[bytes, bool]()
        if allows is None:
            return lambda _row: True

        def is_allowed(row: Floats) -> bool:
            key = row.tobytes()
            if key not in known:
                known[key] = allows(self._encoding.params(row))
            return known[key]

        return is_allowed


def _estimate_pruned(trials: Sequence[FrozenTrial], losses: Floats, sign: int) -> None:
    """Give pruned trials the loss that completed ones with as good a value at the same step have.

    Parameters
    ----------
    trials
        That have ended.
    losses
        Theirs, shape (n,), with NaN for pruned trials, which this replaces where a completed trial has reported at the
        last step of the pruned one, and that one has not reported NaN.
    sign
        What makes a loss of a value.
    """
    completed = [
        (one.intermediate_values, loss) for one, loss in zip(trials, losses, strict=True) if not math.isnan(loss)
    ]
    for index in np.flatnonzero(np.isnan(losses)).tolist():
        step = trials[index].last_step
        if step is None:
            continue
        own = sign * trials[index].intermediate_values[step]
        others = np.array([(sign * values[step], loss) for values, loss in completed if step in values])
        if len(others) and not math.isnan(own):
            with np.errstate(over="ignore", invalid="ignore"):  # NaN between two infinite losses
                losses[index] = np.quantile(others[:, 1], (others[:, 0] < own).mean())


def _scores(losses: Floats) -> Floats:
    """Return losses, shape (n,), on a scale on which few bad ones do not outweigh the others.

    Losses count by their distance from the best, and by the logarithm of it beyond the distance of the median. NaN
    counts as the worst.

    Returns
    -------
    array of float
        Shape (n,), of mean 0 and variance 1, or all 0.
    """
    finite = losses[np.isfinite(losses)]
    if not len(finite):
        return np.zeros(len(losses))
    largest = np.abs(finite).max() or 1.0  # divided by it, no distance overflows
    losses, finite = losses / largest, finite / largest
    least, most = finite.min(), finite.max()
    distances = np.clip(np.where(np.isnan(losses), most, losses), least, most) - least
    middle = np.median(finite) - least or finite.std() or 1.0
    scores: Floats = np.log1p(np.minimum(distances, 1e300 * middle) / middle)  # the quotient could overflow, too
    scores -= scores.mean()
    return scores / (scores.std() or 1.0)


class _Encoding:
    """Points as rows of numbers: places in [0, 1], the numbers of choices, and NaN for what is not active.

    Parameters
    ----------
    mapping
        The space in Optuna's terms.

    Attributes
    ----------
    distributions : dict of str to BaseDistribution
        The parameters with more than one value, a column each.
    choices : array of int
        How many choices a column has, shape (columns,); 0 for numbers.
    """

    def __init__(self, mapping: SpaceMap) -> None:
        self.distributions = {name: one for name, one in mapping.distributions.items() if not one.single()}
        columns = list(self.distributions.values())
        self.choices = np.array(
            [len(one.choices) if isinstance(one, CategoricalDistribution) else 0 for one in columns], dtype=int
        )
        self._scales = {
            column: _Scale(one)
            for column, one in enumerate(columns)
            if isinstance(one, (FloatDistribution, IntDistribution))
        }
        self._steps = np.zeros(len(columns))
        for column, scale in self._scales.items():
            self._steps[column] = scale.share
        names = list(self.distributions)
        self._conditions = {
            column: [[(names.index(selector), choice) for selector, choice in one] for one in alternatives]
            for column, name in enumerate(names)
            if (alternatives := mapping.conditions(name))
        }

    def of(self, points: Sequence[Mapping[str, Any]]) -> Floats:
        """Return the rows of points in Optuna's terms, shape (n, columns)."""
        rows = np.full((len(points), len(self.choices)), np.nan)
        for column, (name, distribution) in enumerate(self.distributions.items()):
            values = [distribution.to_internal_repr(one[name]) if name in one else np.nan for one in points]
            scale = self._scales.get(column)
            rows[:, column] = values if scale is None else scale.places(np.array(values))
        return rows

    def params(self, row: Floats) -> dict[str, Any]:
        """Return the point of a row in Optuna's terms."""
        point = {}
        for column, (name, distribution) in enumerate(self.distributions.items()):
            scale = self._scales.get(column)
            value = row[column] if scale is None else scale.values(row[column])
            if not np.isnan(value):
                point[name] = distribution.to_external_repr(float(value))
        return point

    def keys(self, rows: Floats) -> set[bytes]:
        """Return the bytes of rows, whatever digit a step was rounded to: 0.3 may be 0.1 + 2 * 0.1 in another trial."""
        return {row.tobytes() for row in self._possible(rows.copy())}

    def random(self, num: int, draws: np.random.Generator) -> Floats:
        """Return rows from all over the space."""
        return self._possible(self._numbers(num, draws))

    def near(self, rows: Floats, width: float, draws: np.random.Generator) -> Floats:
        """Return a neighbour of each row: about half of the columns move, numbers by ``width`` or a step."""
        is_moved = draws.random(rows.shape) < 0.5
        is_moved[np.arange(len(rows)), draws.integers(rows.shape[1], size=len(rows))] = True
        numbers = self._numbers(len(rows), draws)
        rows = np.where(np.isnan(rows), numbers, rows)  # some become active, as a choice moves
        places = np.clip(rows + draws.standard_normal(rows.shape) * np.maximum(width, self._steps), 0, 1)
        return self._possible(np.where(is_moved, np.where(self.choices > 0, numbers, places), rows))

    def _numbers(self, num: int, draws: np.random.Generator) -> Floats:
        numbers = draws.random((num, len(self.choices)))
        return np.where(self.choices > 0, np.floor(numbers * self.choices), numbers)

    def _possible(self, rows: Floats) -> Floats:
        """Move numbers to the nearest step, and leave out what is not active."""
        for column, scale in self._scales.items():
            if scale.share:
                rows[:, column] = scale.places(scale.values(rows[:, column]))
        for column, alternatives in self._conditions.items():
            is_active = [np.all([rows[:, at] == choice for at, choice in one], axis=0) for one in alternatives]
            rows[~np.any(is_active, axis=0), column] = np.nan
        return rows


class _Scale:
    """A range of numbers as [0, 1], of which each step has the same part.

    Parameters
    ----------
    distribution
        The range in Optuna's terms.

    Attributes
    ----------
    share : float
        The part that a step has; 0 without steps.
    """

    def __init__(self, distribution: FloatDistribution | IntDistribution) -> None:
        self._low, self._high = float(distribution.low), float(distribution.high)
        self._step = distribution.step or 0
        self._is_log = distribution.log
        self.share = self._step / (self._high - self._low + self._step)
        ends = np.array([self._low - self._step / 2, self._high + self._step / 2])
        self._first, self._last = np.log(ends) if self._is_log else ends

    def places(self, values: Floats) -> Floats:
        """Return where values are."""
        values = np.log(values) if self._is_log else values
        return (values - self._first) / (self._last - self._first)  # type: ignore[no-any-return]

    def values(self, places: Floats) -> Floats:
        """Return the values at places, the nearest of a step."""
        values = self._first * (1 - places) + self._last * places
        values = np.exp(values) if self._is_log else values
        if self._step:
            values = self._low + self._step * np.round((values - self._low) / self._step)
        clipped: Floats = np.clip(values, self._low, self._high)
        return clipped


class _GaussianProcess:
    """A model of the scores of rows, and of how certain it is.

    Linear algebra libraries compute large products and matrices of 100 rows and more in a thread for each core, and
    these wait for one another for as long as trials occupy all cores: an ask of 100 trials with 90 running ones took up
    to 280 ms of CPU time that way. So matrices that are inverted have fewer rows, and products are made in blocks.

    Parameters
    ----------
    choices
        How many choices each column of a row has; 0 for numbers.
    draws
        Random numbers.
    """

    def __init__(
        self, choices: npt.NDArray[np.int_], draws: np.random.Generator, least_noise: float = _LEAST_NOISE
    ) -> None:
        self._draws = draws
        self._least_noise = least_noise
        self._number_columns, self._choice_columns = np.flatnonzero(choices == 0), np.flatnonzero(choices)
        # A number that is not active is in the middle: not far from any that is.
        self._inactive = np.where(choices > 0, -1, 0.5)
        length = math.log(0.5) + math.log(len(choices) or 1) / 2
        # Logarithms: a length scale for each column, and the variance of the noise.
        self._middle = np.append(np.full(len(choices), length), max(_NOISE, least_noise))
        self._width = np.append(np.ones(len(choices)), 2.0)
        self._hyperparameters = self._middle

    def learn(self, rows: Floats, scores: Floats, running: Floats) -> None:
        """Fit the hyperparameters, from where they were, and condition the model on trials.

        Parameters
        ----------
        rows, scores
            Of trials that have ended, shapes (n, columns) and (n,).
        running
            The rows of those without a score yet.
        """
        self._rows, self._scores = rows, scores
        self._known, self._running = self._filled(rows), self._filled(running)
        some = self._draws.permutation(len(rows))[:_MOST_FITTED]
        self._fit(self._known[some], scores[some])
        matrix = self._covariance(self._known)
        self._inverse = np.linalg.inv(matrix)
        self._weights = np.linalg.solve(matrix, scores)
        self._variance = max(float(scores @ self._weights) / len(rows), 1e-12)
        # What running trials add to what the others tell, as a matrix of all trials would be too large.
        kernel = self._kernel(self._known, self._running)
        self._projection = _product(self._inverse, kernel)
        rest = self._covariance(self._running) - _product(kernel.T, self._projection)
        self._inverse_of_rest = np.linalg.inv(rest)
        self._least = float(self._predict(rows)[0].min())

    def best(self, num: int) -> Floats:
        """Return the rows of the least scores."""
        return self._rows[np.argsort(self._scores, kind="stable")[:num]]

    def log_gains(self, rows: Floats) -> Floats:
        """Return the logarithm of the improvement that is expected of rows, upon the least mean of a trial."""
        means, deviations = self._predict(rows)
        z = (self._least - means) / deviations
        density = np.exp(-z * z / 2) / math.sqrt(2 * math.pi)
        below = _normal(z)
        with np.errstate(divide="ignore", invalid="ignore"):
            # Rounding takes all of a very small sum: there the first term of its series is close enough.
            tail = -z * z / 2 - math.log(2 * math.pi) / 2 - 2 * np.log(-z)
            gains: Floats = np.log(deviations) + np.where(z > -20, np.log(density + z * below), tail)
        return gains

    def log_chances(self, rows: Floats, limit: float) -> Floats:
        """Return the logarithms of the probabilities that the scores of rows are below a limit."""
        means, deviations = self._predict(rows)
        chances: Floats = np.maximum(_normal((limit - means) / deviations), sys.float_info.min)
        return np.log(chances)

    def _fit(self, rows: Floats, scores: Floats) -> None:
        """Look for hyperparameters of a greater posterior density around the present ones."""
        posterior = _Posterior(self._parts(rows), scores, self._middle, self._width)
        best = self._hyperparameters
        greatest = posterior.log_densities(best[None])[0]
        width = 0.5
        for attempt in range(3):
            shape = (12, len(best))
            moves = self._draws.standard_normal(shape) * width
            tried = best + np.where(self._draws.random(shape) < 0.5, moves, 0)
            if attempt == 0:
                tried[0] = self._middle
            tried[:, -1] = np.maximum(tried[:, -1], self._least_noise)
            densities = posterior.log_densities(tried)
            index = int(densities.argmax())
            if densities[index] > greatest:
                best, greatest = tried[index], densities[index]
            else:
                width *= 0.6
        self._hyperparameters = best

    def _parts(self, rows: Floats) -> Floats:
        """Return what each column adds to the squared distance of each pair of rows, shape (columns, pairs)."""
        one, other = (rows[index].T for index in np.tril_indices(len(rows), -1))
        parts: Floats = (one - other) ** 2
        chosen = self._choice_columns
        parts[chosen] = _choice_parts(one[chosen], other[chosen])
        return parts

    def _filled(self, rows: Floats) -> Floats:
        """Return rows without NaN."""
        return np.where(np.isnan(rows), self._inactive, rows)

    def _kernel(self, first: Floats, second: Floats) -> Floats:
        """Return the kernel of filled rows, shape (n, m)."""
        scales = np.exp(-self._hyperparameters[:-1])
        ours, theirs = ((rows * scales)[:, self._number_columns] for rows in (first, second))
        squares = (ours**2).sum(axis=1)[:, None] + (theirs**2).sum(axis=1)
        squares -= 2 * _product(ours, theirs.T)
        for column in self._choice_columns:
            squares += scales[column] ** 2 * _choice_parts(first[:, column, None], second[:, column])
        return _matern(np.maximum(squares, 0, out=squares))

    def _covariance(self, rows: Floats) -> Floats:
        """Return the kernel of filled rows with themselves, and with the noise."""
        noise = np.exp(self._hyperparameters[-1]) + _JITTER
        covariance: Floats = self._kernel(rows, rows) + noise * np.eye(len(rows))
        return covariance

    def _predict(self, rows: Floats) -> tuple[Floats, Floats]:
        """Return the means and the standard deviations of the scores of rows."""
        rows = self._filled(rows)
        kernel = self._kernel(rows, self._known)
        rest = self._kernel(rows, self._running) - _product(kernel, self._projection)
        shares = 1 - _forms(kernel, self._inverse) - _forms(rest, self._inverse_of_rest)
        means = _product(kernel, self._weights[:, None])[:, 0]
        return means, np.sqrt(np.maximum(shares, 1e-10) * self._variance)


class _Posterior:
    """The posterior density of hyperparameters.

    Parameters
    ----------
    parts
        What each column adds to the squared distance of each pair of trials, shape (columns, pairs).
    scores
        Of the trials, shape (n,).
    middle, width
        Of the normal prior of each hyperparameter.
    """

    def __init__(self, parts: Floats, scores: Floats, middle: Floats, width: Floats) -> None:
        self._parts, self._scores = parts, scores
        self._middle, self._width = middle, width
        one, other = np.tril_indices(len(scores), -1)
        self._places = one * (len(scores) + 1) + other  # of the pairs in a matrix with a border, row after row

    def log_densities(self, hyperparameters: Floats) -> Floats:
        """Return the logarithm of the density of each row of hyperparameters, up to a constant."""
        num = len(self._scores)
        # The last row of the Cholesky factor of a matrix with the scores as its border solves for them: numpy has no
        # solver for triangular matrices. It reads the lower triangle only.
        bordered = np.zeros((len(hyperparameters), num + 1, num + 1))
        bordered.reshape(len(bordered), -1)[:, self._places] = _matern(
            _product(np.exp(-2 * hyperparameters[:, :-1]), self._parts)
        )
        diagonal = np.arange(num)
        bordered[:, diagonal, diagonal] = 1 + np.exp(hyperparameters[:, -1:]) + _JITTER
        bordered[:, num, :num] = self._scores
        bordered[:, num, num] = _BORDER
        try:
            factors = np.linalg.cholesky(bordered)
        except np.linalg.LinAlgError:  # rounding has made one of them singular
            return np.full(len(hyperparameters), -np.inf)
        # The variance of the process is the most likely one.
        variances = np.maximum((factors[:, num, :num] ** 2).mean(axis=1), 1e-12)
        determinants = np.log(np.diagonal(factors, axis1=1, axis2=2)[:, :num]).sum(axis=1)
        prior = (((hyperparameters - self._middle) / self._width) ** 2).sum(axis=1) / 2
        densities: Floats = -num / 2 * np.log(variances) - determinants - prior
        return densities


def _choice_parts(one: Floats, other: Floats) -> Floats:
    """Return the squared distance of choices: 1 of two that differ, a half of one and none, which is -1."""
    return (one != other) * ((one >= 0) * 0.5 + (other >= 0) * 0.5)  # type: ignore[no-any-return]


def _normal(z: Floats) -> Floats:
    """Return the distribution function of the normal distribution, shape (n,)."""
    return np.array([math.erfc(value) for value in (-z / math.sqrt(2)).tolist()]) / 2


def _matern(squares: Floats) -> Floats:
    """Return the Matérn 5/2 kernel of squared distances."""
    distances = np.sqrt(5 * squares)
    return (1 + distances + 5 / 3 * squares) * np.exp(-distances)


def _forms(rows: Floats, matrix: npt.NDArray[np.floating]) -> Floats:
    """Return the quadratic form of a matrix for each row."""
    forms: Floats = np.einsum("ij,ij->i", _product(rows, matrix), rows)
    return forms


def _product(rows: npt.NDArray[np.floating], matrix: npt.NDArray[np.floating]) -> Floats:
    """Return the product of two matrices, made in blocks that are too small for several threads."""
    size = max(_BLOCK // max(matrix.size, 1), 1)
    product = np.empty((len(rows), matrix.shape[1]))
    for start in range(0, len(rows), size):
        np.matmul(rows[start : start + size], matrix, out=product[start : start + size])
    return product
