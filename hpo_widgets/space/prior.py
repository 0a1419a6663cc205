"""A prior: how likely a person holds the values of one parameter to be, and how that fades with evidence.

The rule is that of πBO (Carl Hvarfner, Danny Stoll, Artur Souza, Marius Lindauer, Frank Hutter, Luigi Nardi: "πBO:
Augmenting Acquisition Functions with User Beliefs for Bayesian Optimization", ICLR 2022): what a strategy prefers is
multiplied by ``prior ** (beta / n)`` after n trials. So a good guess speeds a search up, and a wrong one is overcome.
Here the exponent is 1 at most, so that the first trials are sampled from the prior as it was drawn.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from hpo_widgets._messages import near_match
from hpo_widgets.parameters import DiscreteParameterRange, LeafParameter
from hpo_widgets.parameters.base import python_value
from hpo_widgets.parameters.numeric import as_pair, shares

if TYPE_CHECKING:
    from collections.abc import Sequence

Floats = npt.NDArray[np.float64]

BETA = 10.0
"""Number of trials for which a prior counts in full; after ten times as many its exponent is a tenth."""

FLOOR = 0.01
"""The least weight of a value, as a share of the greatest: a prior rules no value out."""

MOST_WEIGHTS = 1000

_BINS_OF_FUNCTION = 64
_MOST_STEPS = 4096  # ranges of more values are drawn from as if they had no steps
_FIELDS = ("weights", "range", "beta")


@dataclass(frozen=True)
class Prior:
    """Weights of the values of one parameter; never changes.

    Attributes
    ----------
    weights : tuple of float
        One for each of equal bins of ``bounds`` on the parameter's own scale, or for each declared choice; the
        greatest is 1.
    bounds : (low, high) or None
        The values between which the bins lie; what lies beyond has the weight of the nearest bin. None for choices.
    beta : float
        Number of trials for which the prior counts in full.
    since : int
        Number of the first trial that was proposed after the prior was drawn.
    age : int
        Number of trials from ``since`` to the beginning of the present space epoch.
    """

    weights: tuple[float, ...]
    bounds: tuple[float, float] | None = None
    beta: float = BETA
    since: int = 0
    age: int = field(default=0, compare=False)

    @classmethod
    def of(cls, leaf: LeafParameter, given: Any) -> Prior:
        """Return the prior that is given in one of several forms.

        Parameters
        ----------
        leaf
            The parameter with its present range.
        given
            A sequence of weights, for equal bins of the range on the parameter's own scale, or for each declared
            choice; a dict of choices and weights; a function from a value to its weight; or a dict with ``weights``
            and, where they are others, ``range`` and ``beta``.

        Returns
        -------
        Prior
            The prior.

        Raises
        ------
        ValueError
            When it is not a valid prior of the parameter.
        """
        if isinstance(given, Prior):
            return given.with_choices_of(leaf)
        name, beta, bounds = leaf.name, BETA, None
        if isinstance(given, Mapping) and not _is_weights_of_choices(leaf, given):
            for key in given:
                if key not in _FIELDS:
                    raise ValueError(f"the prior of {name!r} has no {key!r}. {near_match(str(key), _FIELDS)}")
            if "weights" not in given:
                raise ValueError(f"the prior of {name!r} lacks its 'weights'")
            beta = _checked_beta(name, given.get("beta", BETA))
            bounds = given.get("range")
            given = given["weights"]
        if isinstance(leaf, DiscreteParameterRange):
            if bounds is not None:
                raise ValueError(f"the prior of {name!r} has a weight for each choice, and no range")
            weights = _checked_weights(name, _of_choices(leaf, given))
            if len(weights) != len(leaf.declared):
                raise ValueError(
                    f"the prior of {name!r} needs a weight for each of its {len(leaf.declared)} choices, "
                    f"got {len(weights)}"
                )
            return cls(weights, None, beta)
        pair = leaf.range if bounds is None else as_pair(f"the range of the prior of {name!r}", bounds)
        low, high = (leaf.normalise(bound) for bound in pair)
        if not low < high:
            raise ValueError(f"the range of the prior of {name!r} must rise from low to high, got ({low!r}, {high!r})")
        weights = _checked_weights(name, _of_numbers(leaf, given, low, high))
        if len(weights) < 2:
            raise ValueError(f"the prior of {name!r} needs a weight for each of at least 2 bins, got {len(weights)}")
        return cls(weights, (float(low), float(high)), beta)

    @classmethod
    def from_json(cls, leaf: LeafParameter, form: Mapping[str, Any]) -> Prior:
        """Return the prior that `to_json` wrote, with all checks of `of`, as the form may come from a changed file.

        Parameters
        ----------
        leaf
            The parameter.
        form
            What `to_json` returned.

        Returns
        -------
        Prior
            The prior.

        Raises
        ------
        ValueError
            When the form is not a valid prior.
        """
        prior = cls.of(leaf, {key: form[key] for key in _FIELDS if key in form})
        since, age = form.get("since", 0), form.get("age", 0)
        if type(since) is not int or type(age) is not int or min(since, age) < 0:
            raise ValueError(f"the prior of {leaf.name!r} began at no trial")
        return replace(prior, since=since, age=age)

    def to_json(self) -> dict[str, Any]:
        """Return a form of JSON values only."""
        range_ = {} if self.bounds is None else {"range": list(self.bounds)}
        return {"weights": list(self.weights), **range_, "beta": self.beta, "since": self.since, "age": self.age}

    def to_dict(self) -> dict[str, Any]:
        """Return a dict that `of` takes: weights, for numbers their range, and beta unless it is the default."""
        range_ = {} if self.bounds is None else {"range": self.bounds}
        return {"weights": self.weights, **range_, **({} if self.beta == BETA else {"beta": self.beta})}

    def with_choices_of(self, leaf: LeafParameter) -> Prior:
        """Return this prior with a weight for each choice that was added since it was drawn.

        That is the mean of the others, so that a new choice is as likely as it is without a prior.
        """
        missing = len(leaf.declared) - len(self.weights) if self.bounds is None else 0
        if missing <= 0:
            return self
        return replace(self, weights=(*self.weights, *[sum(self.weights) / len(self.weights)] * missing))

    def exponent(self, num_trials: int) -> float:
        """Return the power to which weights are raised, ``num_trials`` trials after the prior was drawn."""
        return min(1.0, self.beta / max(num_trials, 1))

    def heights(self, values: Sequence[Any], column: LeafParameter) -> Floats:
        """Return the weight of each value, none of them 0.

        Parameters
        ----------
        values
            Values of the parameter.
        column
            The parameter as the space declares it, which knows the places of its choices.

        Returns
        -------
        array of float
            From `FLOOR` to 1.
        """
        weights = np.maximum(self.weights, FLOOR)
        if self.bounds is None:
            table = getattr(column, "table")  # noqa: B009 -- a choice has one
            return weights[[table.index_of(value) for value in values]]
        places = shares(np.asarray(values, dtype=np.float64), *self.bounds, is_log=column.kind == "log")
        return self._at(places)

    def _at(self, places: Floats) -> Floats:
        """Return the weight at each share of the way through the bounds."""
        count = len(self.weights)
        bins = np.clip(np.floor(places * count), 0, count - 1).astype(np.intp)
        return np.maximum(self.weights, FLOOR)[bins]

    def bent(self, u: Floats, leaf: LeafParameter, column: LeafParameter, exponents: Floats) -> Floats:
        """Transform uniform numbers, so that `LeafParameter.from_unit` turns them into values that follow the prior.

        Parameters
        ----------
        u
            Numbers in [0, 1), shape (n,).
        leaf
            The parameter with its present range, to which the prior is cut.
        column
            The parameter as the space declares it.
        exponents
            The power to which the weights are raised for each number, shape (n,).

        Returns
        -------
        array of float
            Numbers in [0, 1), shape (n,).
        """
        edges, heights = self._cells(leaf, column)
        masses = heights ** exponents[:, None] * np.diff(edges)
        ends = np.cumsum(masses, axis=1)
        target = u * ends[:, -1]
        cell = np.minimum((ends <= target[:, None]).sum(axis=1), len(heights) - 1)
        row = np.arange(len(u))
        share = np.clip((target - ends[row, cell]) / masses[row, cell] + 1.0, 0.0, 1.0)
        places: Floats = edges[cell] + share * (edges[cell + 1] - edges[cell])
        return np.minimum(places, math.nextafter(1.0, 0.0))

    def _cells(self, leaf: LeafParameter, column: LeafParameter) -> tuple[Floats, Floats]:
        """Divide the unit interval into cells of constant weight; return their edges and their weights."""
        count = leaf.num_values
        if self.bounds is None or (count is not None and count <= _MOST_STEPS):
            values = [leaf.value_at(index) for index in range(count or 0)]
            return np.linspace(0.0, 1.0, len(values) + 1), self.heights(values, column)
        ends = np.array(leaf.range, dtype=np.float64)
        is_log = column.kind == "log"
        low, high = shares(ends, *self.bounds, is_log=is_log).tolist()
        inner = np.arange(1, len(self.weights)) / len(self.weights)
        inner = inner[(inner > low) & (inner < high)]
        places = (inner - low) / (high - low)
        if leaf.kind == "log" and not is_log:  # one combination of a ParameterSet draws the name on another scale
            values = self.bounds[0] * (1 - inner) + self.bounds[1] * inner
            places = shares(np.clip(values, *leaf.range), *leaf.range, is_log=True)
        steps = np.concatenate([[low], inner, [high]])
        return np.concatenate([[0.0], places, [1.0]]), self._at((steps[1:] + steps[:-1]) / 2)


def values_of_bins(leaf: LeafParameter, bounds: tuple[float, float], most: int) -> list[Any]:
    """Return the middle value of each of ``most`` equal bins, or all values where there are no more than that.

    Parameters
    ----------
    leaf
        A parameter of numbers.
    bounds
        The values between which the bins lie.
    most
        Greatest number of bins, and the number for a range without steps.

    Returns
    -------
    list
        One value per bin.
    """
    whole = leaf.with_range(bounds)
    count = whole.num_values
    if count is not None and count <= most:
        return [whole.value_at(index) for index in range(count)]
    return whole.from_unit((np.arange(most) + 0.5) / most)


def _is_weights_of_choices(leaf: LeafParameter, given: Mapping[Any, Any]) -> bool:
    """Whether a mapping is from choices to weights, also where a choice is called ``weights``."""
    return leaf.kind == "choice" and isinstance(given.get("weights", 0.0), (int, float))


def _of_choices(leaf: DiscreteParameterRange, given: Any) -> Any:
    if isinstance(given, Mapping):
        weights = {leaf.table.index_of(leaf.normalise(choice)): weight for choice, weight in given.items()}
        return [weights.get(index, 0.0) for index in range(len(leaf.declared))]
    return [given(choice) for choice in leaf.declared] if callable(given) else given


def _of_numbers(leaf: LeafParameter, given: Any, low: float, high: float) -> Any:
    if not callable(given):
        return given
    return [given(value) for value in values_of_bins(leaf, (low, high), _BINS_OF_FUNCTION)]


def _checked_weights(name: str, given: Any) -> tuple[float, ...]:
    if isinstance(given, (str, bytes, Mapping)) or not isinstance(given, Iterable):
        raise ValueError(  # noqa: TRY004 - as all that is wrong with a prior
            f"the prior of {name!r} is a sequence of weights, a function from a value to its weight, or a dict with "
            f"'weights', got {given!r:.80}"
        )
    weights = [python_value(weight) for weight in given]
    if len(weights) > MOST_WEIGHTS:
        raise ValueError(f"the prior of {name!r} has at most {MOST_WEIGHTS} weights, got {len(weights)}")
    for weight in weights:
        # True and False are fine weights: functions such as ``lambda layers: layers > 2`` answer so.
        if not isinstance(weight, (int, float)) or not 0 <= weight <= _LARGEST:
            raise ValueError(f"a weight of the prior of {name!r} is a finite number of at least 0, got {weight!r:.80}")
    largest = max(weights, default=0.0)
    if not largest > 0:
        raise ValueError(f"at least one weight of the prior of {name!r} must be above 0; None removes a prior")
    return tuple(float(weight / largest) for weight in weights)


_LARGEST = 1e300


def _checked_beta(name: str, beta: Any) -> float:
    beta = python_value(beta)
    if isinstance(beta, bool) or not isinstance(beta, (int, float)) or not 0 < beta <= _LARGEST:
        raise ValueError(f"beta of the prior of {name!r} is a number of trials above 0, got {beta!r:.80}")
    return float(beta)


Priors = Mapping[str, Prior]
GivenPrior = Callable[[Any], float] | Mapping[Any, Any] | Iterable[float] | None
