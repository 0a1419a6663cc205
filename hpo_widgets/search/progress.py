"""The progress of a search on one line, where there is no widget: in a script, a terminal, a log."""

from __future__ import annotations

import io
import sys
from typing import TYPE_CHECKING, Any, TextIO

from hpo_widgets._messages import number
from hpo_widgets.search.in_words import note, num_done, ranked_by

if TYPE_CHECKING:
    from hpo_widgets.search.protocol import Search

_LIVE_SECONDS, _LINE_SECONDS = 0.1, 5.0


class ProgressBar:
    """A bar of trials with the best value so far; where it cannot be redrawn, as in a file, a line every five seconds.

    Parameters
    ----------
    title
        The words before the bar.
    file
        Where it is written. Default: the standard error stream.
    """

    def __init__(self, title: str = "searching", file: TextIO | None = None) -> None:
        from tqdm import tqdm

        self._file = sys.stderr if file is None else file
        self._is_live = self._file.isatty()
        self.pause = _LIVE_SECONDS if self._is_live else _LINE_SECONDS
        """Seconds that callers of `draw` should leave between two drawings."""
        self._bar: tqdm[Any] = tqdm(
            unit=" trials",
            desc=title,
            file=self._file if self._is_live else io.StringIO(),
            dynamic_ncols=self._is_live,
        )
        self._last_line = ""
        self._has_drawn = False
        self._write_line()

    def say(self, title: str) -> None:
        """Say what is going on now."""
        self._bar.set_description_str(title)

    def draw(self, search: Search) -> None:
        """Draw how far a search is."""
        self._bar.total = search.total_max_jobs
        self._bar.n = num_done(search)
        if not self._has_drawn:
            # What ended before tells nothing of how long the rest takes.
            self._has_drawn, self._bar.initial = True, self._bar.n
        best = search.best_trial
        if best is not None:
            values = " ".join(number(value) for value in best.values if value is not None)
            self._bar.set_postfix_str(f"best {values} at #{best.number}{note(best)}{ranked_by(search)}", refresh=False)
        self._bar.refresh()
        self._write_line()

    def close(self) -> None:
        """Leave the bar as it is."""
        self._bar.close()

    def _write_line(self) -> None:
        """Write progress as a line where it cannot be drawn over."""
        line = str(self._bar)
        if not self._is_live and line != self._last_line:
            self._last_line = line
            print(line, file=self._file, flush=True)
