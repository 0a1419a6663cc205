"""Advice on a search: what its trials say that a person may act on, the evidence, and one command that does it.

Each rule is a function of the columns of trials; `find_advice` asks all of them, the most useful first. Nothing here
knows of widgets, and nothing is done: a person decides.

Three rules are tests, as chance could mislead them (`failures_share`, `best_at_end`, `unimportant`). Advice is looked
for after every trial, and a test at each of these looks would often be significant by chance. So a test is made only
when 10, 15, 22, … trials have ended (each time half as many again), on exactly that many first trials. The j-th test
has the level ``LEVEL / (j (j + 1))``, divided by the number of parameters, ends and thresholds that it compares
(Bonferroni). The levels add up to ``LEVEL``: with at most this probability a rule ever gives advice in a search whose
objective and failures do not depend on the parameters, provided that points do not depend on results. Where they do
(TPE), the levels are approximate. ``tests/search/test_advice.py`` counts both.
"""

from __future__ import annotations

import itertools
import math
from dataclasses import dataclass, field
from functools import cached_property
from statistics import NormalDist
from typing import TYPE_CHECKING, Any

import numpy as np

from hpo_widgets._messages import number as in_words
from hpo_widgets._messages import short
from hpo_widgets.parameters.numeric import shares
from hpo_widgets.search.protocol import PollsServer, SearchStatus
from hpo_widgets.search.widening import widen_suggestions
from hpo_widgets.trials import TrialState
from hpo_widgets.trials.columns import nan_where_absent
from hpo_widgets.trials.filter import lies_within

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from hpo_widgets.objectives import Objective
    from hpo_widgets.search.budget import Budget
    from hpo_widgets.search.protocol import Search, StopReason
    from hpo_widgets.space import Space
    from hpo_widgets.trials.columns import Rows

LEVEL = 0.01
"""Probability at most with which each of the three tests ever gives advice where nothing depends on the parameters."""

MOST_SHOWN = 100
"""Trials that an advice names at most; the newest are kept."""

_FIRST_TEST, _TEST_GROWTH = 10, 1.5
_NUM_THRESHOLDS = 7
_LEAST_FAILED = 3
_LEAST_RATIO = 2.0
_TOP_SHARE, _END_SHARE = 0.2, 0.15
_NUM_BINS = 4
_LEAST_TO_FIX = 50
_MOST_EXPLAINED = 0.1
_NEAR_SHARE = 0.02
_LEAST_FOR_PLATEAU = 50
_PLATEAU = 0.01
_LEAST_LEFT = 0.05
_LEAST_IDLE_SECONDS = 0.2
_NUM_GAPS = 50
_LONGEST_WORD = 40


@dataclass(frozen=True)
class Advice:
    """One advice: a rule, its evidence, and one command.

    Attributes
    ----------
    code : str
        The rule: ``failures``, ``exhausted``, ``idle``, ``widen``, ``plateau`` or ``fix``.
    about : str
        The parameter; empty where it is about the whole search.
    sentence : str
        The finding.
    evidence : str
        The numbers that it rests on.
    weight : float
        How much evidence there is; advice that a person put off is shown again when it has grown by half.
    trials : tuple of int
        Numbers of the trials that it is about, at most `MOST_SHOWN`.
    command, arguments
        The command of a `Search` that follows the advice, and its arguments.
    label : str
        What the command does, in words.
    end : str
        The end of the range that is to be widened: ``lower`` or ``upper``; empty for all other advice.
    """

    code: str
    about: str
    sentence: str
    evidence: str
    weight: float
    trials: tuple[int, ...]
    command: str
    arguments: tuple[Any, ...]
    label: str
    end: str = ""

    @property
    def key(self) -> str:
        """The same for the same advice with more evidence."""
        return f"{self.code}:{self.about}"


@dataclass(frozen=True)
class Tried:
    """Trials as advice looks at them: chosen by the strategy, ended, inside the present ranges, in the order of their ends.

    Attributes
    ----------
    numbers : ndarray
        Trial numbers.
    failed : ndarray of bool
        Which of them failed, and did so when they were run again, if they were.
    values : ndarray
        The first objective, of the sign for which less is better; NaN where the trial did not complete.
    columns : mapping of str to ndarray
        Parameter name to values, choices by index; NaN where the parameter does not apply.
    """  # noqa: E501 -- one line of summary

    numbers: np.ndarray
    failed: np.ndarray
    values: np.ndarray
    columns: Mapping[str, np.ndarray] = field(default_factory=dict)

    def __len__(self) -> int:
        return len(self.numbers)

    def take(self, which: Any) -> Tried:
        """Return some of them, by a slice, a mask or places."""
        columns = {name: column[which] for name, column in self.columns.items()}
        return Tried(self.numbers[which], self.failed[which], self.values[which], columns)

    @cached_property
    def completed(self) -> Tried:
        """Those with a finite value."""
        return self.take(np.isfinite(self.values))

    @property
    def best(self) -> int:
        """The place of the best; only where there is a finite value, as others rank last."""
        return int(np.argmin(np.where(np.isfinite(self.values), self.values, np.inf)))


def tried(rows: Rows, space: Space, objectives: Sequence[Objective]) -> Tried:
    """Choose the trials that advice looks at.

    Parameters
    ----------
    rows
        All trials of a search.
    space
        The present space.
    objectives
        What is optimised; the first one is looked at.

    Returns
    -------
    Tried
        The trials.
    """
    state = rows.state
    usable = ((state == TrialState.COMPLETED) | (state == TrialState.FAILED) | (state == TrialState.PRUNED)) & (
        ~(rows.enqueued | rows.is_recorded)
    )
    usable &= lies_within(rows.parameters, space, space.ranges, absent=True)
    columns = {name: nan_where_absent(column) for name, column in rows.parameters.items()}
    places = np.flatnonzero(usable)
    places = places[np.argsort(rows.ended[places], kind="stable")]
    sign = 1.0 if objectives[0].minimise else -1.0
    values = np.where(rows.state == TrialState.COMPLETED, sign * rows.values[:, 0], np.nan)
    everything = Tried(rows.numbers, rows.fails_still(), values, columns)
    return everything.take(places)


def due_test(trials: Tried) -> tuple[Tried, float]:
    """Return the trials of the newest test that is due, and its level; no trials before the first test."""
    size, number, due = 0, 0, float(_FIRST_TEST)
    while int(due) <= len(trials):
        size, number, due = int(due), number + 1, due * _TEST_GROWTH
    return trials.take(slice(0, size)), LEVEL / (number * (number + 1)) if number else 0.0


# Failed trials share a range or a choice ----------------------------------------------------------


@dataclass(frozen=True)
class _RangePart:
    """A part of the range of one parameter, and what is left without it.

    There may be hundreds, of which one is reported at most: its words are made then.
    """

    name: str
    compare: Callable[[np.ndarray, Any], np.ndarray]
    bound: Any
    """What values are compared with; choices by index."""
    sign: str
    end: str | float
    """What the sign stands before in words."""
    kept: tuple[Any, ...]

    def inside(self, trials: Tried) -> np.ndarray:
        """Return which trials lie in it."""
        return self.compare(trials.columns[self.name], self.bound)

    def words(self, space: Space) -> str:
        """Return its parameter, sign and end."""
        end = _number(self.end) if isinstance(self.end, float) else str(self.end)
        return " ".join(filter(None, (_short(_label(space, self.name)), self.sign, end)))


def failures_share(trials: Tried, space: Space) -> Advice | None:
    """Find a part of one range, or a choice, in which trials fail more often than elsewhere: it can be excluded.

    The test is Fisher's exact test, one-sided, for up to 7 thresholds from either end of each range and for each choice
    (Fisher 1922, On the interpretation of χ² from contingency tables). No advice is given below 3 failures, or where
    the best trial would be excluded.

    Parameters
    ----------
    trials
        What was tried.
    space
        The present space.

    Returns
    -------
    Advice or None
        The part with the least p-value, where that is small enough.
    """
    first, level = due_test(trials)
    part = _failing_part(first, level, space)
    # The same part, among all trials so far.
    if part is None or _p_of_part(trials, part) > LEVEL:
        return None
    inside = part.inside(trials)
    has_best = np.isfinite(trials.values).any() and bool(inside[trials.best])
    bad = trials.failed & inside
    num_bad, num_inside = int(bad.sum()), int(inside.sum())
    num_other, num_outside = int(trials.failed.sum()) - num_bad, len(trials) - num_inside
    if has_best or num_bad < _LEAST_FAILED or num_outside == 0:
        return None
    rate, other_rate = num_bad / num_inside, num_other / num_outside
    if rate < _LEAST_RATIO * other_rate:
        return None
    words = part.words(space)
    return Advice(
        "failures",
        part.name,
        f"{num_bad} of {num_bad + num_other} failures have {words}",
        f"{num_bad} of {num_inside} such trials failed ({_percent(rate)}), "
        f"{num_other} of {num_outside} others ({_percent(other_rate)})",
        num_bad,
        tuple(trials.numbers[bad][-MOST_SHOWN:].tolist()),
        "set_ranges",
        ({part.name: part.kept},),
        f"Exclude {words}",
    )


def _failing_part(first: Tried, level: float, space: Space) -> _RangePart | None:
    """Return the part with the least p-value, where that is small enough for so many parts."""
    if np.count_nonzero(first.failed) < _LEAST_FAILED:
        return None
    parts = list(_parts(space))
    p_values = [_p_of_part(first, part) for part in parts]
    return parts[int(np.argmin(p_values))] if parts and min(p_values) <= level / len(parts) else None


def _p_of_part(trials: Tried, part: _RangePart) -> float:
    return _p_of(part.inside(trials), trials.failed)


def _p_of(inside: np.ndarray, marked: np.ndarray) -> float:
    """The probability that chance puts as many of the marked trials inside."""
    count = np.count_nonzero
    return hypergeometric_tail(int(count(inside & marked)), len(inside), int(count(marked)), int(count(inside)))


def _parts(space: Space) -> Iterator[_RangePart]:
    """List the parts that are tested."""
    for name in space.names:
        leaf: Any = space.leaf(name)
        if leaf.kind == "choice":
            if len(leaf.allowed) < 2:
                continue
            values = leaf.range
            for place, index in enumerate(leaf.allowed):
                kept = values[:place] + values[place + 1 :]
                yield _RangePart(name, np.equal, index, "", _short(leaf.labels[index]), kept)
            yield from _ordered_choices(name, leaf)
            continue
        low, high = leaf.range
        for threshold in _thresholds(leaf):
            if leaf.kind == "int":
                yield _RangePart(name, np.greater_equal, threshold, "≥", threshold, (low, threshold - 1))
            else:
                yield _RangePart(name, np.greater, threshold, ">", threshold, (low, threshold))
            yield _RangePart(name, np.less, threshold, "<", threshold, (threshold, high))


def _ordered_choices(name: str, leaf: Any) -> Iterator[_RangePart]:
    """List the greatest and the least of choices that are numbers; single ones are listed already."""
    numbers = [leaf.declared[index] for index in leaf.allowed]
    if any(isinstance(one, bool) or not isinstance(one, (int, float)) for one in numbers):
        return
    ordered = sorted(leaf.allowed, key=lambda index: leaf.declared[index])
    for place in range(2, len(ordered) - 1):
        for chosen, left, sign, end in (
            (ordered[-place:], ordered[:-place], "≥", ordered[-place]),
            (ordered[:place], ordered[place:], "≤", ordered[place - 1]),
        ):
            kept = tuple(leaf.declared[index] for index in sorted(left))
            yield _RangePart(name, np.isin, chosen, sign, leaf.labels[end], kept)


def _thresholds(leaf: Any) -> list[Any]:
    """Numbers that cut a range into eight parts of equal width on the parameter's own scale."""
    low, high = leaf.range
    shares = np.arange(1, _NUM_THRESHOLDS + 1) / (_NUM_THRESHOLDS + 1)
    if leaf.kind == "log":
        cuts = np.exp(math.log(low) * (1 - shares) + math.log(high) * shares)
    else:
        cuts = low * (1 - shares) + high * shares
    if leaf.kind == "int":
        return sorted({math.ceil(cut) for cut in cuts if low < math.ceil(cut) <= high})
    return sorted({float(f"{cut:.2g}") for cut in cuts.tolist() if low < float(f"{cut:.2g}") < high})


# The best trial at an end of its range --------------------------------------------------------------


def best_at_end(trials: Tried, space: Space) -> list[Advice]:
    """Find the ranges to widen: the best trial lies at an end, and good trials crowd there.

    The best trial has to be within 7 % of the end (`widen_suggestions`). More of the best fifth of the completed trials
    have to be within 15 % of the end than chance puts there, given how many of all trials are (hypergeometric tail, as
    in Fisher's exact test). Both ends of each range of numbers are tested.

    Parameters
    ----------
    trials
        What was tried.
    space
        The present space.

    Returns
    -------
    list of Advice
        The nearest to its end first.
    """
    completed = trials.completed
    first, level = due_test(completed)
    if not len(first):
        return []
    best = completed.best
    point = [_known(completed.columns[name][best]) for name in space.names]
    num_ends = 2 * sum(space.leaf(name).kind != "choice" for name in space.names)
    found = []
    for wider in widen_suggestions(space, point):
        name, is_upper = wider["name"], wider["end"] == "upper"
        if any(_p_of_end(some, space.leaf(name), name, is_upper) > most
               for some, most in ((first, level / num_ends), (completed, LEVEL))):  # fmt: skip
            continue
        at_end, top = _at_end(completed, space.leaf(name), name, is_upper), _top(completed)
        both, num_top, num_end = int((at_end & top).sum()), int(top.sum()), int(at_end.sum())
        bound = wider["range"][int(is_upper)]
        found.append(
            Advice(
                "widen",
                name,
                f"The best trial is near the {wider['end']} end of {_short(_label(space, name))}",
                f"{both} of the best {num_top} trials lie there ({_percent(both / num_top)}), "
                f"{num_end} of all {len(completed)} ({_percent(num_end / len(completed))})",
                both,
                tuple(completed.numbers[at_end & top][-MOST_SHOWN:].tolist()),
                "set_ranges",
                ({name: tuple(wider["range"])},),
                f"Widen to {_number(bound)}",
                wider["end"],
            )
        )
    return found


def _p_of_end(trials: Tried, leaf: Any, name: str, is_upper: bool) -> float:
    return _p_of(_at_end(trials, leaf, name, is_upper), _top(trials))


def _at_end(trials: Tried, leaf: Any, name: str, is_upper: bool) -> np.ndarray:
    low, high = map(float, leaf.range)
    column = trials.columns[name]
    with np.errstate(invalid="ignore", over="ignore"):
        places = shares(column, low, high, is_log=leaf.kind == "log")
        at_end: np.ndarray = places >= 1 - _END_SHARE if is_upper else places <= _END_SHARE
    return at_end


def _top(trials: Tried) -> np.ndarray:
    """The best fifth; of equal values the earlier ones."""
    top = np.zeros(len(trials), dtype=bool)
    top[np.argsort(trials.values, kind="stable")[: math.ceil(_TOP_SHARE * len(trials))]] = True
    return top


# A parameter that does not matter -------------------------------------------------------------------


def unimportant(trials: Tried, space: Space) -> Advice | None:
    """Find a parameter that explains next to nothing beside the most important one: it can be fixed at the best value.

    A range of numbers without steps cannot be one value: 2 % of the declared range, on the parameter's own scale, round
    the best value are kept of it. Where no more than that is left already, there is no advice.

    The values of each parameter are cut into four bins of equally many trials (those of a choice into its choices). One
    parameter has to matter (Kruskal and Wallis 1952, Use of ranks in one-criterion variance analysis), else there is
    nothing to compare with. Inside each bin of the parameter that matters most, the ranks of the objective are compared
    between the bins of each other parameter. The sum of these statistics is noncentral χ², and an upper bound of its
    noncentrality (Patnaik's normal approximation, Biometrika 1949) bounds the share of the spread that the other
    parameter explains. The bound holds at ``LEVEL`` for all parameters of one test together, not for all tests of a
    run. Below a tenth a parameter counts as unimportant, which takes about 600 trials. A parameter that matters only
    together with one other than the most important is not recognised.

    Parameters
    ----------
    trials
        What was tried.
    space
        The present space.

    Returns
    -------
    Advice or None
        The least important parameter, where one is unimportant.
    """
    completed = trials.completed
    first, level = due_test(completed)
    if len(first) < _LEAST_TO_FIX:
        return None
    ranks = _ranks(first.values)
    bins = {
        name: found
        for name in space.names
        if (found := _bins(first.columns[name], space.leaf(name).kind == "choice")) is not None
    }
    if len(bins) < 2:
        return None
    whole = np.zeros(len(first), dtype=np.int64)
    scores = {name: _between(ranks, whole, found) for name, found in bins.items()}
    leader = min(scores, key=lambda name: chi2_tail(scores[name][0], scores[name][1]))
    if chi2_tail(scores[leader][0], scores[leader][1]) > level / len(bins):
        return None
    best = completed.best
    fixed = {
        name: kept
        for name in bins
        if name != leader and (kept := _fixed(space.leaf(name), completed.columns[name][best])) is not None
    }
    bounds = {}
    for name in fixed:
        statistic, freedom, _ = _between(ranks, bins[leader], bins[name])
        bounds[name] = _most_noncentrality(statistic, freedom, LEVEL / len(bins)) / len(first)
    if not bounds:
        return None
    name = min(bounds, key=lambda one: bounds[one])
    if bounds[name] > _MOST_EXPLAINED:
        return None
    chosen, words = fixed[name]
    label, other = _short(_label(space, name)), _short(_label(space, leader))
    return Advice(
        "fix",
        name,
        f"{label} hardly matters",
        f"it explains at most {_percent(bounds[name])} of the differences between {len(first)} trials, "
        f"{other} about {_percent(scores[leader][2])}",
        len(first),
        (int(completed.numbers[best]),),
        "set_ranges",
        ({name: chosen},),
        words,
    )


def _fixed(leaf: Any, value: float) -> tuple[tuple[Any, ...], str] | None:
    """Return the range that keeps a parameter at a value, in words too; None where the present one is no wider."""
    if leaf.kind == "choice":
        return (leaf.declared[int(value)],), f"Fix at {_short(leaf.labels[int(value)])}"
    if leaf.step is not None:
        exact = int(value) if leaf.kind == "int" else float(value)
        return (exact, exact), f"Fix at {_number(value)}"
    low, high = leaf.range
    first, last = leaf.declared
    # A little more than what is kept counts as no wider: bounds are rounded.
    if leaf.kind == "log":
        reach = math.exp(_NEAR_SHARE / 2 * (math.log(last) - math.log(first)))
        kept = (max(low, float(value / reach)), min(high, float(value * reach)))
        is_wider = math.log(high) - math.log(low) > 2.001 * math.log(reach)
    else:
        reach = _NEAR_SHARE * (last / 2 - first / 2)
        kept = (max(low, float(value - reach)), min(high, float(value + reach)))
        is_wider = high / 2 - low / 2 > 1.001 * reach
    return (kept, f"Keep near {_number(value)}") if is_wider else None


def _ranks(values: np.ndarray) -> np.ndarray:
    """Ranks from 0; equal values share the mean of theirs."""
    _, inverse, counts = np.unique(values, return_inverse=True, return_counts=True)
    means: np.ndarray = np.cumsum(counts) - (counts + 1) / 2
    return means[inverse]


def _bins(column: np.ndarray, is_choice: bool) -> np.ndarray | None:
    """Return the bin of each trial; None where not all trials have the parameter, or there is one bin only."""
    if not np.isfinite(column).all():
        return None
    if is_choice:
        _, bins = np.unique(column, return_inverse=True)
    else:
        cuts = np.unique(np.quantile(column, np.arange(1, _NUM_BINS) / _NUM_BINS))
        _, bins = np.unique(np.searchsorted(cuts, column, side="right"), return_inverse=True)
    return bins if len(bins) and bins.max() > 0 else None


def _between(ranks: np.ndarray, strata: np.ndarray, bins: np.ndarray) -> tuple[float, int, float]:
    """Compare bins inside each stratum: the sum of the Kruskal-Wallis statistics, its degrees of freedom, the share explained."""  # noqa: E501
    statistic, freedom, explained, total = 0.0, 0, 0.0, 0.0
    for stratum in range(int(strata.max()) + 1):
        inside = strata == stratum
        here, values = bins[inside], ranks[inside]
        counts = np.bincount(here)
        if np.count_nonzero(counts) < 2:
            continue
        values = values - values.mean()
        spread = float(values @ values)
        if spread == 0:
            continue
        sums = np.bincount(here, weights=values)
        between = float((sums[counts > 0] ** 2 / counts[counts > 0]).sum())
        statistic += (len(values) - 1) * between / spread
        freedom += int(np.count_nonzero(counts)) - 1
        explained, total = explained + between, total + spread
    return statistic, freedom, explained / total if total else 0.0


def _most_noncentrality(statistic: float, freedom: int, level: float) -> float:
    """Return the largest noncentrality that does not make so small a statistic improbable, by a normal of equal moments."""  # noqa: E501
    z = NormalDist().inv_cdf(1 - level)
    # freedom + most - statistic = z sqrt(2 (freedom + 2 most)), solved for `most`.
    middle = statistic - freedom + 2 * z * z
    rest = (statistic - freedom) ** 2 - 2 * z * z * freedom
    return max(0.0, middle + math.sqrt(max(0.0, middle * middle - rest)))


# The rest of the budget, the space, the workers -------------------------------------------------------


def plateau(trials: Tried, space: Space, budget: Budget) -> Advice | None:
    """Tell that no improvement is to be expected within the rest of the budget.

    Two conditions have to hold, with the distance from the best completed trial to the worst tenth as the measure. The
    best quarter of the completed trials lie within 1 % of it; and with 95 % confidence the least value inside these
    ranges is no more than 1 % of it below the best one. The bound is de Haan's for the least value of a function from
    the k least of random points (1981, Estimation of the minimum of a function using order statistics, JASA 76), with
    k = 10 and the exponent of a smooth minimum, half the number of parameters. The values of an objective that is pure
    noise do not meet the first condition, unless it takes four different values or fewer.

    Parameters
    ----------
    trials
        What was tried.
    space
        The present space.
    budget
        The search's budget.

    Returns
    -------
    Advice or None
        Advice to stop; None too where less than a twentieth of the budget is left.
    """
    completed = trials.completed
    used = budget.progress
    if len(completed) < _LEAST_FOR_PLATEAU or (used is not None and used > 1 - _LEAST_LEFT):
        return None
    ordered = np.sort(completed.values)
    num_top = len(ordered) // 4
    spread = ordered[(9 * len(ordered)) // 10] - ordered[0]
    near = _PLATEAU * spread
    width = ordered[num_top - 1] - ordered[0]
    num_free = sum(len(set(space.leaf(name).range_key)) > 1 for name in space.names)
    share = (1 - 0.05 ** (1 / 9)) ** (2 / max(2, num_free))
    gain = share / (1 - share) * (ordered[9] - ordered[0])
    if not (width <= near and gain <= near):
        return None
    top = np.sort(completed.numbers[np.argsort(completed.values, kind="stable")[:num_top]])
    return Advice(
        "plateau",
        "",
        "No better value is expected in these ranges",
        f"the best {num_top} of {len(ordered)} trials differ by {_number(width)}, nine tenths of all by "
        f"{_number(spread)}; another {_number(gain)} at most can be gained",
        len(ordered),
        tuple(top[-MOST_SHOWN:].tolist()),
        "stop",
        (),
        "Stop the search",
    )


def exhausted(trials: Tried, space: Space, reason: StopReason | None, *, can_undo: bool) -> Advice | None:
    """Tell that no point of these ranges is left, and how to get more points.

    Parameters
    ----------
    trials
        What was tried.
    space
        The present space.
    reason
        Why the search ended; None: it has not.
    can_undo
        Whether a range was changed.

    Returns
    -------
    Advice or None
        Advice to take back a change of the ranges, or to widen the range whose end the best trial is nearest to.
    """
    if reason is None or reason.code != "space_exhausted":
        return None
    has_tried_all = space.size is not None and space.size <= len(trials)
    sentence = "All points of these ranges were tried" if has_tried_all else "The strategy has no further point"
    points = f", {space.size} points" if has_tried_all else ""
    about = ("exhausted", "", sentence, f"{len(trials)} trials{points}; then Continue goes on", float(len(trials)), ())
    if can_undo:
        return Advice(*about, "undo", (), "Undo the last change of ranges")
    if not np.isfinite(trials.values).any():
        return None
    best = trials.best
    point = [_known(trials.columns[name][best]) for name in space.names]
    for wider in widen_suggestions(space, point):
        bound = wider["range"][int(wider["end"] == "upper")]
        return Advice(
            *about,
            "set_ranges",
            ({wider["name"]: tuple(wider["range"])},),
            f"Widen {_short(_label(space, wider['name']))} to {_number(bound)}",
        )
    return None


def idle_workers(rows: Rows, num_workers: int) -> Advice | None:
    """Tell that workers wait for points longer than they work: fewer of them do as much.

    A gap is the time between the end of a trial and the start of the next on the same worker. The median of the newest
    50 gaps is taken, so that a single pause has no effect; it has to be above 0.2 s and above the median length of a
    trial.

    Parameters
    ----------
    rows
        All trials of a search.
    num_workers
        Trials that may run at once.

    Returns
    -------
    Advice or None
        Advice to use as many workers as are kept busy.
    """
    places = np.flatnonzero((rows.worker >= 0) & np.isfinite(rows.started) & np.isfinite(rows.ended))
    # More would not change the newest gaps.
    places = places[np.argsort(rows.started[places], kind="stable")][-_NUM_GAPS - max(num_workers, 1) :]
    if num_workers < 2 or len(places) < _NUM_GAPS:
        return None
    gaps = [
        rows.started[after] - rows.ended[before]
        for worker in np.unique(rows.worker[places])
        for before, after in itertools.pairwise(places[rows.worker[places] == worker])
    ]
    if len(gaps) < _NUM_GAPS // 2:
        return None
    gap, length = float(np.median(gaps)), float(np.median(rows.ended[places] - rows.started[places]))
    if gap < max(_LEAST_IDLE_SECONDS, length):
        return None
    busy = max(1, math.ceil(num_workers * length / (length + gap)))
    if busy >= num_workers:
        return None
    return Advice(
        "idle",
        "",
        "Workers wait for the strategy",
        f"{_number(gap)} s between two trials of a worker, {_number(length)} s a trial, in {len(gaps)} of the newest; "
        f"{busy} of {num_workers} workers would be enough",
        gap / max(length, 1e-3),
        (),
        "set_max_number_of_concurrent_tasks",
        (busy,),
        f"Use {busy} worker{'' if busy == 1 else 's'}",
    )


def find_advice(search: Search) -> list[Advice]:
    """Return the advice that a search gives now, the most useful first.

    It costs one pass over the trials and a few sorts, on any thread. Only what the search takes now is advised.
    """
    rows, space, objectives = search.snapshot(), search.space, search.objectives
    capabilities = search.capabilities
    trials = tried(rows, space, objectives)
    found = [failures_share(trials, space)]
    can_undo = len(search.epochs) > 1 and capabilities.get("undo") is None
    found.append(exhausted(trials, space, search.stop_reason, can_undo=can_undo))
    if search.status is SearchStatus.RUNNING and not (isinstance(search, PollsServer) and search.next_poll is not None):
        found.append(idle_workers(rows, search.max_number_of_concurrent_tasks))
    # Several objectives have no one best trial.
    if len(objectives) == 1:
        found += best_at_end(trials, space)
        if search.status.is_alive:
            found += [plateau(trials, space, search.budget), unimportant(trials, space)]
    return [one for one in found if one is not None and not capabilities.get(one.command) and _is_possible(one, space)]


def _is_possible(advice: Advice, space: Space) -> bool:
    """Whether the space takes the ranges that are advised."""
    if advice.command != "set_ranges":
        return True
    try:
        return space.with_ranges(advice.arguments[0]).range_keys != space.range_keys
    except ValueError:
        return False


# Words and distributions --------------------------------------------------------------------------


def _label(space: Space, name: str) -> str:
    """The name without its section, where that leaves no two alike."""
    tail = name.rpartition("/")[2]
    return tail if tail and sum(one.rpartition("/")[2] == tail for one in space.names) == 1 else name


def _short(words: str) -> str:
    return short(words, _LONGEST_WORD)


def _number(value: float) -> str:
    return in_words(value, 3)


def _percent(share: float) -> str:
    return f"{100 * share:.0f} %"


def _known(value: float) -> float | None:
    return None if math.isnan(value) else float(value)


def hypergeometric_tail(hits: int, population: int, marked: int, drawn: int) -> float:
    """Return the exact probability of at least ``hits`` marked ones among those drawn.

    Parameters
    ----------
    hits
        How many of those drawn are marked.
    population
        How many there are.
    marked
        How many of them are marked.
    drawn
        How many are drawn without replacement.

    Returns
    -------
    float
        The probability; 1 where there are no more hits than expected, as only an excess is of interest.
    """
    if hits * population <= marked * drawn:
        return 1.0

    def choose(n: int, k: int) -> float:
        return math.lgamma(n + 1) - math.lgamma(k + 1) - math.lgamma(n - k + 1)

    unmarked = population - marked
    term = math.exp(choose(marked, hits) + choose(unmarked, drawn - hits) - choose(population, drawn))
    total = term
    # Each term from the one before; beyond the mean they fall.
    for count in range(hits, min(marked, drawn)):
        term *= (marked - count) * (drawn - count) / ((count + 1) * (unmarked - drawn + count + 1))
        total += term
        if term <= total * 1e-17:
            break
    return min(1.0, total)


def chi2_tail(statistic: float, freedom: int) -> float:
    """Return the probability that a χ² variable is at least as large as a statistic, by its finite series.

    Parameters
    ----------
    statistic
        The value, 0 or more.
    freedom
        Degrees of freedom, 1 or more.

    Returns
    -------
    float
        The probability.
    """
    half = statistic / 2
    if freedom < 1 or half <= 0:
        return 1.0
    tail, power = (math.erfc(math.sqrt(half)), 0.5) if freedom % 2 else (math.exp(-half), 1.0)
    while power < freedom / 2:
        tail += math.exp(power * math.log(half) - half - math.lgamma(power + 1))
        power += 1
    return min(1.0, tail)
