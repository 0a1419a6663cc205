"""When to look at the server next: soon after something happened, seldom while nothing does."""

from __future__ import annotations

import statistics
import time
from collections import deque

SECONDS_A_MINUTE = 60.0
SOONEST = 8.0
"""Right after news the period is this fraction of ``pool_period_min``."""
LATEST = 2.0
"""While nothing happens it grows up to so many times ``pool_period_min``."""
GROWTH = 1.5
MOST_DURATIONS = 20


class Pace:
    """The period of looks at the server, and the moment of the next one; guarded by the lock of the active jobs.

    With ``pool_period_min`` p (default 0.1 minutes, which is 6 seconds) the next look comes p/8 after a launch, a
    report or an end, half as long again after each look that finds nothing new, and 2 p at most. When trials have
    ended before and a running one nears the age at which they did, looks come every p/8 again.

    Parameters
    ----------
    minutes
        ``pool_period_min``.

    Attributes
    ----------
    seconds : float
        The present period.
    due : float or None
        ``time.monotonic()`` of the next look; None: there is nothing to look at.
    """

    def __init__(self, minutes: float) -> None:
        self._base = minutes * SECONDS_A_MINUTE
        self.seconds = self.soonest
        self.due: float | None = None
        self._durations: deque[float] = deque(maxlen=MOST_DURATIONS)

    @property
    def soonest(self) -> float:
        """The shortest period."""
        return self._base / SOONEST

    def look_now(self) -> None:
        """Have the next look come at once."""
        self.due = time.monotonic()

    def look_in(self, seconds: float) -> None:
        """Have the next look come after so many seconds."""
        self.due = time.monotonic() + seconds

    def look_soon(self) -> None:
        """Have the next look come after the shortest period at the latest: a trial was launched."""
        self.news()
        soon = time.monotonic() + self.seconds
        self.due = soon if self.due is None else min(self.due, soon)

    def news(self) -> None:
        """Something has happened: look again soon."""
        self.seconds = self.soonest

    def ended(self, duration: float) -> None:
        """Learn how long a trial ran, in seconds."""
        self._durations.append(duration)
        self.news()

    def quiet(self, ages: list[float]) -> None:
        """A look has found nothing new; ``ages`` are the seconds that the running trials have run."""
        self.seconds = min(self.seconds * GROWTH, self._base * LATEST)
        if len(self._durations) < 2 or not ages:
            return
        usual = statistics.median(self._durations)
        # Within a tenth of the usual duration, or of a period, an end is near.
        margin = max(0.1 * usual, self._base)
        waits = [max(self.soonest, usual - margin - age) for age in ages if age < usual + margin]
        if waits:
            self.seconds = min(self.seconds, *waits)
