"""The details of the selected trial: all that is known of it, as text."""

from __future__ import annotations

import math
import time
from typing import TYPE_CHECKING, Any

import traitlets as t

from hpo_widgets._messages import printable
from hpo_widgets.search import TellsLogs
from hpo_widgets.trials import TrialState, split_key
from hpo_widgets.trials.trial import checked_note, checked_tags
from hpo_widgets.widget import text
from hpo_widgets.widget.assets import asset
from hpo_widgets.widget.parts.part import ViewPart
from hpo_widgets.widget.traits import PointTrait, TrialNumbers

if TYPE_CHECKING:
    from collections.abc import Sequence
    from concurrent.futures import Future

    from hpo_widgets.search import Search
    from hpo_widgets.trials import Trial
    from hpo_widgets.widget.sync.refresher import Refresher, Update

_COMMANDS = ("retry", "stop_trial", "enqueue_trial", "set_note", "set_tags", "leave_out", "take_back")
# Together with everything else below what one update may cost.
_LOG_BYTES = 5_000
_VALUE_BYTES = 1_000
_MOST_SCALARS = 100
_CURVE_POINTS = 60
_MOST_REPORTS = 50_000
"""Curves of a trial with more reports are not read for a small drawing."""
_FEW_REPORTS, _PAUSE_FACTOR = 2_000, 10
"""All reports are read for each drawing: of a running trial with more, after a pause of so many times as long only."""
_DIGITS = 8
_SCALAR_DIGITS = 5
"""Three figures stand side by side in a narrow column."""


class TrialDetails(ViewPart):
    """Parameters, scalars with their curves, times, error, output, traceback, note and tags of the trial selected last.

    Nothing is read or sent of trials that are not selected. The output of a running trial grows as it prints, where
    the search can tell it; else it is there once the trial has ended.

    A drag that selects several trials is made to narrow ranges: it shows no details, as none of the trials was chosen,
    and they would take their width from the figure with the rectangle.

    Parameters
    ----------
    search
        The search to show.
    **traits
        First value of ``selected``.

    Examples
    --------
    >>> TrialDetails(optimizer, selected=[12])  # doctest: +SKIP
    """

    _esm = asset("details.js")
    _css = asset("details.css")

    selected = t.List(t.Int(min=0), help="Numbers of the selected trials; the last one is shown.")
    brushed = TrialNumbers(help="Two-way. Numbers of the trials that the last drag in a figure has selected.")
    point = PointTrait(help="Two-way. Values, by parameter name, of a point that may be tried; empty: none.")
    number = t.Int(None, allow_none=True, help="Number of the trial that is shown.").tag(sync=True)
    num_selected = t.Int(0, help="How many trials are selected, of which it is the last one.").tag(sync=True)
    state = t.Unicode(help="Its state; empty when there is no such trial.").tag(sync=True)
    result = t.Unicode(help="Its objectives, as far as it has them.").tag(sync=True)
    sentence = t.Unicode(help="Its error, or what a person should know instead.").tag(sync=True)
    times = t.List(t.List(t.Unicode()), help="Label and text of each time.").tag(sync=True)
    parameters = t.List(t.List(t.Unicode()), help="Full name and value of each parameter.").tag(sync=True)
    scalars = t.List(
        t.List(t.Unicode()), help="Name, last, least, greatest value and number of reports of each scalar."
    ).tag(sync=True)
    curves = t.List(
        t.Unicode(), help="Curve of each scalar as an SVG path in a box of 100 by 100; empty: none is drawn."
    ).tag(sync=True)
    as_dict = t.Unicode(help="The parameters as a dict in Python.").tag(sync=True)
    page = t.Unicode(help="Address of the page that a server has for it; empty without one.").tag(sync=True)
    note = t.Unicode(help="What people have written about it.").tag(sync=True)
    tags = t.List(t.Unicode(), help="Words that people have given it.").tag(sync=True)
    log = t.Unicode(help="The end of what it printed.").tag(sync=True)
    traceback = t.Unicode(help="The end of its traceback.").tag(sync=True)

    def __init__(self, search: Search, *, refresher: Refresher | None = None, **traits: object) -> None:
        self._is_stale = True
        self._live_log = _LiveLog()
        self._curves_not_before = -math.inf
        """When curves of the trial that is shown may be read again, by `time.monotonic`."""
        self._asks_for_log = False
        self._asked_tags: tuple[int, list[tuple[str, ...]]] = -1, []
        """A trial, and what `_tags_asked_for` knows of it; under the lock of the refresher."""
        super().__init__(search, refresher=refresher, **traits)
        self.observe(self._observe_selected, "selected")
        self.observe(self._look_again, "brushed")

    def refresh(self, update: Update) -> None:
        """Show the selected trial again when it, or the selection, has changed."""
        search = update.search
        number = self._chosen
        is_changed = self._is_stale or (number is not None and number in update.rows.numbers)
        reads_curves = True
        with self.hold_sync():
            self.commands = {name: search.capabilities.get(name) for name in _COMMANDS}
            self.num_selected = len(self.selected)
            described: dict[str, Any] = {}
            if is_changed:
                trial = _trial(search, number)
                self._asks_for_log = trial is not None and trial.is_elsewhere and isinstance(search, TellsLogs)
                reads_curves = trial is None or update.at_once or self._may_read_curves(trial)
                began = time.monotonic()
                described = _described(search, number, trial, with_log=not self._asks_for_log, with_curves=reads_curves)
                if reads_curves:
                    ended = time.monotonic()
                    self._curves_not_before = ended + _PAUSE_FACTOR * (ended - began)
                else:
                    del described["curves"]
            self._is_stale = not reads_curves
            is_running = described.get("state", self.state) == TrialState.RUNNING.label
            self._live_log.follow(search, number if is_running or self._asks_for_log else None, grows=is_running)
            printed = self._live_log.text
            if is_running and (printed is not None or not self._asks_for_log):
                described |= _printed_so_far(printed)
            elif self._asks_for_log:
                described["log"] = text.tail((printed or "").rstrip(), _LOG_BYTES)
            for name, value in described.items():
                self.set_trait(name, value)

    def _may_read_curves(self, trial: Trial) -> bool:
        """Whether curves are read now, or those that are shown stay: of a trial that runs on and has many reports."""
        if trial.number != self.number or trial.state.has_ended:
            return True
        is_long = _FEW_REPORTS < _num_reports(trial) <= _MOST_REPORTS
        return not is_long or time.monotonic() >= self._curves_not_before

    @property
    def _chosen(self) -> int | None:
        """The trial that was selected last, unless a drag has selected it together with others."""
        if not self.selected or (len(self.selected) > 1 and self.selected[-1] in self.brushed):
            return None
        return self.selected[-1]

    def forget(self) -> None:
        """Look again at the trial that is shown."""
        self._is_stale = True

    def _observe_selected(self, change: Any) -> None:
        old, new = set(change["old"]), set(change["new"])
        if new != set(self.brushed):
            # A click with a key held changes one trial of what was brushed; any other change has replaced that.
            self.brushed = [one for one in self.brushed if one in new] if len(old ^ new) == 1 else []
        self._look_again(None)

    def _look_again(self, _change: object) -> None:
        self._is_stale = True
        self._refresher.poke()

    def _on_vary(self, content: dict[str, object]) -> None:
        """Offer the values of the trial, to be changed and tried."""
        trial = self._meant(content)
        if trial is not None:
            self.point = dict(trial.parameters)

    def _on_note(self, content: dict[str, object]) -> None:
        trial = self._meant(content)
        if trial is None:
            return
        try:
            note = checked_note(content.get("note"))
        except (TypeError, ValueError) as error:
            self._refuse(str(error))
            return
        self.search.command("set_note", trial.number, note)

    def _on_tag(self, content: dict[str, object]) -> None:
        """Give the trial that a page meant one tag more or less than it will have."""
        trial = self._meant(content)
        if trial is None:
            return
        tag, is_on = content.get("tag"), content.get("is_on")
        if not isinstance(tag, str) or type(is_on) is not bool:
            self._refuse("a tag is a word, which is put on or taken off")
            return
        with self._refresher.lock:
            asked = self._tags_asked_for(trial)
            others = [one for one in asked[-1] if is_on or one != tag]
            try:
                tags = checked_tags([*others, tag] if is_on else others)
            except ValueError as error:
                self._refuse(str(error))
                return
            if tags == asked[-1]:
                return
            asked.append(tags)
        self.search.command("set_tags", trial.number, list(tags))

    def _tags_asked_for(self, trial: Trial) -> list[tuple[str, ...]]:
        """Tags of a trial as they are shown, and after each change that was asked for since and is not shown yet.

        A search shows a change some time after its command: when it is durable, which another program may hold up.
        """
        number, asked = self._asked_tags
        # Another trial, tags that came from elsewhere, or everything is shown.
        if number != trial.number or trial.tags not in asked or trial.tags == asked[-1]:
            asked = [trial.tags]
            self._asked_tags = trial.number, asked
        return asked

    def _command(self, name: str, content: dict[str, object]) -> None:
        """Do with the trial that a page meant what needs nothing else."""
        trial = self._meant(content)
        if trial is not None:
            self.search.command(name, trial.number)

    def _meant(self, content: dict[str, object]) -> Trial | None:
        """Return the trial that a page meant, if there is one; it may be another one than is shown here by now."""
        number = content.get("number")
        trial = _trial(self.search, number) if type(number) is int else None
        if trial is None:
            self._refuse("what was done in the details is of no trial of this search")
        return trial

    def _on_retry(self, content: dict[str, object]) -> None:
        self._command("retry", content)

    def _on_leave_out(self, content: dict[str, object]) -> None:
        self._command("leave_out", content)

    def _on_take_back(self, content: dict[str, object]) -> None:
        self._command("take_back", content)

    def _on_stop(self, content: dict[str, object]) -> None:
        self._command("stop_trial", content)


def _trial(search: Search, number: int | None) -> Trial | None:
    try:
        return None if number is None else search.trial(number)
    except (IndexError, KeyError):
        return None


def _described(
    search: Search, number: int | None, trial: Trial | None, *, with_log: bool, with_curves: bool
) -> dict[str, Any]:
    """Everything that is shown of a trial, by the name of its trait."""
    if trial is None:
        sentence = "" if number is None else f"There is no trial {number} in this search."
        return {
            "number": number, "state": "", "result": "", "sentence": sentence, "times": [], "parameters": [],
            "scalars": [], "log": "", "traceback": "", "curves": [], "as_dict": "", "page": "", "note": "", "tags": [],
        }  # fmt: skip
    stdout, stderr, traceback = trial.get_output() if with_log else ("", "", "")
    lines, curves = _scalars(trial, with_curves=with_curves)
    return {
        "number": number,
        "state": trial.state.label,
        "result": _result(trial),
        "sentence": text.sentence_of(trial.error or "", _VALUE_BYTES),
        "times": _times(trial),
        "parameters": [[name, _parameter(search, trial, name)] for name in search.space.names],
        "scalars": lines,
        "curves": curves,
        "as_dict": text.as_dict(trial.parameters),
        "page": trial.get_page() or "",
        "note": trial.note,
        "tags": list(trial.tags),
        "log": text.tail("\n".join(filter(None, (stdout.rstrip(), stderr.rstrip()))), _LOG_BYTES),
        "traceback": text.tail(traceback, _LOG_BYTES),
    }


def _printed_so_far(printed: str | None) -> dict[str, str]:
    log = text.tail((printed or "").rstrip(), _LOG_BYTES)
    if printed is None:
        return {"log": log, "sentence": "Its output is shown when it has ended."}
    return {"log": log, "sentence": "" if log else "It has printed nothing so far."}


def _result(trial: Trial) -> str:
    """Name each objective that the trial has with its value, which is not its last one while the trial runs."""
    values = [
        f"{text.axis(one)} {text.number(value, _DIGITS)}"
        for one, value in zip(trial.objectives, trial.values, strict=True)
        if value is not None and not math.isnan(value)
    ]
    return " · ".join(values) + " so far" * (bool(values) and not trial.state.has_ended)


def _parameter(search: Search, trial: Trial, name: str) -> str:
    value = trial.parameters.get(name)
    # A label may be shortened; here is room for the whole.
    if isinstance(value, str):
        value = printable(value)
        return value if len(value) <= _VALUE_BYTES else f"{value[:_VALUE_BYTES]}…"
    return text.parameter(search.space, trial, name, digits=_DIGITS)


def _num_reports(trial: Trial) -> float:
    return sum(summary[-1] for summary in trial.summary.values())


def _scalars(trial: Trial, *, with_curves: bool) -> tuple[list[list[str]], list[str]]:
    """Lines about scalars, objectives first, and the curve of each; an enqueued point may have no summary."""
    objectives = {one.key: one for one in trial.objectives}
    lines = [
        [text.axis(one), text.number(value, _SCALAR_DIGITS), text.NO_VALUE, text.NO_VALUE, text.NO_VALUE]
        for one, value in zip(trial.objectives, trial.values, strict=True)
        if one.key not in trial.summary and value is not None
    ]
    curves = [""] * len(lines)
    # Those of a trial of a server would have to be waited for.
    has_curves = with_curves and not trial.is_elsewhere and _num_reports(trial) <= _MOST_REPORTS
    reported = trial.get_reported_scalars() if trial.summary and has_curves else {}
    for key in sorted(trial.summary, key=lambda key: key not in objectives)[:_MOST_SCALARS]:
        last, _, low, _, high, _, count = trial.summary[key]
        title, _, series = key.rpartition("/")
        name = f"{title} / {series}" if title and title != series else series
        lines.append([name, *(text.number(value, _SCALAR_DIGITS) for value in (last, low, high, count))])
        title, series = split_key(key, trial.objectives)
        curve: Any = reported.get(title, {}).get(series, {"x": [], "y": []})
        curves.append(sparkline(curve["x"], curve["y"]))
    return lines, curves


def sparkline(x: Sequence[float], y: Sequence[float]) -> str:
    """Draw a curve as an SVG path, 100 wide and 100 high.

    Parameters
    ----------
    x, y
        Iterations and values, of the same length. Values that are no finite number are left out.

    Returns
    -------
    str
        The path, through 60 points at most, the last one among them; empty for fewer than two points.
    """
    known = [(float(a), float(b)) for a, b in zip(x, y, strict=True) if math.isfinite(b)]
    if len(known) < 2:
        return ""
    places = {round(place * (len(known) - 1) / (_CURVE_POINTS - 1)) for place in range(_CURVE_POINTS)}
    points = [known[place] for place in sorted(places)]
    (left, right), (low, high) = [(min(part), max(part)) for part in zip(*points, strict=True)]
    # By halves: the difference of two values may be more than a number holds.
    width, height = (right - left) or 1.0, (high / 2 - low / 2) or 1.0
    drawn = [f"{100 * ((a - left) / width):.0f} {100 - 100 * ((b / 2 - low / 2) / height):.0f}" for a, b in points]
    return f"M{'L'.join(drawn)}"


def _times(trial: Trial) -> list[list[str]]:
    lines = [
        ["started", text.day_and_clock(trial.started)],
        ["recorded" if trial.is_recorded else "ended", text.day_and_clock(trial.ended)],
        ["took", text.seconds(trial.duration)],
        ["worker", str(trial.worker) if trial.worker >= 0 else text.NO_VALUE],
        ["space", str(trial.epoch + 1)],
    ]
    # What is not known, such as when a running trial ends, has no line.
    known = [line for line in lines if line[1] != text.NO_VALUE]
    return known + ([["point", "enqueued"]] if trial.enqueued else [])


_INTERVAL = 1.0


class _LiveLog:
    """The output of one trial at a time."""

    def __init__(self) -> None:
        self.text: str | None = None
        """What it had printed when last asked for; None without an answer, and where the search cannot tell."""
        self._number: int | None = None
        self._answer: Future[str | None] | None = None
        self._asked_at = float("-inf")
        self._grows = True

    def follow(self, search: Search, number: int | None, *, grows: bool = True) -> None:
        """Take an answer that has come, and ask again when it is time; returns at once.

        Nobody looks at trial None. What ``grows`` may print more; what does not is asked for once.
        """
        if number != self._number:
            self._number, self.text, self._answer, self._asked_at = number, None, None, float("-inf")
        if grows != self._grows:
            self._grows, self._asked_at = grows, float("-inf")
        if number is None or not isinstance(search, TellsLogs):
            return
        if self._answer is not None and self._answer.done():
            if self._answer.exception() is None:  # else it has just ended, and its output is in the journal
                self.text = self._answer.result()
            self._answer = None
        now = time.monotonic()
        is_due = now - self._asked_at >= _INTERVAL if grows else math.isinf(self._asked_at)
        if self._answer is None and is_due:
            self._asked_at = now
            self._answer = search.log_so_far(number)
