"""The bqplot figure of parallel coordinates: axes, lines one by one and as a picture, intervals."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from bqplot import Label, LinearScale, Lines, Scatter

from hpo_widgets.widget import text
from hpo_widgets.widget.plots import style
from hpo_widgets.widget.plots.brush import Brush
from hpo_widgets.widget.plots.figure import FILLS_TAB, plain_figure
from hpo_widgets.widget.plots.parallel_lines import lines
from hpo_widgets.widget.plots.points import hear_clicks, place_of

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from hpo_widgets.widget.plots.parallel_lines import ParallelAxis
    from hpo_widgets.widget.plots.series import Floats

# Pixels that an axis needs, and letters that have room in them.
_LEAST_PITCH, _LETTERS = 96, 11
_MARGINS = {"top": 46, "bottom": 26, "left": 30, "right": 66}
# Of the distance of two axes, and of an axis: where a brush may begin beyond the outermost axes and their ends.
_BESIDE, _BEYOND = 0.2, 0.03
_FLAT = 0.005
# The mark of the best trial covers what is so near to it, as a share of an axis.
_COVERED = 0.045
_BEST_WIDTH, _FRONT_WIDTH = 3.0, 1.5

# From the bottom to the top.
_LINES: dict[str, dict[str, Any]] = {
    "failed": {"colors": [style.BAD], "opacities": [0.45], "stroke_width": 1, "line_style": "dashed"},
    "fresh": {"colors": [style.DOT], "opacities": [0.45], "stroke_width": 1},
    "strong": {"colors": [style.DOT], "opacities": [0.5], "stroke_width": 1.5},
    "selected": {"colors": [style.ACCENT], "stroke_width": 3},
    "best": {"colors": [style.BEST]},
}
_LABELS: dict[str, dict[str, Any]] = {
    "ticks": {"align": "start", "x_offset": 6, "y_offset": 4},
    "failed": {"align": "end", "colors": [style.BAD], "x_offset": -6, "y_offset": 4},
    "ends": {"align": "end", "colors": [style.ACCENT], "x_offset": -10, "y_offset": 4, "font_weight": "bold"},
    "names": {"align": "middle", "y_offset": -26, "default_size": 11, "font_weight": "bold"},
    "kinds": {"align": "middle", "y_offset": -12},
    "best": {"align": "start", "x_offset": 9, "y_offset": 4, "font_weight": "bold"},
}


class ParallelFigure:
    """Everything that is drawn; knows axes and places on them, but no search.

    Parameters
    ----------
    axes
        The axes, at least two.
    title
        What the figure shows, for those who do not see it.
    on_click
        Called with the place of a click, in axes across and in shares of an axis up.
    on_clear
        Called with the index of an axis that was double-clicked, and whether ``on_click`` was called for the first of
        both clicks: not where the hand moved at that moment.
    on_brush
        Called with the index of an axis and the ends of what was brushed, as shares of it.

    Attributes
    ----------
    least_width : int
        Width in pixels below which the figure is scrolled.
    """

    def __init__(
        self,
        axes: Sequence[ParallelAxis],
        title: str,
        *,
        on_click: Callable[[float, float], None],
        on_clear: Callable[[int, bool], None],
        on_brush: Callable[[int, float, float], None],
    ) -> None:
        self._count = len(axes)
        self._on_click, self._on_clear, self._on_brush = on_click, on_clear, on_brush
        self._clicked_axis: int | None = None
        self._scales = {
            "x": LinearScale(min=-_BESIDE, max=self._count - 1 + _BESIDE, allow_padding=False),
            "y": LinearScale(min=-_BEYOND, max=1 + _BEYOND, allow_padding=False),
        }
        self._frame = self._mark(Lines, colors=[style.TEXT], stroke_width=1)
        self._intervals = self._mark(Lines, colors=[style.ACCENT], stroke_width=7)
        ends = {"colors": [style.SURFACE], "stroke": style.ACCENT, "stroke_width": 2, "default_size": 110}
        self._ends = self._mark(Scatter, **ends)
        self._best = self._mark(Scatter, colors=[style.BEST], marker="triangle-up", default_size=90, stroke_width=0)
        self.lines = {name: self._mark(Lines, **look) for name, look in _LINES.items()}
        look = {**style.LABEL, "apply_clip": False}
        self.labels = {name: self._mark(Label, **{**look, **own}) for name, own in _LABELS.items()}
        self._drawn_axes: tuple[tuple[ParallelAxis, ...], int] = (), 0
        self._ticks: list[tuple[int, float, str]] = []
        self._best_at = np.nan
        # The page passes clicks, which a brush would keep to itself, on to the first picture, and double clicks to
        # the second: pictures tell where they were.
        self.pictures = {name: self._picture() for name in ("others", "passing")}
        hear_clicks(self.pictures["others"], lambda said: _at(said, self._on_clicked))
        hear_clicks(self.pictures["passing"], lambda said: _at(said, self._on_double_clicked))
        marks = [
            *self.pictures.values(),
            self.lines["failed"],
            self.lines["fresh"],
            self._frame,
            self.lines["strong"],
            self.lines["selected"],
            self.lines["best"],
            self._intervals,
            self._ends,
            self._best,
            *self.labels.values(),
        ]
        self.least_width = _LEAST_PITCH * self._count
        layout = {**FILLS_TAB, "min_width": f"{self.least_width}px"}
        self.figure = plain_figure(marks, [], title, margins=_MARGINS, layout=layout)
        self._brush = Brush(self.figure, self._scales, self._on_brushed)
        self._brush.switch(on=True)

    def set_axes(self, axes: Sequence[ParallelAxis], width: int) -> None:
        """Draw the names and ticks of all axes.

        Parameters
        ----------
        axes
            The axes.
        width
            Width of the figure on the page in pixels, which tells how long names may be; 0 as long as nobody has said.
        """
        if (tuple(axes), width) == self._drawn_axes:
            return
        self._drawn_axes = tuple(axes), width
        room = int((width - _MARGINS["left"] - _MARGINS["right"]) / (len(axes) - 1 + 2 * _BESIDE) / style.LETTER_WIDTH)
        most = max(_LETTERS, room)
        shown_names = text.short_names([axis.label for axis in axes], most)
        names, kinds, ticks = [], [], []
        for at, axis in enumerate(axes):
            names.append((at, 1.0, shown_names[axis.label]))
            kinds.append((at, 1.0, axis.kind_in_words))
            marked = axis.ticks()
            shown = text.shorts([words for _place, words in marked], most)
            ticks += [(at, place, words) for (place, _words), words in zip(marked, shown, strict=True)]
        for name, labels in (("names", names), ("kinds", kinds)):
            style.put_labels(self.labels[name], labels)
        self._ticks = ticks
        self._put_ticks()
        style.put_changed(self._frame, *style.vertical_lines(np.arange(len(axes), dtype=float)))

    def draw(self, name: str, places: Floats) -> None:
        """Draw lines one by one.

        Parameters
        ----------
        name
            Which: ``"failed"``, ``"fresh"``, ``"strong"``, ``"selected"`` or ``"best"``.
        places
            Where they cross the axes, shape (n, number of axes).
        """
        if name == "best":
            self.lines[name].stroke_width = _BEST_WIDTH if len(places) == 1 else _FRONT_WIDTH
        style.put_changed(self.lines[name], *lines(places))

    def draw_failed(self, counts: Sequence[tuple[int, float, int]], word: str) -> None:
        """Write how many dashed lines end where.

        Parameters
        ----------
        counts
            Axis, place on it and number of the lines that end there.
        word
            What happened to all of these trials; empty if it differs.
        """
        labels = [(index, place, " ".join(filter(None, (str(count), word, "✕")))) for index, place, count in counts]
        style.put_labels(self.labels["failed"], labels)

    def draw_best(self, best: tuple[int, float] | None) -> None:
        """Mark the best trial, given by its number and its place, on the last axis; None: no trial."""
        at = [] if best is None else [(self._count - 1, best[1], f"#{best[0]}")]
        style.put_labels(self.labels["best"], at)
        style.put_changed(self._best, np.array([float(one) for one, *_ in at]), np.array([one for _, one, _ in at]))
        self._best_at = np.nan if best is None else best[1]
        self._put_ticks()

    def _put_ticks(self) -> None:
        """Write the ticks, but for one that the mark of the best trial covers, whose number stands there."""
        last, best = self._count - 1, self._best_at
        shown = [tick for tick in self._ticks if not (tick[0] == last and abs(tick[1] - best) < _COVERED)]
        style.put_labels(self.labels["ticks"], shown)

    def draw_intervals(self, spans: Sequence[tuple[int, float, float, tuple[str, str]]]) -> None:
        """Draw intervals and their ends: index of the axis, low and high as shares of it, and the words of both."""
        ends = [(index, at, word) for index, *span, words in spans for at, word in zip(span, words, strict=True)]
        x, y = np.array([float(index) for index, *_ in ends]), np.array([at for _, at, _ in ends])
        style.put_changed(self._ends, x, y)
        style.put_changed(self._intervals, *style.broken_line(x.reshape(-1, 2), y.reshape(-1, 2)))
        style.put_labels(
            self.labels["ends"], [(index, at, text.short(word, _LETTERS)) for index, at, word in ends if word]
        )

    def _mark(self, kind: Callable[..., Any], **traits: Any) -> Any:
        return style.empty(kind, self._scales, **traits)

    def _picture(self) -> style.Picture:
        return style.Picture(scales=self._scales, x=[0.0, self._count - 1.0], y=[0.0, 1.0])

    def _axis_at(self, x: float) -> int:
        return min(max(round(x), 0), self._count - 1)

    def _on_clicked(self, x: float, y: float) -> None:
        self._clicked_axis = self._axis_at(x)
        self._on_click(x, y)

    def _on_double_clicked(self, x: float, _y: float) -> None:
        """Clear the axis of the first click: what it selected may have opened the details, which moves the axes."""
        clicked, self._clicked_axis = self._clicked_axis, None
        self._on_clear(self._axis_at(x) if clicked is None else clicked, clicked is not None)

    def _on_brushed(self) -> None:
        """Tell what was brushed when the hand is off it, and make room for the next one."""
        extent = self._brush.extent
        if extent is None or self._brush.is_held:
            return
        self._brush.clear()
        self._clicked_axis = None
        if extent.y[1] - extent.y[0] > _FLAT:
            self._on_brush(self._axis_at(sum(extent.x) / 2), *extent.y)


def _at(said: Any, act: Callable[[float, float], None]) -> None:
    """Act at the place that a picture tells of a click; nonsense is ignored."""
    if (place := place_of(said)) is not None:
        act(*place)
