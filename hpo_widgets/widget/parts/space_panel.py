"""The space panel: a range control for each parameter; moving one steers the search."""

from __future__ import annotations

import math
import threading
import time
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np
import traitlets as t

from hpo_widgets._messages import short
from hpo_widgets.parameters.numeric import shares
from hpo_widgets.parameters.typed import typed_choice
from hpo_widgets.search import ConstrainsPoints
from hpo_widgets.space import RangeChange
from hpo_widgets.space.prior import values_of_bins
from hpo_widgets.space.range_history import ranges_since, undo_and_redo
from hpo_widgets.widget import text
from hpo_widgets.widget.assets import asset
from hpo_widgets.widget.parts.advice import Adviser
from hpo_widgets.widget.parts.part import NumberFieldPart, finite_number
from hpo_widgets.widget.parts.recent_samples import RecentSamples
from hpo_widgets.widget.parts.rug import TriedValues
from hpo_widgets.widget.traits import BoxTrait, ObjectiveIndex

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from hpo_widgets.search import Notice, Search
    from hpo_widgets.search.advice import Advice
    from hpo_widgets.space import Space
    from hpo_widgets.space.layout import Condition
    from hpo_widgets.space.prior import Priors
    from hpo_widgets.space.range_history import EpochMark
    from hpo_widgets.trials.columns import Rows
    from hpo_widgets.widget.sync.refresher import Refresher, Update

_COMMANDS = ("set_ranges", "add_choices", "set_priors", "undo", "redo")
_BINS = 40
"""Bins of a strip to draw a prior in; fewer where there are fewer steps."""
_ENDS = {"lower": 0, "upper": 1}
"""Of a range, as the page calls them, to their places in it."""
_LEAST_SHARE = 0.25
"""A track keeps earlier ranges as long as the declared and the present one together are this share of it."""
_LONGEST_CONSTRAINT = 120
_NOTHING_TO_RESET = "The ranges are those of the start."


class SpacePanel(NumberFieldPart):
    """Controls for the range of every parameter of a search, in parameter values.

    Two handles and two typed bounds for numbers (even, logarithmic, whole, stepped), a checkbox for
    each choice. A gesture becomes one command, and so one space epoch, when it is over. While a
    handle is held nothing moves it but the hand.

    Under each track a rug shows what was tried and how good it was by one objective, with a triangle at the best trial;
    choices tell how many trials had them. Where the best trial sits near the end of a range and good ones crowd there,
    a sentence offers to widen it (`advice.best_at_end`). What an advice would exclude is dashed (`advised`). An area
    over the track shows where values are sampled: anywhere in the range, or where a sampler that learns has sampled
    most recently.

    In a strip below each control a prior can be drawn, before what was tried: how likely values are to be good.

    Parameters
    ----------
    search
        The search to steer.
    adviser
        Finds which ranges to widen. Default: one of its own.

    Examples
    --------
    >>> SpacePanel(optimizer)  # doctest: +SKIP
    """

    _esm = asset("space.js")
    _css = asset("space.css")

    parameters = t.List(
        t.Dict(),
        help="What each control is for: name, kind, track, limits, step, choices, with what it is part of a point.",
    ).tag(sync=True)
    constraint = t.Unicode(help="What points have to meet, such as `fits(width, heads)`; empty: nothing.").tag(
        sync=True
    )
    ranges = t.Dict(help="Name to [low, high] in values, or to the indices of the allowed choices.").tag(sync=True)
    undo_labels = t.Dict(help="`undo`, `redo` and `reset` to what they will do, in words.").tag(sync=True)
    best = t.Dict(help="The best trial: its name, and its point as numbers in the order of `parameters`.").tag(
        sync=True
    )
    recent_samples = t.List(
        t.Unicode(), help="Where each parameter was drawn recently, one digit per bin of its range; empty: anywhere."
    ).tag(sync=True)
    widen_suggestions = t.List(
        t.Dict(), help="Ranges at an end of which good trials crowd: name, end, and what to widen it to."
    ).tag(sync=True)
    advised = t.Dict(
        help="What an advice would leave of ranges: [low, high] in values, or indices of choices; shown dashed."
    ).tag(sync=True)
    priors = t.Dict(
        help="Name to the weight of each bin of its strip, 0 to 1, as it was drawn; absent where no prior was."
    ).tag(sync=True)
    prior_exponents = t.Dict(help="Name to the exponent, 0 to 1, by which its prior still counts.").tag(sync=True)
    histograms = t.Dict(
        help="Name to how often each bin was tried, one digit per bin, where there is a prior or the strip is open."
    ).tag(sync=True)
    objective = ObjectiveIndex(help="Two-way. Index of the objective by which trials are judged, from 0.")
    box = BoxTrait(
        help="What was brushed in a plot, drawn over the controls: parameter name to (low, high), or choices."
    )
    preview = t.Dict(help="The box by name: [low, high], or the indices of choices; and what it says in words.").tag(
        sync=True
    )
    answered = t.Float(0.0, help="The newest request of the browser whose outcome `ranges` shows.").tag(sync=True)

    def __init__(
        self, search: Search, *, adviser: Adviser | None = None, refresher: Refresher | None = None, **traits: object
    ) -> None:
        self._adviser = Adviser() if adviser is None else adviser
        self._pending = PendingRanges()
        self._tracks: dict[str, tuple[float, float]] = {}
        self._bins: dict[str, list[Any]] = {}
        self._open_strips: dict[str, None] = {}
        self._tried: TriedValues | None = None
        self._recent_samples: RecentSamples | None = None
        self._space: Space | None = None
        self._num_epochs = 0
        super().__init__(search, refresher=refresher, **traits)
        self.observe(self._observe_box, "box")
        self.observe(self._observe_objective, "objective")

    def refresh(self, update: Update) -> None:
        """Show the ranges of the present space epoch, and what was tried."""
        search = update.search
        space, epochs = search.space, search.epochs
        has_entered = space is not self._space or len(epochs) != self._num_epochs
        request = self._pending.answered(search)
        with self.hold_sync():
            if has_entered:
                self._space, self._num_epochs = space, len(epochs)
                constraint = search.constraint if isinstance(search, ConstrainsPoints) else None
                self.constraint = short(constraint or "", _LONGEST_CONSTRAINT)
                self._enter(space)
                self._recent_samples = None
                self.undo_labels = _labels_of_steps(epochs, space)
            capabilities = search.capabilities
            commands = {name: capabilities.get(name) for name in _COMMANDS}
            reset = commands["set_ranges"] or (None if "reset" in self.undo_labels else _NOTHING_TO_RESET)
            self.commands = {**commands, "reset": reset}
            self._show_exponents(search)
            if has_entered or len(update.rows):
                epoch = epochs[-1].epoch if epochs else 0
                self._show_tried(update, ranges_since(epochs) if epochs else 0)
                self._show_recent_samples(update, epoch)
                self._show_best(search)
            advised = self._adviser.advice_for(search, self._refresher.poke, at_once=update.at_once)
            self.widen_suggestions = [_widened(one) for one in advised if one.code == "widen"]
            if request is not None:
                self.answered = request

    def forget(self) -> None:
        """Drop what was tried."""
        self._tried = self._recent_samples = None

    def _enter(self, space: Space) -> None:
        """Show the ranges of a space epoch; marks are made anew for a track that grew, and counts for new choices."""
        before = dict(self._tracks), self._num_bins()
        labels = text.labels(space.names)
        unused = _unused(space)
        needs = _active_when(space, labels, unused)
        self.parameters = [
            {**self._describe(space, name, label), "needs": needs.get(name, ""), "is_unused": name in unused}
            for name, label in labels.items()
        ]
        self.ranges = {name: _sent_range(space, name) for name in space.names}
        self.priors = {name: self._sent_prior(space, name) for name in space.priors}
        if (self._tracks, self._num_bins()) != before:
            self._tried = None

    def _num_bins(self) -> dict[str, int]:
        return {name: len(values) for name, values in self._bins.items()}

    def _show_tried(self, update: Update, epoch: int) -> None:
        if self._tried is None or not self._tried.put(update.rows):
            search = update.search
            bins = {name: len(values) for name, values in self._bins.items()}
            one = self.objective
            minimise = search.objectives[one].minimise
            self._tried = TriedValues(search.space, self._tracks, minimise=minimise, objective=one, bins=bins)
            self._tried.put(search.snapshot())
        self._show_histograms()
        for index, tried in enumerate(self._tried.shown(epoch)):
            # A trait each, so that a trial sends only what it changes.
            name = f"tried_{index}"
            if not self.has_trait(name):
                self.add_traits(**{name: t.Any(help="Bins of a rug, or the trials of each choice.").tag(sync=True)})
            self.set_trait(name, tried)

    def _show_histograms(self) -> None:
        if self._tried is not None:
            # Of priors always: a saved page can open their strips, too.
            names = {**self._open_strips, **dict.fromkeys(self.search.space.priors)}
            self.histograms = {name: self._tried.histogram(name) for name in names}

    def _show_exponents(self, search: Search) -> None:
        num_trials = sum(search.counts.values())
        self.prior_exponents = {
            name: round(prior.exponent(num_trials - prior.since), 2) for name, prior in search.space.priors.items()
        }

    def _sent_prior(self, space: Space, name: str) -> list[float]:
        prior, leaf = space.priors[name], space.leaf(name)
        return [round(weight, 3) for weight in prior.heights(self._bins[name], leaf).tolist()]

    def _show_recent_samples(self, update: Update, epoch: int) -> None:
        rows: Rows = update.rows
        if self._recent_samples is None:
            search = update.search
            self._recent_samples = RecentSamples(search.space, epoch, search.strategy_name)
            self.recent_samples = self._recent_samples.shown()
            # Draws of this epoch may have come before its ranges were seen.
            rows = search.snapshot()
        if self._recent_samples.put(rows):
            self.recent_samples = self._recent_samples.shown()

    def _show_best(self, search: Search) -> None:
        trial = search.best_by(self.objective)
        value = None if trial is None else trial.values[self.objective]
        if trial is None or value is None or not math.isfinite(value):
            self.best = {}
            return
        point = search.space.encode(trial.parameters)
        note = f" ({trial.status})" if trial.is_partial else ""
        if len(search.objectives) > 1:
            note += f" by {text.axis(search.objectives[self.objective])}"
        self.best = {"name": f"{trial.name}{note}", "point": [_sent_value(one) for one in point]}

    def _describe(self, space: Space, name: str, label: str) -> dict[str, object]:
        leaf: Any = space.leaf(name)
        if leaf.kind == "choice":
            self._bins[name] = list(leaf.declared)
            takes_more = space.takes_choices(name)
            return {
                "name": name, "label": label, "kind": "choice", "choices": list(leaf.labels), "takes_more": takes_more
            }  # fmt: skip
        track = self._tracks[name] = _track(leaf, self._tracks.get(name, leaf.declared))
        self._bins[name] = values_of_bins(leaf, track, _BINS)
        limit_low, limit_high = space.limits.get(name) or (None, None)
        return {
            "name": name,
            "label": label,
            "kind": leaf.kind,
            "declared": list(leaf.declared),
            "low": track[0],
            "high": track[1],
            "limit_low": _finite(limit_low),
            "limit_high": _finite(limit_high),
            "step": leaf.step,
            "origin": leaf.declared[0],
            "base": float(getattr(leaf, "base", 10.0)),
            "bins": len(self._bins[name]),
        }

    def _observe_box(self, _change: object) -> None:
        with self._refresher.lock:
            self.preview = {name: _previewed(self.search.space, name, range_) for name, range_ in self.box.items()}

    def _observe_objective(self, _change: object) -> None:
        self._refresher.show_anew(self)

    def _on_set_ranges(self, content: dict[str, object]) -> None:
        self._ask("ranges", content, _meant_range)

    def _on_set_priors(self, content: dict[str, object]) -> None:
        # The page says with the weights of which track they are: by now the track may be another.
        self._ask("priors", content, lambda _space, _name, sent: sent)

    def _ask(self, what: str, content: dict[str, object], meant: Callable[[Space, str, Any], Any]) -> None:
        """Ask the search for other ranges or priors of the parameters that it has."""
        asked, space = content.get(what), self.search.space
        if not isinstance(asked, dict):
            return
        wanted = {name: meant(space, name, asked[name]) for name in asked if name in space.names}
        if wanted:
            self._pending.ask(self.search, finite_number(content.get("id")) or 0.0)
            self.search.command(f"set_{what}", wanted)

    @property
    def _fields(self) -> Mapping[str, Callable[[str], None]]:
        """Where a new choice is typed: a field for each parameter that takes one."""
        space = self.search.space
        return {name: partial(self._add_choice, name) for name in space.names if space.takes_choices(name)}

    def _add_choice(self, name: str, typed: str) -> None:
        """Ask the search to take a new choice; whatever is wrong with it is told at the field."""
        search = self.search
        leaf: Any = search.space.leaf(name)
        value = typed_choice(typed, leaf.declared)
        if (index := leaf.table.index_of(value)) is not None:
            raise ValueError(f"{typed!r} is there already{'' if index in leaf.allowed else ': tick it'}")
        before = set(search.errors)
        search.command("add_choices", name, [value])
        # What the template does not take is told at once; notices of other threads may come meanwhile.
        for notice in search.errors:
            if notice not in before and notice.sentence.startswith("add_choices"):
                raise ValueError(notice.sentence.removeprefix("add_choices: "))

    def _on_open_strip(self, content: dict[str, object]) -> None:
        """Show what was tried behind the drawing, as long as this panel is there."""
        name = content.get("name")
        if isinstance(name, str) and name in self.search.space.names:
            with self._refresher.lock:
                self._open_strips[name] = None
                self._show_histograms()

    def _on_undo(self, _content: dict[str, object]) -> None:
        self.search.command("undo")

    def _on_redo(self, _content: dict[str, object]) -> None:
        self.search.command("redo")

    def _on_reset(self, _content: dict[str, object]) -> None:
        """Go back to the ranges of the first space epoch, as one more epoch: nothing is forgotten."""
        epochs = self.search.epochs
        if epochs:
            self.search.command("set_ranges", dict(epochs[0].ranges))


def _widened(advice: Advice) -> dict[str, object]:
    """Return an advice to widen a range as a control shows it."""
    ((name, (low, high)),) = advice.arguments[0].items()
    return {"name": name, "end": advice.end, "range": [low, high]}


def _track(leaf: Any, before: tuple[float, float]) -> tuple[float, float]:
    """Return the ends of a track, which moves seldom, also by undo, and never for long by a bound that was mistyped."""
    ends = min(leaf.declared[0], leaf.range[0]), max(leaf.declared[1], leaf.range[1])
    low, high = min(before[0], ends[0]), max(before[1], ends[1])
    if low < high:
        first, last = shares(np.array(ends, dtype=np.float64), low, high, is_log=leaf.kind == "log")
        if last - first < _LEAST_SHARE:
            return ends
    return low, high


def _sent_range(space: Space, name: str) -> list[float]:
    leaf: Any = space.leaf(name)
    return list(leaf.allowed) if leaf.kind == "choice" else list(leaf.range)


def _previewed(space: Space, name: str, range_: tuple[Any, ...]) -> dict[str, object]:
    leaf: Any = space.leaf(name)
    words = f"box: {text.short(text.range_in_words(range_, leaf.kind), _MOST_LETTERS)}"
    if leaf.kind == "choice":
        return {"range": [leaf.table.index_of(choice) for choice in range_], "words": words}
    low, high = leaf.range
    return {"range": [low if math.isinf(range_[0]) else range_[0], high if math.isinf(range_[1]) else range_[1]],
            "words": words}  # fmt: skip


def _sent_value(value: float | None) -> float | None:
    """Give a number with the digits that its place on a track needs."""
    return None if value is None else float(f"{value:.9g}")


def _meant_range(space: Space, name: str, sent: Any) -> Any:
    """Turn what the browser sent into a range in values; what makes no sense is left to the search to refuse."""
    leaf: Any = space.leaf(name)
    if isinstance(sent, dict):
        return _meant_change(leaf, sent)
    if not isinstance(sent, list):
        return sent
    if leaf.kind == "choice":
        return tuple(leaf.declared[one] if _is_index(one, len(leaf.declared)) else _NoChoice(one) for one in sent)
    return tuple(_meant_bound(bound, is_whole=leaf.kind == "int") for bound in sent)


def _meant_change(leaf: Any, sent: dict[str, Any]) -> Any:
    if leaf.kind == "choice":
        places = {str(place): place for place in range(len(leaf.declared))}
        is_meant = all(part in places and isinstance(is_allowed, bool) for part, is_allowed in sent.items())
        return RangeChange({places[part]: is_allowed for part, is_allowed in sent.items()}) if is_meant else sent
    if not sent.keys() <= _ENDS.keys():
        return sent
    return RangeChange({_ENDS[end]: _meant_bound(bound, is_whole=leaf.kind == "int") for end, bound in sent.items()})


def _meant_bound(sent: Any, *, is_whole: bool) -> Any:
    number = finite_number(sent)
    if number is None:
        return sent
    return int(sent) if is_whole and number.is_integer() else number


def _is_index(sent: object, count: int) -> bool:
    return isinstance(sent, int) and not isinstance(sent, bool) and 0 <= sent < count


class _NoChoice:
    """What a browser sent in the place of the index of a choice; no choice is equal to it."""

    def __init__(self, sent: object) -> None:
        self._sent = sent

    def __repr__(self) -> str:
        return f"choice number {self._sent!r:.80}"


def _finite(bound: float | None) -> float | None:
    return None if bound is None or math.isinf(bound) else bound


def _unused(space: Space) -> set[str]:
    """Names that no point has now, as the ranges leave none of the combinations that they are in."""
    return {name for name, ways in space.conditions.items() if not any(map(space.are_possible, ways))}


def _active_when(space: Space, labels: Mapping[str, str], unused: Iterable[str]) -> dict[str, str]:
    """Say for each parameter that not every point has, by which constants of its `ParameterSet` it comes in.

    Also that it comes in by none now, for those that are not used.
    """
    found = dict.fromkeys(unused, "not used now, as the ranges exclude its combination")
    for name, alternatives in space.conditions.items():
        # The constants themselves, such as the solver, bring nothing in; they are what is chosen.
        ways = [
            " and ".join(filter(None, (_words(space, condition, name, labels) for condition in way)))
            for way in alternatives
        ]
        if all(ways):
            words = f"only with {' or '.join(dict.fromkeys(ways))}"
            found[name] = f"not used now: {words}" if name in found else words
    return found


def _words(space: Space, condition: Condition, name: str, labels: Mapping[str, str]) -> str:
    leaves, _ = space.sets[condition.parameter_set].combinations[condition.combination]
    occurrences = [space.occurrences[leaf] for leaf in leaves]
    constants: list[Any] = [one.parameter for one in occurrences if one.dimension is None and one.name != name]
    return ", ".join(f"{labels[constant.name]} {constant.labels[0]}" for constant in constants)


_PATIENCE = 2.0


class PendingRanges:
    """Remembers the newest request for other ranges until the search has answered it.

    An answer is a new space epoch, or a notice that says why not. A request that changes nothing
    has no answer; after two seconds it counts as answered. It is pending on the thread of a cell or of a page, and
    answered on the refresher's; a lock keeps request and answer whole.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._request: float | None = None
        self._asked_at = 0.0
        self._before: tuple[int, Notice | None] = (0, None)

    def ask(self, search: Search, request: float = 0.0) -> None:
        """Remember a request, by the view's own clock; call it before the command is sent.

        Parameters
        ----------
        search, request
            The search, and the view's time of the request; 0 where none has asked.
        """
        before = _mark(search)
        with self._lock:
            # Two views may ask at once, by clocks of their own: the answer serves both.
            self._request = request if self._request is None else max(request, self._request)
            self._asked_at = time.monotonic()
            self._before = before

    def answered(self, search: Search) -> float | None:
        """Return the request that has been answered since the last call, None when there is none."""
        with self._lock:  # what is looked at under it is not older than the request
            if self._request is None or not self._has_answer(search):
                return None
            request, self._request = self._request, None
        return request

    @property
    def is_waiting(self) -> bool:
        """True while a request has no answer."""
        return self._request is not None

    def _has_answer(self, search: Search) -> bool:
        return _mark(search) != self._before or time.monotonic() - self._asked_at > _PATIENCE


def _mark(search: Search) -> tuple[int, Notice | None]:
    errors = search.errors
    return len(search.epochs), errors[-1] if errors else None


_MOST_NAMED = 3
_MOST_LETTERS = 80


def _labels_of_steps(epochs: Sequence[EpochMark], space: Space) -> dict[str, str]:
    """Say what `undo`, `redo` and `reset` will do; a step that would change nothing is absent."""
    undo, redo = undo_and_redo(epochs)
    targets = {"undo": undo[-1] if undo else None, "redo": redo[-1] if redo else None}
    sentences = {step: _changes_in_words(mark.ranges, mark.priors, space) for step, mark in targets.items() if mark}
    if epochs:
        sentences["reset"] = _changes_in_words(epochs[0].ranges, space.priors, space)
    return {step: f"{step.capitalize()}: {words}" for step, words in sentences.items() if words}


def _changes_in_words(target: Mapping[str, tuple[object, ...]], priors: Priors, space: Space) -> str:
    labels = text.labels(space.names)
    then, now = space.with_ranges(target).range_keys, space.range_keys
    names = [name for name in space.names if then[name] != now[name]]
    words = [
        f"{text.short(labels[name], _MOST_LETTERS)} to "
        f"{text.short(text.range_in_words(target[name], space.leaf(name).kind), _MOST_LETTERS)}"
        for name in names[:_MOST_NAMED]
    ]
    if len(names) > _MOST_NAMED:
        words.append(f"{len(names) - _MOST_NAMED} more")
    words += [
        f"{text.short(labels[name], _MOST_LETTERS)} {'to another prior' if name in priors else 'without a prior'}"
        for name in space.names
        if priors.get(name) != space.priors.get(name)
    ]
    return "; ".join(words)
