"""The axis of values of a live plot: fitted to the first values, grown in steps by later ones."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from hpo_widgets.widget.plots.domain import Domain, first_domain, wants_log

if TYPE_CHECKING:
    from collections.abc import Callable

    from hpo_widgets.widget.plots.series import Floats

# Up to so many values the axis is fitted again when their number has doubled; later it only grows.
_MOST_FITTED = 64


class FittedAxis:
    """Chooses the ends of an axis of values and whether it is logarithmic.

    Attributes
    ----------
    domain : Domain
        The ends as they are now.
    log_scale : bool or None
        Whether the axis is to be logarithmic, as far as the values allow it; None: where it shows more.
    """

    def __init__(self) -> None:
        self.domain = Domain(0.0, 1.0)
        self.log_scale: bool | None = None
        self._num_values = self._num_fitted = 0

    def fit(self, values: Floats, *, anew: bool = True) -> None:
        """Choose the kind of axis and, with ``anew`` or for another kind, its ends."""
        self._num_values = self._num_fitted = len(values)
        is_log = self._is_log(values)
        if anew or is_log != self.domain.is_log:
            self.domain = first_domain(values, is_log=is_log)

    def extend(self, fresh: Floats, values: Callable[[], Floats]) -> None:
        """Make room for ``fresh`` values; ``values()`` are all, asked for when the axis is fitted again."""
        self._num_values += len(fresh)
        must_fit = self.domain.is_log and bool(np.any(fresh <= 0))
        if must_fit or self._num_values >= 2 * self._num_fitted:
            self.fit(values(), anew=must_fit or self._num_fitted <= _MOST_FITTED)
        self.domain = self.domain.grown(fresh)

    def _is_log(self, values: Floats) -> bool:
        if self.log_scale is not None:
            return bool(self.log_scale) and not np.any(values <= 0)
        if self.domain.is_log:
            # Once logarithmic it stays so, as long as it can.
            return not np.any(values <= 0)
        return wants_log(values)
