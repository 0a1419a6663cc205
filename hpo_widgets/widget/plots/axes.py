"""The axes of live plots: their ends and their ticks.

Ends grow in steps, so that a live plot is not laid out again for each point.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from hpo_widgets.widget import text

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from hpo_widgets.widget.plots.series import Floats

# Ends of values grow by so much of the axis and at most by so many decades, numbers of trials by so much.
_VALUE_STEP = 0.12
_MOST_DECADES = 0.3
_GROWTH = 1.5
_FIRST_TRIALS = 20
_MARGIN = 0.06
# Room above the values, where the labels of space epochs are.
_HEADROOM = 0.1
# Values beyond this are drawn at this: the width of an axis must be finite too.
_MOST = 1e300
_MOST_END = 1e305
_LEAST_POSITIVE = 1e-305
# Between 0 and this they are drawn at this: the lane is below them on the widest logarithmic axis too.
_LEAST_VALUE = 1e-250
# Less than this apart is the same: shares of it would vanish.
_LEAST_WIDTH = 1e-300
# Labels of choices along an axis at most, and letters that each of them has before there are fewer.
_MOST_LABELS, _LEAST_LETTERS = 8, 6
# Room for the lane of failed trials under the values, as a share of the axis.
LANE = 0.09
# Where values beyond an axis are drawn, as shares of it: below it, above it.
_BELOW, _ABOVE = 0.11, 0.975
# Shares of an axis, or numbers of steps, that differ by no more are the same.
_SAME = 1e-9
_WIDE = 20.0
_LEAST_VALUES = 10
# Where the better three quarters of the values would take less than a twentieth of an axis, it goes from the best one
# so many times as far as they do.
_BULK, _LEAST_SHARE, _BULKS = 0.75, 0.05, 3.0


@dataclass(frozen=True)
class Domain:
    """Both ends of an axis of values, with the lane of failed trials at its low end.

    Attributes
    ----------
    low, high : float
        Ends of the axis; on a logarithmic one above 0.
    is_log : bool
        Whether the axis is logarithmic.
    """

    low: float
    high: float
    is_log: bool = False

    def place(self, values: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
        """Share of the axis, 0 at its low end and 1 at its high end."""
        low, high = _forward(self.low, is_log=self.is_log), _forward(self.high, is_log=self.is_log)
        forward = np.log10(np.maximum(values, _LEAST_POSITIVE)) if self.is_log else values
        return (forward - low) / (high - low)

    def at(self, place: float) -> float:
        """Return the value at a share of the axis: the inverse of `place`."""
        low, high = _forward(self.low, is_log=self.is_log), _forward(self.high, is_log=self.is_log)
        return _backward(low + place * (high - low), is_log=self.is_log)

    def is_beyond(self, values: npt.NDArray[np.float64]) -> npt.NDArray[np.bool_]:
        """Which values have no place on the axis, above the lane."""
        with np.errstate(over="ignore"):
            places = self.place(values)
        return (places < LANE - _SAME) | (places > 1 + _SAME)

    def place_drawn(self, values: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
        """Share of the axis at which values are drawn: those that lie beyond it at its edge."""
        with np.errstate(over="ignore"):
            places = self.place(values)
        return np.where(self.is_beyond(values), np.where(places > 1, _ABOVE, _BELOW), places)

    def grown(self, values: npt.NDArray[np.float64]) -> Domain:
        """Return the domain that also holds ``values``: the same when it does, else larger by a step."""
        if len(values) == 0:
            return self
        low, high = _forward(self.low, is_log=self.is_log), _forward(self.high, is_log=self.is_log)
        least = _forward(float(values.min()), is_log=self.is_log)
        most = _forward(float(values.max()), is_log=self.is_log)
        width = high - low
        floor = low + LANE * width
        if least >= floor and most <= high:
            return self
        # A step at least, so that a slow drift does not redraw the axis for each trial.
        step = min(_VALUE_STEP * width, _MOST_DECADES) if self.is_log else _VALUE_STEP * width
        if least < floor:
            floor = min(floor - step, least - _MARGIN * (high - least))
        if most > high:
            high = max(high + step, most + _MARGIN * (most - floor))
        return _over_lane(floor, high, is_log=self.is_log)


UNIT = Domain(0.0, 1.0)
"""The ends of an axis before there is anything to draw, and those of the lane."""


def first_domain(values: npt.NDArray[np.float64], *, is_log: bool) -> Domain:
    """Return the domain that holds ``values`` with a margin and the lane below.

    None gives 0 to 1; equal ones are put in the middle.

    Parameters
    ----------
    values
        Values to show, shape (n,).
    is_log
        Whether the axis is logarithmic.

    Returns
    -------
    Domain
        The ends of the axis.
    """
    if len(values) == 0:
        return _over_lane(-1.0 if is_log else 0.0, 0.0 if is_log else 1.0, is_log=is_log)
    kept = clip(values)
    low = _forward(float(kept.min()), is_log=is_log)
    high = _forward(float(kept.max()), is_log=is_log)
    if half := _least_margin(low, high, is_log=is_log):
        low, high = low - half, high + half
    width = high - low
    return _over_lane(low - _MARGIN * width, high + _HEADROOM * width, is_log=is_log)


def domain_of_range(low: float, high: float, *, is_log: bool) -> Domain:
    """Return the domain of a parameter that lies between ``low`` and ``high``, with a margin at both ends.

    Parameters
    ----------
    low, high
        Ends of the range.
    is_log
        Whether the axis is logarithmic.

    Returns
    -------
    Domain
        The ends of the axis.
    """
    start, end = (_forward(min(max(end, -_MOST), _MOST), is_log=is_log) for end in (low, high))
    margin = _least_margin(start, end, is_log=is_log) or _MARGIN * (end - start)
    return Domain(_backward(start - margin, is_log=is_log), _backward(end + margin, is_log=is_log), is_log)


def _least_margin(low: float, high: float, *, is_log: bool) -> float:
    """Return how far an axis goes beyond both ends of a range without width, on the even scale; 0 for another one."""
    if high - low > max(abs(low) * 1e-12, _LEAST_WIDTH):
        return 0.0
    return 0.5 if is_log or abs(low) <= _LEAST_WIDTH else abs(low) * 0.05


def _over_lane(floor: float, high: float, *, is_log: bool) -> Domain:
    """Return the domain from ``floor`` to ``high``, on the even scale, with the lane below the floor."""
    low = floor - LANE / (1 - LANE) * (high - floor)
    return Domain(_backward(low, is_log=is_log), _backward(high, is_log=is_log), is_log)


def wants_log(values: npt.NDArray[np.float64], *, minimise: bool = True) -> bool:
    """Whether a logarithmic axis shows ``values`` better.

    The rule: there are at least ten values, all above 0, and the largest of the better 90 % is at
    least twenty times the smallest. Where high is good, that is of the better half: a logarithm draws high values
    close together, such as accuracies near 1, and low ones apart.

    Parameters
    ----------
    values
        The values, shape (n,).
    minimise
        Whether low ones are good.

    Returns
    -------
    bool
        Whether.
    """
    if len(values) < _LEAST_VALUES or float(values.min()) <= 0:
        return False
    low, high = (values.min(), np.quantile(values, 0.9)) if minimise else (np.median(values), values.max())
    return float(high) / float(max(low, _LEAST_POSITIVE)) >= _WIDE


def end_of_bulk(values: npt.NDArray[np.float64], *, is_log: bool, minimise: bool) -> float:
    """Return the value beyond which an axis holds none: a few bad values would leave all others one line.

    The rule: there are at least ten values, and the better three quarters of them would take less than a twentieth of
    the axis. Then it goes from the best value three times as far as these do. A good value never lies beyond it.

    Parameters
    ----------
    values
        The values, shape (n,).
    is_log
        Whether the axis is logarithmic.
    minimise
        Whether low values are good.

    Returns
    -------
    float
        The value; infinite where the axis is to hold all.
    """
    sign = 1.0 if minimise else -1.0
    if len(values) >= _LEAST_VALUES:
        forward = np.log10(np.maximum(values, _LEAST_POSITIVE)) if is_log else clip(values)
        best = float((sign * forward).min())
        distances = sign * forward - best
        bulk = float(np.quantile(distances, _BULK))
        if 0 < bulk < _LEAST_SHARE * float(distances.max()):
            return _backward(sign * (best + _BULKS * bulk), is_log=is_log)
    return sign * math.inf


def is_log_for(
    values: npt.NDArray[np.float64], log_scale: bool | None, *, was_log: bool, minimise: bool = True
) -> bool:
    """Tell whether an axis of values is logarithmic.

    Parameters
    ----------
    values
        The values, shape (n,).
    log_scale
        Whether it is to be, as far as the values allow it; None: where `wants_log` says so, and from then on.
    was_log
        Whether it is logarithmic now.
    minimise
        Whether low values are good. Default True.

    Returns
    -------
    bool
        False where a value is not positive.
    """
    if log_scale or (log_scale is None and was_log):
        return not np.any(values <= 0)
    return log_scale is None and wants_log(values, minimise=minimise)


def clip(values: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """Values as they can be drawn: no larger than an axis can be wide."""
    return np.clip(values, -_MOST, _MOST)


def clip_objective(values: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """Values of an objective as they can be drawn: above the lane of failed trials too."""
    return np.where((values > 0) & (values < _LEAST_VALUE), _LEAST_VALUE, clip(values))


def num_trials_shown(num_trials: int, most: int | None) -> int:
    """End of the axis of trials: steps of one half more, and no further than there will be trials.

    Parameters
    ----------
    num_trials
        Trials that there are.
    most
        The job budget; None: no limit.

    Returns
    -------
    int
        The number of trials at the end of the axis.
    """
    end = _FIRST_TRIALS
    while end < num_trials:
        end = int(end * _GROWTH)
    return end if most is None else max(min(end, most), num_trials, 1)


def _forward(value: float, *, is_log: bool) -> float:
    """Tell where a value lies on the scale on which the axis is even."""
    return math.log10(max(value, _LEAST_POSITIVE)) if is_log else value


def _backward(place: float, *, is_log: bool) -> float:
    """Return the value at a place on that scale, as far as an axis can go."""
    if is_log:
        return float(10.0 ** min(max(place, math.log10(_LEAST_POSITIVE)), math.log10(_MOST_END)))
    return min(max(place, -_MOST_END), _MOST_END)


def rounded_interval(low: float, high: float, *, is_log: bool) -> tuple[float, float]:
    """Return an interval with no more digits than its width deserves.

    Parameters
    ----------
    low, high
        The interval.
    is_log
        Whether it is on a logarithmic axis, where its ends lie above 0.

    Returns
    -------
    tuple of float
        (low, high), as wide to a thousandth or so.
    """
    if is_log and high > 2 * low:
        return float(f"{low:.3g}"), float(f"{high:.3g}")
    if not 0 < high - low < math.inf:
        return low, high
    share = (high - low) / 500
    quantum = 10.0 ** math.floor(math.log10(share)) if share > 0 else 0.0
    if quantum == 0:
        return low, high
    return float(f"{round(low / quantum) * quantum:.12g}"), float(f"{round(high / quantum) * quantum:.12g}")


_FEW_ENDED = 3

# Up to so many values the axis is fitted again when their number has doubled; later it only grows.
_MOST_FITTED = 64


class FittedAxis:
    """Chooses the ends of an axis of values and whether it is logarithmic.

    Parameters
    ----------
    log_scale
        Whether the axis is to be logarithmic, as far as the values allow it. Default: where it shows more.
    minimise
        Whether low values are good. Default True.
    holds_all
        Whether the axis holds all values, as it does where its kind is given. Default: not those beyond
        `end_of_bulk`.
    always_held
        Gives the values that the axis holds in any case. Default: none.

    Attributes
    ----------
    domain : Domain
        The ends as they are now.
    """

    def __init__(
        self,
        log_scale: bool | None = None,
        *,
        minimise: bool = True,
        holds_all: bool = False,
        always_held: Callable[[], Floats] = lambda: np.empty(0),
    ) -> None:
        self.domain = UNIT
        self.log_scale = log_scale
        self._minimise = minimise
        self._holds_all = holds_all
        self._always_held = always_held
        self._end = math.inf if minimise else -math.inf
        """The value beyond which none has a place on the axis."""
        self._num_values = self._num_fitted = 0

    def fit(self, values: Floats, *, anew: bool = True) -> None:
        """Choose the kind of axis and, with ``anew`` or for another kind, its ends; else make room for the values.

        Parameters
        ----------
        values
            All values, shape (n,).
        anew
            Whether the ends are chosen anew where the kind of axis stays. Default True.
        """
        self._num_values = self._num_fitted = len(values)
        is_log = is_log_for(values, self.log_scale, was_log=self.domain.is_log, minimise=self._minimise)
        if anew or is_log != self.domain.is_log:
            self._end = self._end_for(values, is_log=is_log)
            held = self._held(values)
            self.domain = first_domain(held, is_log=is_log).grown(held)
        else:
            self._make_room(values, lambda: values)

    def extend(self, fresh: Floats, values: Callable[[], Floats]) -> bool:
        """Make room for ``fresh`` values; ``values()`` are all, asked for when the axis is fitted again.

        Parameters
        ----------
        fresh
            New values, shape (n,).
        values
            Gives all values, the new ones included.

        Returns
        -------
        bool
            Whether one of the other values lies beyond the axis now and did not before, or the other way round.
        """
        if len(fresh) == 0:  # an axis without values may have made room for those of running trials
            return False
        before = self.domain
        self._num_values += len(fresh)
        must_fit = self.domain.is_log and bool(np.any(fresh <= 0))
        if must_fit or self._num_values >= 2 * self._num_fitted:
            self.fit(values(), anew=must_fit or self._num_fitted <= _MOST_FITTED)
        else:
            self._make_room(fresh, values)

        def num_moved(some: Floats) -> int:
            return int((before.is_beyond(some) != self.domain.is_beyond(some)).sum())

        return self.domain != before and num_moved(values()) > num_moved(fresh)

    def _make_room(self, some: Floats, values: Callable[[], Floats]) -> None:
        """Make room for some of all values, but for those that lie far beyond the others."""
        if self.domain.grown(some) is self.domain:
            return
        end = self._end_for(values(), is_log=self.domain.is_log)
        # What has a place on the axis keeps it: the other trials need not be drawn again.
        self._end = max(end, self.domain.high) if self._minimise else min(end, self.domain.at(LANE))
        self.domain = self.domain.grown(self._held(some))

    def _end_for(self, values: Floats, *, is_log: bool) -> float:
        """Return the value beyond which the axis holds none of all values."""
        holds_all = self._holds_all or self.log_scale is not None
        end = end_of_bulk(values[:0] if holds_all else values, is_log=is_log, minimise=self._minimise)
        held = self._always_held()
        return float(held.max(initial=end) if self._minimise else held.min(initial=end))

    def are_beyond_bulk(self, values: Floats) -> npt.NDArray[np.bool_]:
        """Which of some values lie beyond `end_of_bulk`, for a plot that chooses itself what the axis holds."""
        if self.log_scale is not None:
            return np.zeros(len(values), dtype=np.bool_)
        is_log = is_log_for(values, None, was_log=self.domain.is_log, minimise=self._minimise)
        end = end_of_bulk(values, is_log=is_log, minimise=self._minimise)
        are_beyond: npt.NDArray[np.bool_] = values > end if self._minimise else values < end
        return are_beyond

    def _held(self, values: Floats) -> Floats:
        """Return those of the values that have a place on the axis."""
        return values[values <= self._end if self._minimise else values >= self._end]

    def make_room_for_running(self, values: Floats) -> None:
        """Choose the ends for values so far of running trials; once trials have ended, make room for the best of them.

        At the bad end a first report may be far from all that follow. Beside one or two trials that have ended, whose
        values say little of how far others lie apart, there is room for all.
        """
        if len(values) == 0:
            return
        if self._num_values >= _FEW_ENDED:
            best = float(values.min() if self._minimise else values.max())
            place = float(self.domain.place(np.array([best]))[0])
            if (place < LANE if self._minimise else place > 1) and not (self.domain.is_log and best <= 0):
                self.domain = self.domain.grown(np.array([best]))
        else:
            is_first = not self._num_values and self.domain in {UNIT, first_domain(np.empty(0), is_log=False)}
            shown = values[values > 0] if self.domain.is_log else values
            self.domain = first_domain(values, is_log=False) if is_first else self.domain.grown(shown)


_PLAIN, _SCIENTIFIC = "~g", "~e"
_LEAST_PLAIN, _MOST_PLAIN = 1e-4, 1e6
# Below this an exponent is shorter than zeros; so many letters have room beside the name of an axis.
_LEAST_LONG, _MOST_LETTERS = 1e-3, 7
# Digits of labels beside an axis, and of those of narrow ones; more where neighbours would read the same.
_DIGITS, _FEW_DIGITS = 6, 4

TIP_DIGITS = 7
"""Significant digits of values beside the pointer, where there is room: those of the table at most."""
TIP_FORMAT = f".{TIP_DIGITS}~g"
"""The same as a format of d3."""

_STEPS = (1.0, 2.0, 5.0, 10.0)
# So much shorter than asked for may the distance of two ticks be, before the next round one is taken.
_LEAST_STEP = 0.71
_MOST_DECADES_WITH_PARTS = 2.5
# So many decades apart, from 2.2e-308 to 1.8e308 at the most.
_DECADES = (1, 2, 3, 4, 5, 10, 20, 50, 100, 200, 500, 1000)


def even_ticks(low: float, high: float, most: int, *, whole: bool = False) -> list[float]:
    """Round numbers at even distances from ``low`` to ``high``, about ``most``.

    Parameters
    ----------
    low, high
        Ends of the axis.
    most
        About how many.
    whole
        Whether only whole numbers make sense.

    Returns
    -------
    list of float
        Values of the ticks, rising; none for an axis without width.
    """
    width = high / most - low / most
    if not 0 < width < math.inf:
        return []
    unit = 10.0 ** math.floor(math.log10(width))
    step = next(unit * part for part in _STEPS if unit * part >= width * _LEAST_STEP)
    step = max(1.0, step) if whole else step
    # An end that is a tick but for the last digit is one.
    first, last = math.ceil(low / step - _SAME), math.floor(high / step + _SAME)
    return [float(f"{count * step:.12g}") for count in range(first, last + 1)]


def tick_format(ticks: Sequence[float]) -> str:
    """Return how bqplot writes the ticks of one axis, all in one notation, with six digits or what tells them apart."""
    sizes = [abs(tick) for tick in ticks if tick]
    digits = max(_DIGITS, _digits_apart(ticks))
    is_plain = all(_LEAST_PLAIN <= size < 10.0**digits for size in sizes)
    if min(sizes, default=1.0) < _LEAST_LONG:
        is_plain = is_plain and max(len(f"{tick:.{digits}g}") for tick in ticks) <= _MOST_LETTERS
    # Beside large numbers, which it writes with an exponent anyway, it leaves 0 as it is.
    is_large = len(sizes) < len(ticks) and min(sizes, default=0) >= _MOST_PLAIN
    return f".{digits}{_PLAIN if is_plain or is_large else _SCIENTIFIC}"


def tick_words(ticks: Sequence[float]) -> list[str]:
    """Return the ticks of one axis as short texts, which all differ."""
    digits = max(_FEW_DIGITS, _digits_apart(ticks))
    return [text.number(tick, digits) for tick in ticks]


def _digits_apart(ticks: Sequence[float]) -> int:
    """Return how many significant digits rising ticks need, so that no two neighbours read the same."""
    return max(
        (
            1 + math.floor(math.log10(max(abs(low), abs(high)))) - math.floor(math.log10(high - low))
            for low, high in pairwise(ticks)
            if low < high
        ),
        default=1,
    )


def value_ticks(domain: Domain, most: int) -> list[float]:
    """Ticks of an axis of values, none on the lane of failed trials.

    Parameters
    ----------
    domain
        The ends of the axis.
    most
        About how many on the whole axis.

    Returns
    -------
    list of float
        Values of the ticks, rising.
    """
    floor = domain.at(LANE)
    return [tick for tick in ticks_between(domain, most) if floor <= tick]


def ticks_between(domain: Domain, most: int, *, whole: bool = False) -> list[float]:
    """Ticks over the whole of an axis.

    Parameters
    ----------
    domain
        The ends of the axis.
    most
        About how many.
    whole
        Whether only whole numbers make sense. Default False.

    Returns
    -------
    list of float
        Values of the ticks, rising.
    """
    if domain.is_log:
        ticks = _log_ticks(domain, most)
    else:
        ticks = even_ticks(domain.low, domain.high, most, whole=whole)
    return [tick for tick in ticks if domain.low <= tick <= domain.high]


def ticks_side_by_side(ticks_for: Callable[[int], list[float]], most: int, letters: int | None) -> list[float]:
    """Return ticks whose numbers have room side by side.

    Parameters
    ----------
    ticks_for
        Gives about so many ticks.
    most
        About how many at most.
    letters
        Letters that there is room for; None: as many as there are.

    Returns
    -------
    list of float
        Values of the ticks, rising.
    """
    while True:
        ticks = ticks_for(most)
        if letters is None or most <= 1 or len(" ".join(map("{:g}".format, ticks))) <= letters:
            return ticks
        most -= 1


def choices_of(parameter: Any) -> tuple[str, ...] | None:
    """Return the labels of a parameter's choices, to which more may be added; None for a number."""
    return parameter.labels if parameter.kind == "choice" else None


class ParameterAxis:
    """The axis of a parameter, in its own scale; choices are steps.

    Parameters
    ----------
    parameter
        The parameter.

    Attributes
    ----------
    domain : Domain
        The ends as they are now.
    choices : sequence of str or None
        The labels of its choices; None for a number.
    """

    def __init__(self, parameter: Any) -> None:
        self._parameter = parameter
        self.choices = choices_of(parameter)
        self._is_whole = parameter.kind == "int"
        if self.choices is not None:
            self.domain = Domain(-0.5, len(self.choices) - 0.5)
        else:
            (low, high), (now_low, now_high) = parameter.declared, parameter.range
            self._ends = min(low, now_low), max(high, now_high)
            self.domain = domain_of_range(*self._ends, is_log=parameter.kind == "log")

    @property
    def tip_format(self) -> str | None:
        """Format of d3 for values beside the pointer; None for a choice, which is in the name of its point."""
        if self.choices is not None:
            return None
        return "d" if self._is_whole else TIP_FORMAT

    def make_room(self, values: Floats) -> Domain:
        """Move the ends where values lie beyond them; returns the ends."""
        if len(values) == 0 or self.choices is not None:
            return self.domain
        self._ends = min(self._ends[0], float(values.min())), max(self._ends[1], float(values.max()))
        place = self.domain.place(values)
        if place.min() < 0 or place.max() > 1:
            low, high = min(self.domain.low, float(values.min())), max(self.domain.high, float(values.max()))
            self.domain = domain_of_range(low, high, is_log=self.domain.is_log)
        return self.domain

    def ticks(self, most: int, letters: int, *, each: int | None = None) -> dict[str, Any]:
        """Return the traits of a bqplot axis that its ticks are.

        Parameters
        ----------
        most
            About how many ticks of a number.
        letters
            Letters of all labels together, of which there are fewer where they are long.
        each
            Letters of one of them at most, where they stand one above the other; None: as many as there are for it.

        Returns
        -------
        dict
            The traits.
        """
        if self.choices is None:
            room = letters if each is None else None
            ticks = ticks_side_by_side(lambda some: ticks_between(self.domain, some, whole=self._is_whole), most, room)
            return {"tick_values": np.array(ticks), "tick_format": tick_format(ticks)}
        count = len(self.choices)
        for most_labels in range(_MOST_LABELS, 0, -1):
            labelled = range(0, count, -(-count // most_labels))
            room = max(_LEAST_LETTERS, min(letters // len(labelled), each or letters))
            words = text.shorts([self.choices[index] for index in labelled], room)
            if each is not None or len(labelled) * max(map(len, words)) <= letters:
                break
        return {
            "tick_values": np.array(labelled, dtype=float),
            "tick_labels": {str(index): word for index, word in zip(labelled, words, strict=True)},
        }

    def box(self, stretch: tuple[float, float]) -> dict[str, tuple[Any, ...]]:
        """Return what a stretch of the axis covers: the parameter's name to (low, high), or to choices.

        Empty where it covers no value; without the margins of the axis, where there are no values. Bounds are steps
        where the parameter has them.
        """
        low, high = stretch
        parameter, chosen = self._parameter, tuple[Any, ...]()
        if self.choices is not None:
            chosen = tuple(choice for index, choice in enumerate(parameter.declared) if low <= index <= high)
            return {parameter.name: chosen} if chosen else {}
        if parameter.step is None:
            low, high = rounded_interval(low, high, is_log=self.domain.is_log)
        low, high = max(low, self._ends[0]), min(high, self._ends[1])
        if parameter.step is None:
            return {parameter.name: (low, high)} if low < high else {}
        steps = parameter.steps_between(low, high)
        return {} if steps is None else {parameter.name: steps}

    def place_of(self, value: Any) -> float:
        """Return where a value lies, in values of the axis: a choice at its index; NaN for none of the choices."""
        if self.choices is None:
            return float(value)
        index = self._parameter.table.index_of(value)
        return math.nan if index is None else float(index)

    def value_at(self, place: float) -> Any:
        """Return the value at a place, given in values of the axis: a choice there, a number with few digits."""
        if self.choices is not None:
            return self._parameter.declared[min(max(round(place), 0), len(self.choices) - 1)]
        low, high = self._ends
        value = min(max(place, low), high)
        if self._is_whole:
            return round(value)
        if self.domain.is_log:
            value = float(f"{value:.3g}")
        else:
            value, _ = rounded_interval(value, value + high - low, is_log=False)
        return min(max(value, low), high)

    def places_along(self, count: int) -> list[float | None]:
        """Return where the value lies at the middle of each of so many equal parts of the axis; None in its margins."""
        places = [self.domain.at((index + 0.5) / count) for index in range(count)]
        if self.choices is not None:
            return [self.place_of(self.value_at(place)) for place in places]
        margin = 0.5 if self._is_whole else 0.0
        low, high = self._ends[0] - margin, self._ends[1] + margin
        return [float(self.value_at(place)) if low <= place <= high else None for place in places]

    def words(self, places: Floats, most: int) -> list[str]:
        """Return the choices that points at some places have, cut after so many letters; of a number nothing.

        Parameters
        ----------
        places
            Places along the axis, spread round the index of each choice, shape (n,).
        most
            Letters at most.

        Returns
        -------
        list of str
            n words.
        """
        if self.choices is None:
            return [""] * len(places)
        words = text.shorts(self.choices, most)
        return [words[round(place)] for place in places.tolist()]


def _log_ticks(domain: Domain, most: int) -> list[float]:
    low, high = math.log10(domain.low), math.log10(domain.high)
    if high - low < 1:
        return even_ticks(domain.low, domain.high, most)
    parts: Sequence[float] = (1.0, 2.0, 5.0) if high - low <= _MOST_DECADES_WITH_PARTS else (1.0,)
    every = next(step for step in _DECADES if step >= (high - low) / most)
    decades = [decade for decade in range(math.floor(low), math.ceil(high) + 1) if decade % every == 0]
    return [float(f"{part}e{decade}") for decade in decades for part in parts]
