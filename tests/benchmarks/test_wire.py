"""What a panel sends to the browser, of how many models it consists, and what it costs when nobody looks at it."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from hpo_widgets.testing import ScriptedSearch
from hpo_widgets.widget import OptimizerWidget
from tests.benchmarks.live_scatters import SCATTERS
from tests.benchmarks.rows import Samples
from tests.widget.conftest import _no_earlier_runs, acknowledge, refresh, show, wire  # noqa: F401 -- fixtures
from tests.widget.test_wire import LIMIT, panel_of

TRIALS = 20_000
NUM_ENDED = 130
PEERS = {"bqplot": "bqplot alone", "plotly": "plotly FigureWidget", "jscatter": "jupyter-scatter"}


@pytest.mark.parametrize(("tab", "name"), [(0, "History"), (1, "Slices")])
def test_bytes_of_an_ended_trial(
    tab: int,
    name: str,
    show: Any,  # noqa: F811 -- a fixture
    wire: Any,  # noqa: F811
    refresh: Any,  # noqa: F811
    acknowledge: Any,  # noqa: F811
    record: Any,
) -> None:
    """One more trial beside 20,000, in front of a browser that keeps up."""
    search, panel = panel_of(TRIALS, show, refresh, acknowledge, title=name)
    sent = []
    for _ in range(NUM_ENDED):
        wire.clear()
        search.add_trial(0.75)
        refresh(panel)
        sent.append(wire.num_bytes())
    measured = Samples(sent, "B")
    peers = {peer: _bytes_of(kind, wire) for kind, peer in PEERS.items()} if tab == 0 else "–"
    record(
        f"bytes to the browser of one ended trial at 20,000, {name} open",
        measured,
        bar="< 16 kB each",
        peers=peers,
        reached=max(sent) < LIMIT,
    )


def _bytes_of(kind: str, wire: Any) -> Samples:  # noqa: F811
    """The same of a peer: one more point in the way that it has to take more."""
    x, y = np.arange(float(TRIALS)), np.random.default_rng(0).random(TRIALS)
    _widget, draw = SCATTERS[kind](None, x, y)  # type: ignore[arg-type]  # peers look at no search
    assert draw is not None
    sent = []
    for _ in range(5):
        x, y = np.append(x, len(x)), np.append(y, 0.75)
        wire.clear()
        draw(x, y)
        sent.append(wire.num_bytes())
    return Samples(sent, "B")


def test_models_of_a_panel(show: Any, wire: Any, refresh: Any, acknowledge: Any, record: Any) -> None:  # noqa: F811
    """Each model is a comm, a message when a page is loaded and an object in the browser."""
    search = ScriptedSearch(jobs=200, wall_minutes=5)
    panel = show(OptimizerWidget, search)
    search.command("start")
    search.add_trials([0.5] * 100)
    acknowledge(panel)
    refresh(panel)
    at_first = wire.num_open()
    for tab in range(len(panel._plots.children)):
        panel._plots.selected_index = tab
        refresh(panel)
    record(
        "widget models of one panel of four parameters",
        f"{at_first}; {wire.num_open()} after a look at each of its {len(panel._plots.children)} tabs",
        bar="< 60",
        reached=at_first < 60,
    )


def test_a_forgotten_panel(show: Any, wire: Any, acknowledge: Any, record: Any) -> None:  # noqa: F811
    """A panel whose page is gone, of a search in which a trial ends each second, over ten minutes of its clock."""
    search = ScriptedSearch()
    panel = show(OptimizerWidget, search)
    seconds = 1000.0
    panel._refresher._clock = panel._refresher.flow._clock = lambda: seconds
    acknowledge(panel)
    panel._refresher.refresh()
    assert panel._refresher.flow.was_ever_seen
    panel._refresher.flow.view.unobserve_all("sent")  # from here on nobody answers
    search.command("start")
    thread = panel._refresher._thread
    sent = {}
    for second in range(600):
        seconds += 1.0
        wire.clear()
        search.add_trial(0.75)
        thread._refresh_those_due()
        sent[second] = len(wire.messages()) > 0
    late = [second for second, is_sent in sent.items() if is_sent and second >= 10]
    record(
        "a forgotten panel: updates after 10 s, within 10 minutes",
        f"{len(late)} (the last one after {late[-1] if late else 0} s)",
        bar="0",
        reached=not late,
    )
