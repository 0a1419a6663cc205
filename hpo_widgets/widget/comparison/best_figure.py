"""The best so far of several competitors: a line for the median, a band for the middle half, a label at the end."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from bqplot import Label, LinearScale, Lines

from hpo_widgets.search.comparison import Band, steps
from hpo_widgets.widget import text
from hpo_widgets.widget.plots import style
from hpo_widgets.widget.plots.axes import Domain, domain_of_range, even_ticks, is_log_for, ticks_between
from hpo_widgets.widget.plots.figure import FILLS_TAB, FigureAxis, plain_figure, tick_traits

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from bqplot import Figure

    from hpo_widgets.search.comparison import Floats

MOST_COMPETITORS = len(style.SERIES)
_NUM_TICKS = 6
_MARGINS = {"top": 14, "bottom": 44, "left": 66, "right": 168}
# The dash of a line and its label, in pixels from the plot, and how wide the plot is as long as nobody has said.
_SAMPLE, _LABEL, _WIDTH = (4, 26), 32, 800.0
# Labels are kept so far apart, as a share of the height.
_LEAST_GAP = 0.075
# Letters that a label has room for in the margin; a name keeps the latter at least.
_MOST_LETTERS, _LEAST_NAME = 17, 8
_SECONDS_BELOW = 3.0
"""Minutes below which time is written in seconds."""


class Line(NamedTuple):
    """One competitor as it is drawn: its name, and its best so far, by trial or by minutes."""

    name: str
    band: Band


class BestFigure:
    """Everything that is drawn; knows bands, but no search.

    Parameters
    ----------
    count
        How many competitors there are.
    name
        What the values are, at their axis.
    title
        What the figure shows, for those who do not see it.
    is_log
        Whether the axis of values is logarithmic; None: where that shows more.
    minimise
        Whether low values are good. Default True.
    """

    def __init__(self, count: int, name: str, title: str, *, is_log: bool | None = None, minimise: bool = True) -> None:
        self._is_log, self._minimise = is_log, minimise
        self._is_by_minutes = False
        self._unit = 1.0
        self._width = _WIDTH
        font = {"tick_style": {"font-size": "11px"}}
        self.x = FigureAxis(Domain(0.0, 1.0), self._ticks_x, "trial", label_offset="32px", grid_lines="none", **font)
        self.y = FigureAxis(Domain(0.0, 1.0), _ticks_y, name, side="left", label_offset="50px", **font)
        unit = LinearScale(min=0.0, max=1.0, allow_padding=False)
        self._bands = [self._polygon(index) for index in range(count)]
        self._lines = [
            self._mark(
                Lines,
                colors=[style.SERIES[index]],
                line_style=style.SERIES_DASHES[index],
                stroke_width=2.4,
            )
            for index in range(count)
        ]
        self._labels = Label(
            x=style.NONE, y=style.NONE, text=[], scales={"x": unit, "y": unit}, colors=[style.STRONG_TEXT],
            default_size=11, font_weight="bold", align="start", y_offset=-1, apply_clip=False,
            preserve_domain=style.FIXED,
        )  # fmt: skip
        # The dash of each line again, beside its label.
        self._samples = [
            Lines(
                x=style.NONE, y=style.NONE, scales={"x": unit, "y": unit}, colors=[style.SERIES[index]],
                line_style=style.SERIES_DASHES[index], stroke_width=2.4, apply_clip=False, preserve_domain=style.FIXED,
            )
            for index in range(count)
        ]  # fmt: skip
        marks = [*self._bands, *self._lines, *self._samples, self._labels]
        self.figure: Figure = plain_figure(
            marks, [self.x.axis, self.y.axis], title, margins=_MARGINS, layout={**FILLS_TAB, "min_height": "300px"}
        )

    def _mark(self, kind: Any, **traits: Any) -> Any:
        scales = {"x": self.x.scale, "y": self.y.scale}
        return kind(x=style.NONE, y=style.NONE, scales=scales, preserve_domain=style.FIXED, **traits)

    def _polygon(self, index: int) -> Any:
        return self._mark(
            Lines, colors=[style.SERIES[index]], fill_colors=[style.SERIES[index]], fill="inside",
            fill_opacities=[0.14], opacities=[1.0], stroke_width=0, close_path=True,
        )  # fmt: skip

    def set_width(self, width: int) -> None:
        """Take the width that the figure has on the page, in pixels."""
        self._width = max(50.0, float(width - _MARGINS["left"] - _MARGINS["right"]))

    def draw(
        self, lines: Sequence[Line], *, by_minutes: bool, end: float | None = None, values: Floats = style.NONE
    ) -> None:
        """Draw all competitors.

        Parameters
        ----------
        lines
            One for each, in their order.
        by_minutes
            Whether the bands are over minutes, not over trials.
        end
            The end of the axis across, where it is known beforehand, as a budget is.
        values
            The values of all trials, by which an axis of values is chosen as in the other plots.
        """
        known = [line.band for line in lines if len(line.band.at)]
        longest = max((float(band.at[-1]) for band in known), default=1.0)
        self._unit = 60.0 if by_minutes and longest < _SECONDS_BELOW else 1.0
        self._is_by_minutes = by_minutes
        self._set_x_name("trial" if not by_minutes else "minutes" if self._unit == 1.0 else "seconds")
        longest = max(longest * self._unit, end or 0.0)
        self.x.set_domain(Domain(0.0 if by_minutes else min(1.0, longest / 2), longest), self.figure)
        drawn = np.concatenate([np.concatenate([band.low, band.high]) for band in known]) if known else np.empty(0)
        was_log = self.y.domain.is_log
        is_log = is_log_for(values, self._is_log, was_log=was_log, minimise=self._minimise) and not np.any(drawn <= 0)
        self.y.set_domain(_values_domain(drawn, is_log=is_log), self.figure)
        for index, line in enumerate(lines):
            band = line.band
            at = band.at * self._unit
            style.put_changed(self._lines[index], *steps(at, band.median))
            x, low = steps(at, band.low)
            back, high = steps(at, band.high)
            style.put_changed(self._bands[index], np.append(x, back[::-1]), np.append(low, high[::-1]))
        self._draw_labels(lines)

    def _draw_labels(self, lines: Sequence[Line]) -> None:
        drawn = [(index, line) for index, line in enumerate(lines) if len(line.band.at)]
        ends = self.y.domain.place(np.array([line.band.median[-1] for _, line in drawn]))
        places = spread(ends, _LEAST_GAP)
        values = [text.number(line.band.median[-1], 3) for _, line in drawn]
        room = _MOST_LETTERS - 1 - max(map(len, values), default=0)
        names = text.short_names([line.name for _, line in drawn], max(_LEAST_NAME, room))
        words = [f"{names[line.name]} {value}" for (_, line), value in zip(drawn, values, strict=True)]
        with self._labels.hold_sync():
            # In the same measure as the dashes, so that these stand apart in a picture of another width, too.
            self._labels.x, self._labels.y = np.full(len(drawn), 1 + _LABEL / self._width), places
            self._labels.text = np.array(words, dtype=str)
        for sample in self._samples:
            style.put_changed(sample, style.NONE, style.NONE)
        for (index, _), place in zip(drawn, places.tolist(), strict=True):
            style.put_changed(self._samples[index], 1 + np.array(_SAMPLE) / self._width, np.array([place, place]))

    def _set_x_name(self, name: str) -> None:
        if self.x.axis.label != name:
            self.x.axis.label = name

    def _ticks_x(self, domain: Domain) -> Mapping[str, Any]:
        if self._is_by_minutes:
            return tick_traits(even_ticks(domain.low, domain.high, _NUM_TICKS))
        ticks = [tick for tick in even_ticks(0.0, domain.high, _NUM_TICKS, whole=True) if tick >= 1]
        last = round(domain.high)
        room = 0.06 * domain.high
        inner = [tick for tick in ticks if 1 + room <= tick <= last - room]
        return {"tick_values": np.array(sorted({1.0, *inner, float(last)})), "tick_format": "d"}


def _ticks_y(domain: Domain) -> Mapping[str, Any]:
    return tick_traits(ticks_between(domain, _NUM_TICKS))


def _values_domain(values: Floats, *, is_log: bool) -> Domain:
    if len(values) == 0:
        return Domain(0.0, 1.0)
    return domain_of_range(float(values.min()), float(values.max()), is_log=is_log)


def spread(places: Floats, gap: float) -> Floats:
    """Return places for labels: as near to their own as can be, no two nearer than a gap.

    Parameters
    ----------
    places
        Where the labels would be, shape (n,).
    gap
        The least distance of two.

    Returns
    -------
    array of float
        Shape (n,), in the same order from low to high.
    """
    order = np.argsort(places, kind="stable")
    spaced = places[order].astype(float)
    groups = [[float(place), 1.0] for place in spaced]  # middle and number of labels that touch
    merged = True
    while merged:
        merged = False
        for index in range(len(groups) - 1):
            (low, few), (high, more) = groups[index], groups[index + 1]
            if high - low < gap * (few + more) / 2 - 1e-12:
                groups[index : index + 2] = [[(low * few + high * more) / (few + more), few + more]]
                merged = True
                break
    found: Floats = np.empty(len(places))
    at = 0
    for middle, count in groups:
        for step in range(int(count)):
            found[order[at]] = middle + (step - (count - 1) / 2) * gap
            at += 1
    return found
