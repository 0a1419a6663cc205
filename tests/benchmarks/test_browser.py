"""How live a scatter of many trials is in a real JupyterLab while the trials keep both cores busy."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.benchmarks.live_page import NeverDrawnError, Watched, watch
from tests.browser.conftest import open_page

_PEERS = {"bqplot": "bqplot", "plotly": "plotly FigureWidget", "jscatter": "jupyter-scatter"}
_BAR = "≥ 10 updates/s, lag ≤ 200 ms (95 %), not growing"


@pytest.mark.timeout(290)
@pytest.mark.parametrize("trials", [1_000, 5_000, 20_000])
def test_live_scatter(trials: int, lab: Any, browser: Any, tmp_path: Path, record: Any) -> None:
    """Ten trials end a second: from the end of one in its worker until it is in the page, ours beside peers."""

    def watched(look: str) -> Watched:
        folder = tmp_path / look
        folder.mkdir()
        with open_page(lab, browser) as notebook:
            figures = watch(notebook, folder, trials, look)
        print(f"{trials:,} {look}: {figures}; trials had {figures.busy_share:.0%} of the cores")
        return figures

    def said(look: str, name: str) -> str:
        try:
            return f"{name} {watched(look)}"
        except NeverDrawnError as never:
            return f"{name}: {never}"

    peers = "; ".join(said(look, name) for look, name in _PEERS.items())
    slices, history = watched("slices"), watched("history")
    record(
        f"live scatter, {trials:,} trials, both cores busy with trials",
        f"{history}; trials have {history.busy_share:.0%} of the cores",
        bar=_BAR,
        peers=peers,
        reached=_is_live(history),
    )
    record(f"the same with Slices open, {trials:,} trials", str(slices), bar=_BAR, reached=_is_live(slices))


def _is_live(figures: Watched) -> bool:
    # No more than ten trials end a second, so no more than ten updates can be drawn.
    return round(figures.updates_per_second) >= 10 and figures.worst <= 0.2 and not figures.is_queueing
