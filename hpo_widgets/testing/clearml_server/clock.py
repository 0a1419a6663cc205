"""The server's clock, which a test may set wrong."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta


class Clock:
    """The time of the server: the machine's, plus a skew, which any thread may set: it is replaced as a whole.

    Attributes
    ----------
    skew : datetime.timedelta
        How far the server is ahead of the machine; zero at first.
    """

    def __init__(self) -> None:
        self.skew = timedelta()

    def now(self) -> datetime:
        """The time now, in UTC, with microseconds."""
        return datetime.now(UTC) + self.skew


def stored(moment: datetime) -> datetime:
    """A time as the store keeps it: whole milliseconds."""
    return moment.replace(microsecond=moment.microsecond // 1000 * 1000)


def written(moment: datetime) -> str:
    """A time as answers show it: six digits of a second, with the offset."""
    return moment.isoformat(timespec="microseconds")


def milliseconds(moment: datetime) -> int:
    """A time as events carry it: milliseconds since 1970."""
    return int(moment.timestamp() * 1000)
