"""The figure of the best so far and its numbers: how far a line goes that is not whole yet."""

from __future__ import annotations

import numpy as np
import pytest

from hpo_widgets.search.comparison import Trace
from hpo_widgets.testing import ScriptedSearch
from hpo_widgets.widget import text
from hpo_widgets.widget.comparison.best_plot import BestSoFarPlot
from hpo_widgets.widget.sync.refresher import Refresher


def trace(*levels):
    values = np.array(levels, dtype=float)
    return Trace(values, np.arange(1.0, len(levels) + 1), values)


@pytest.fixture
def drawn(show):
    """``drawn(is_whole)`` is a plot of two searches with a budget of four trials, which have run two and three."""
    search = ScriptedSearch()
    refresher = Refresher(search)

    def draw(is_whole):
        traces = {"slow": [trace(4, 2)], "fast": [trace(5, 3, 1)]}
        plot = show(
            BestSoFarPlot, search, list(traces), lambda: traces, value_name="loss", refresher=refresher,
            num_trials=4, is_whole=lambda: is_whole,
        )  # fmt: skip
        refresher.refresh()
        return plot

    yield draw
    refresher.close()


def rows(plot):
    """The numbers of the plot: the trial and the median of both."""
    return [(row[0], row[1], row[4]) for row in plot.numbers().rows]


def test_until_its_budget_is_used_a_line_ends_where_its_trials_do(drawn):
    plot = drawn(is_whole=False)
    assert [line.band.at.tolist() for line in plot._drawn] == [[1, 2], [1, 2, 3]]
    assert rows(plot) == [(1, "4", "5"), (2, "2", "3"), (3, text.NO_VALUE, "1")]
    # The axis goes to the budget all the same.
    assert plot.figure.axes[0].scale.max == 4


def test_a_search_that_ended_early_keeps_its_level_up_to_the_budget(drawn):
    plot = drawn(is_whole=True)
    assert [line.band.at.tolist() for line in plot._drawn] == [[1, 2, 3, 4]] * 2
    assert rows(plot)[-1] == (4, "2", "1")
