"""A live scatter in a page of JupyterLab: how long after its end a trial is seen, and how often more is drawn."""

from __future__ import annotations

import contextlib
import json
import time
import urllib.request
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import psutil

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.browser.notebook import Notebook

_SCRIPT = Path(__file__).with_suffix(".js")
_NUM_THIRDS = 3
_UPDATE = 0.1
# Seconds: to draw the first of the new trials, to go on from there, to be measured, and to draw the last of those
# that are measured.
_FIRST_DEADLINE = 15.0
_WARM = 1.0
WINDOW = 8.0
_LAST_DEADLINE = 4.0
_SHOWN = {
    "history": ".hpo-plot-host .object_grp",
    "slices": ".hpo-slices-grid .object_grp",
    "pareto": ".hpo-plot-host .object_grp",
    "parallel": ".hpo-parallel-host path.line",
    "distribution": ".hpo-plot-host path.line",
    "map": ".hpo-map .object_grp",
    "timeline": ".hpo-plot-host .bqplot path",
    "curves": ".hpo-curves .bqplot",
    "importance": ".hpo-plot-host .bqplot .bar",
    "bqplot": ".bqplot .object_grp",
    "plotly": ".js-plotly-plot .gl-canvas, .js-plotly-plot .points path",
    "jscatter": ".jp-OutputArea canvas",
}

_COUNTED = {"parallel", "distribution", "timeline", "curves", "importance"}
"""Tabs of which is seen how many trials they show, and not which."""


@dataclass(frozen=True)
class Watched:
    """What was seen of the trials that ended within the window.

    Attributes
    ----------
    lags : ndarray
        Seconds from the end of each trial until it was seen, in the order of their ends. A trial that was never
        seen has the time for which it was waited.
    num_unseen
        How many were never seen.
    behind : tuple of float
        How far the page was behind, in seconds, over the first third of the window and over the last: the age of
        the oldest trial that had ended and was not to be seen, in the mean.
    updates_per_second
        How often more trials were seen than before.
    most_updates_per_second
        How often that can be, ten times a second at most: where several trials end at the same time, as those that wait
        for a processor do, one update shows them all.
    bytes_per_trial
        What came over the page's sockets.
    busy_share
        The share of the cores that was used by trials.
    """

    lags: np.ndarray
    num_unseen: int
    behind: tuple[float, float]
    updates_per_second: float
    most_updates_per_second: float
    bytes_per_trial: float
    busy_share: float

    @property
    def median(self) -> float:
        """Seconds."""
        return float(np.median(self.lags))

    @property
    def worst(self) -> float:
        """Seconds that 95 % of the trials keep."""
        return float(np.quantile(self.lags, 0.95))

    @property
    def is_queueing(self) -> bool:
        """Whether updates queue up: the page falls behind by an update or more, or never shows some."""
        first, last = self.behind
        return last - first > _UPDATE or self.num_unseen > 0

    def __str__(self) -> str:
        least = "≥ " if self.num_unseen else ""
        first, last = map(_seconds, self.behind)
        queue = f"falls behind, {first} → {last}" if self.is_queueing else "no queue"
        return (
            f"95 %: {least}{_seconds(self.worst)}, "
            f"{self.updates_per_second:.1f} updates/s of {self.most_updates_per_second:.1f}, "
            f"{queue}, {self.bytes_per_trial / 1e3:,.1f} kB/trial, "
            f"trials have {self.busy_share:.0%} of the cores"
        )


def _seconds(seconds: float) -> str:
    return f"{seconds:.1f} s" if seconds >= 1 else f"{seconds * 1e3:.0f} ms"


class NeverDrawnError(Exception):
    """No new trial was drawn in time: a figure too."""


def watch(notebook: Notebook, folder: Path, trials: int, look: str) -> Watched:
    """Show a search of so many trials in one way, let it go on, and watch.

    Parameters
    ----------
    notebook
        A page of its own; its kernel is gone afterwards.
    folder
        An empty one.
    trials
        How many trials there are before the first new one.
    look
        ``history`` or another tab of the panel in small letters, or one of the peers.
    """
    page = notebook.page
    page.add_init_script(path=_SCRIPT)
    is_tab = look in {"history", "slices", "pareto", "map"} | _COUNTED
    shown_as = ("counted" if look in _COUNTED else "panel") if is_tab else look
    notebook.open(
        "from tests.benchmarks.live_search import LiveSearch\n"
        f"live = LiveSearch({str(folder)!r}, {trials}, {shown_as!r}, has_two={look == 'pareto'})\n"
        "live.widget"
    )
    try:
        notebook.run_all()
        if is_tab and look != "history":
            notebook.panel().get_by_role("tab", name=look.capitalize()).click()
        page.wait_for_selector(_SHOWN[look], state="attached", timeout=1e3 * _FIRST_DEADLINE)
        page.evaluate("([look, trials]) => liveScatter.start(look, trials)", [look, trials])
        notebook.kernel("live.start()")
        _until(lambda: bool(_seen(notebook, folder, trials)), _FIRST_DEADLINE)
        page.wait_for_timeout(1e3 * _WARM)
        return _measure(notebook, folder, trials)
    finally:
        _end_kernels(notebook)


def _measure(notebook: Notebook, folder: Path, trials: int) -> Watched:
    page = notebook.page
    psutil.cpu_times_percent()
    bytes_before = page.evaluate("() => liveScatter.bytes")
    began = time.time()
    page.wait_for_timeout(1e3 * WINDOW)
    ended = time.time()
    num_bytes = page.evaluate("() => liveScatter.bytes") - bytes_before
    cores = psutil.cpu_times_percent()
    ends = {number: at for number, at in _ends(folder).items() if began <= at < ended}
    with contextlib.suppress(NeverDrawnError):
        _until(lambda: ends.keys() <= _seen(notebook, folder, trials).keys(), _LAST_DEADLINE)
    seen, now = _seen(notebook, folder, trials), time.time()
    updates = [at for at in _updates(notebook, folder, trials) if began <= at < ended]
    in_order = sorted(ends, key=ends.__getitem__)
    return Watched(
        lags=np.array([seen.get(number, now) - ends[number] for number in in_order]),
        num_unseen=len(ends.keys() - seen.keys()),
        behind=_behind(_ends(folder), seen, began, ended),
        updates_per_second=len(updates) / (ended - began),
        most_updates_per_second=_most_updates(sorted(ends.values())) / (ended - began),
        bytes_per_trial=num_bytes / len(ends),
        busy_share=cores.nice / 100,
    )


def _most_updates(ends: list[float]) -> int:
    """How many updates can show something new, when none comes sooner than a tenth of a second after another."""
    count, last = 0, -np.inf
    for end in ends:
        if end - last >= _UPDATE:
            # The next one of a steady pace, but never so far back that two would come in a burst.
            count, last = count + 1, max(last + _UPDATE, end - _UPDATE / 2)
    return count


def _behind(ends: dict[int, float], seen: dict[int, float], began: float, ended: float) -> tuple[float, float]:
    third = (ended - began) / _NUM_THIRDS
    spans = [(end, seen.get(number, np.inf)) for number, end in ends.items()]

    def mean(start: float) -> float:
        moments = np.arange(start, start + third, _UPDATE / 10)
        return float(
            np.mean([now - min((end for end, at in spans if end <= now < at), default=now) for now in moments])
        )

    return mean(began), mean(ended - third)


def _until(condition: Callable[[], bool], seconds: float) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > deadline:
            raise NeverDrawnError(f"nothing new was drawn within {seconds:.0f} s")
        time.sleep(0.1)


def _ends(folder: Path) -> dict[int, float]:
    """Number of each trial that has ended, and when."""
    lines = (folder / "ends").read_text().splitlines()
    return {int(number): float(at) for number, at in map(str.split, lines)}


def _seen(notebook: Notebook, folder: Path, trials: int) -> dict[int, float]:
    """Number of each new trial that was seen, and when."""
    said = notebook.page.evaluate("() => liveScatter.seen")
    order = folder / "order"
    if not order.exists():
        return {int(number): at for number, at in said if number >= trials}
    # The page knows how many are drawn: one that is seen later shows all before it.
    appended = [int(line) for line in order.read_text().split()]
    seen: dict[int, float] = {}
    done = 0
    for count, at in said:
        for number in appended[done : max(done, int(count) - trials)]:
            seen[number] = at
        done = max(done, int(count) - trials)
    return seen


def _updates(notebook: Notebook, folder: Path, trials: int) -> list[float]:
    """When more was seen than before."""
    return sorted(set(_seen(notebook, folder, trials).values()))


def _end_kernels(notebook: Notebook) -> None:
    """End what the page has started, without asking the page: it may be busy for long."""
    with urllib.request.urlopen(f"{notebook.lab.base}/api/sessions", timeout=30) as reply:
        sessions = json.load(reply)
    for session in sessions:
        address = f"{notebook.lab.base}/api/sessions/{session['id']}"
        urllib.request.urlopen(urllib.request.Request(address, method="DELETE"), timeout=30).close()
    notebook.page.close()
