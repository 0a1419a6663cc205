"""The live scatters that are compared: the panel, and peers in the best way that each has to take more points.

Each entry makes a widget of the trials that are there, and a function that shows more; the panel follows the
search by itself. No peer can append from Python: each is given all points again, in one message.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable

    import numpy.typing as npt

    from hpo_widgets import HyperParameterOptimizer

    Floats = npt.NDArray[Any]
    Made = tuple[Any, Callable[[Floats, Floats], None] | None]

# All are about as large as the panel's history.
_WIDTH, _HEIGHT = 700, 400


def _panel(search: HyperParameterOptimizer, _x: Floats, _y: Floats) -> Made:
    from hpo_widgets import OptimizerWidget

    return OptimizerWidget(search), None


def _bqplot(_search: HyperParameterOptimizer, x: Floats, y: Floats) -> Made:
    import bqplot

    scales = {"x": bqplot.LinearScale(), "y": bqplot.LinearScale()}
    axes = [bqplot.Axis(scale=scales["x"]), bqplot.Axis(scale=scales["y"], orientation="vertical")]
    scatter = bqplot.Scatter(x=x, y=y, scales=scales, default_size=40, stroke_width=0)
    figure = bqplot.Figure(marks=[scatter], axes=axes)
    figure.layout.width, figure.layout.height = f"{_WIDTH}px", f"{_HEIGHT}px"

    def draw(x: Floats, y: Floats) -> None:
        with scatter.hold_sync():
            scatter.x, scatter.y = x, y

    return figure, draw


def _plotly(_search: HyperParameterOptimizer, x: Floats, y: Floats) -> Made:
    import plotly.express as px
    import plotly.graph_objects as go

    # Plotly Express chooses as it does for everybody: SVG up to 1,000 points, WebGL above.
    figure = go.FigureWidget(px.scatter(x=x, y=y, width=_WIDTH, height=_HEIGHT))
    points = figure.data[0]

    def draw(x: Floats, y: Floats) -> None:
        with figure.batch_update():
            points.x, points.y = x, y

    return figure, draw


def _jscatter(_search: HyperParameterOptimizer, x: Floats, y: Floats) -> Made:
    import jscatter
    import pandas as pd

    # Fixed ends: it would make its scales of the first points only.
    scatter = jscatter.Scatter(
        x="x", y="y", data=_frame(pd, x, y), x_scale=(0, 1.5 * len(x)), y_scale=(0, 2), width=_WIDTH, height=_HEIGHT
    )

    def draw(x: Floats, y: Floats) -> None:
        scatter.data(_frame(pd, x, y))

    return scatter.show(), draw


def _frame(pd: Any, x: Floats, y: Floats) -> Any:
    return pd.DataFrame({"x": x, "y": y})


SCATTERS: dict[str, Callable[[HyperParameterOptimizer, Floats, Floats], Made]] = {
    "panel": _panel,
    # Of a tab that shows how many trials there are the order of their ends is noted, and nothing else is done.
    "counted": lambda *given: (_panel(*given)[0], lambda _x, _y: None),
    "bqplot": _bqplot,
    "plotly": _plotly,
    "jscatter": _jscatter,
}
"""Name to what makes the widget and, where it does not follow the search by itself, the function that draws."""
