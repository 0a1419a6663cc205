"""Points that only become more, drawn so that one more point costs the same however many there are.

The newest are in a small "hot" mark, the only one that an update touches. When it is full, most of it
moves into a frozen mark; when all frozen marks are full, they are drawn into one picture below.
All marks exist from the beginning: a figure lays out everything again when its list of marks changes.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import ipywidgets
import numpy as np
import numpy.typing as npt
from bqplot import Image, Scatter

from hpo_widgets.widget.plots import style
from hpo_widgets.widget.plots.png import disc_picture

if TYPE_CHECKING:
    from collections.abc import Mapping

    from bqplot import Mark, Scale

    from hpo_widgets.widget.plots.domain import Domain

HOT = 200
CHUNK = 1000
_KEPT_HOT = 50
_WIDTH, _HEIGHT, _RADIUS = 1280, 640, 6

Floats = npt.NDArray[np.float64]


class GrowingPoints:
    """A cloud of points in bqplot marks.

    Parameters
    ----------
    scales
        Scales of the marks, ``x`` and ``y``.
    num_frozen
        Number of frozen marks of 1,000 points each, before the picture takes over.
    rgba
        Colour of the points in the picture, about that of the marks in both themes.
    traits
        Further traits of the Scatter marks.
    """

    def __init__(
        self,
        scales: Mapping[str, Scale],
        *,
        num_frozen: int,
        rgba: tuple[int, int, int, int],
        **traits: Any,
    ) -> None:
        self._rgba = rgba
        self._x = np.empty(0)
        self._y = np.empty(0)
        self._in_picture = 0
        self._frozen_to = 0
        self._picture = Image(
            image=_png(b""),
            scales=dict(scales),
            x=[0.0, 1.0],
            y=[0.1, 1.0],  # of use on a logarithmic axis too
            preserve_domain=style.FIXED,
            visible=False,
        )
        empty = {"x": np.empty(0), "y": np.empty(0)}
        traits = {"preserve_domain": style.FIXED, **traits}
        self._frozen = [Scatter(**empty, scales=dict(scales), **traits) for _ in range(num_frozen)]
        self._hot = Scatter(**empty, scales=dict(scales), **traits)
        self._domain: tuple[tuple[float, float], Domain] | None = None

    @property
    def marks(self) -> list[Mark]:
        """All marks, from the bottom to the top; always the same ones."""
        return [self._picture, *self._frozen, self._hot]

    @property
    def hot(self) -> Scatter:
        """The mark of the newest points."""
        return self._hot

    def __len__(self) -> int:
        return len(self._x)

    def set_scales(self, scales: Mapping[str, Scale]) -> None:
        """Draw all marks in other scales."""
        for mark in self.marks:
            mark.scales = dict(scales)

    def set_domain(self, ends_x: tuple[float, float], domain: Domain) -> None:
        """Say where the axes end; the picture is drawn again when it has points and they moved."""
        if self._domain != (ends_x, domain):
            self._domain = (ends_x, domain)
            self._draw_picture()

    def extend(self, x: Floats, y: Floats) -> None:
        """Add points; they must be finite."""
        if len(x) == 0:
            return
        self._x = np.concatenate([self._x, x])
        self._y = np.concatenate([self._y, y])
        self._roll()
        _put(self._hot, self._x[self._frozen_to :], self._y[self._frozen_to :])

    def reset(self, x: Floats, y: Floats) -> None:
        """Show other points."""
        self._x, self._y = np.asarray(x, dtype=float), np.asarray(y, dtype=float)
        capacity = CHUNK * len(self._frozen)
        # What does not fit into the marks, in whole capacities, goes into the picture.
        self._in_picture = max(0, len(self._x) - _KEPT_HOT) // capacity * capacity
        self._frozen_to = self._in_picture
        self._draw_picture()
        for mark in self._frozen:
            _put(mark, self._x[:0], self._y[:0])
        self._roll()
        _put(self._hot, self._x[self._frozen_to :], self._y[self._frozen_to :])

    def _roll(self) -> None:
        """Move points out of the hot mark as long as it has too many."""
        while len(self._x) - self._frozen_to > HOT:
            capacity = CHUNK * len(self._frozen)
            if self._frozen_to - self._in_picture == capacity:
                self._in_picture = self._frozen_to
                self._draw_picture()
                for mark in self._frozen:
                    _put(mark, self._x[:0], self._y[:0])
            index, _ = divmod(self._frozen_to - self._in_picture, CHUNK)
            start = self._in_picture + index * CHUNK
            self._frozen_to = min(len(self._x) - _KEPT_HOT, start + CHUNK)
            _put(self._frozen[index], self._x[start : self._frozen_to], self._y[start : self._frozen_to])

    def _draw_picture(self) -> None:
        if self._domain is None or (self._in_picture == 0 and not self._picture.visible):
            return
        (start_x, end_x), domain = self._domain
        old = self._picture.image
        value = disc_picture(
            (self._x[: self._in_picture] - start_x) / (end_x - start_x),
            domain.place(self._y[: self._in_picture]),
            width=_WIDTH,
            height=_HEIGHT,
            radius=_RADIUS,
            rgba=self._rgba,
        )
        with self._picture.hold_sync():
            # The browser redraws for a new image widget only.
            self._picture.image = _png(value)
            self._picture.x = [start_x, end_x]
            self._picture.y = [domain.low, domain.high]
            self._picture.visible = self._in_picture > 0
        old.layout.close()
        old.close()


def _put(mark: Scatter, x: Floats, y: Floats) -> None:
    """Give a mark copies of points; an empty one that stays empty is not touched."""
    if len(x) or len(mark.x):
        style.put(mark, x.copy(), y.copy())


def _png(value: bytes) -> ipywidgets.Image:
    return ipywidgets.Image(value=value, format="png")
