"""How live a scatter of many trials is in a real JupyterLab while the trials keep both cores busy."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import playwright.sync_api
import pytest

from tests.benchmarks.live_page import NeverDrawnError, Watched, watch
from tests.benchmarks.rows import Samples
from tests.browser.notebook import new_context, open_page

pytestmark = pytest.mark.timeout(300)

_TRIALS = [1_000, 5_000, 20_000]
_BOTH_BUSY = "trials, both cores busy with trials: end of a trial → on the page"
_PEERS = {"bqplot": "plain bqplot", "plotly": "plotly FigureWidget", "jscatter": "jupyter-scatter"}
_BAR = "all of ≤ 10 updates/s, lag ≤ 200 ms (95 %), no queue"
_WHY = {"slices": "Each trial is drawn in five figures, with the processor time that trials leave on two busy cores."}
"""Of a look that misses the bar on any processor, why it does."""
_SLOW = "The processor: all but Slices have reached it where the pool above made 5,900 trials a second (2026-11-29)."


@pytest.fixture
def watched(lab: Any, browser: Any, tmp_path: Path) -> Any:
    """``watched(look, trials)``: what a page of its own shows, or in words why it shows nothing."""

    def watched(look: str, trials: int) -> Watched | str:
        folder = tmp_path / look
        folder.mkdir()
        try:
            with new_context(browser) as context, open_page(lab, context) as notebook:
                return watch(notebook, folder, trials, look)
        except (NeverDrawnError, playwright.sync_api.Error) as problem:
            return str(problem).splitlines()[0]

    return watched


@pytest.mark.parametrize("trials", _TRIALS)
def test_live_scatter(trials: int, watched: Any, record: Any) -> None:
    """Ten trials end a second: from the end of one in its worker until it is in the page, ours beside peers."""
    peers = {name: _samples(watched(look, trials)) for look, name in _PEERS.items()}
    _record(record, f"live history, {trials:,} {_BOTH_BUSY}", watched("history", trials), peers)


def test_live_history_of_very_many(watched: Any, record: Any) -> None:
    """The same with five times as many trials as a person is expected to watch."""
    figures = watched("history", 100_000)
    reached = isinstance(figures, Watched) and figures.updates_per_second >= 5 and not figures.is_queueing
    what = f"live history, 100,000 {_BOTH_BUSY}"
    record(what, _samples(figures), bar="5 updates/s, no queue", reached=reached)


@pytest.mark.parametrize(
    "look", ["slices", "pareto", "parallel", "map", "distribution", "timeline", "curves", "importance"]
)
def test_live_tab(look: str, watched: Any, record: Any) -> None:
    """The same with another tab open; in Slices a trial is seen when it is in all five, Pareto is of two objectives."""
    _record(record, f"live {look}, 20,000 {_BOTH_BUSY}", watched(look, 20_000), "–", _WHY.get(look, _SLOW))


def _samples(figures: Watched | str) -> Samples | str:
    """The time until each trial was seen, with what else was seen; in words why nothing was."""
    return figures if isinstance(figures, str) else Samples(figures.lags.tolist(), "s", str(figures))


def _record(record: Any, what: str, figures: Watched | str, peers: Any, why: str = _SLOW) -> None:
    is_live = (
        isinstance(figures, Watched)
        and round(figures.updates_per_second) >= round(figures.most_updates_per_second)
        and figures.worst <= 0.2
        and not figures.is_queueing
    )
    record(what, _samples(figures), bar=_BAR, reached=is_live, peers=peers, why=why)
