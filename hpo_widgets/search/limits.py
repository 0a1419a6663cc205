"""The limits of a search as a person sets them, each checked here, and the clock that they are measured by."""

from __future__ import annotations

import datetime as dt
import math
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, NamedTuple

from hpo_widgets.parameters.base import python_value
from hpo_widgets.search.budget import Budget, Limit

if TYPE_CHECKING:
    from collections.abc import Mapping

SECONDS_A_MINUTE = 60.0
_LONGEST_QUOTE = 30
_MOST_MINUTES = 1e9  # of which the time of day is still known
_MOST_SECONDS = _MOST_MINUTES * SECONDS_A_MINUTE
_LONGEST_PERIOD = 525_600.0  # a year in minutes, which a thread can wait for
_NO_LIMIT = "; None for no limit"
_MOST_GIGABYTES = 1e6  # so that bytes are told from gigabytes
_MOST_DIGITS = 1000


def positive_int(name: str, value: object) -> int:
    """Check a number that counts something.

    Parameters
    ----------
    name
        What it is, for the message.
    value
        What was given.

    Returns
    -------
    int
        The number.

    Raises
    ------
    TypeError, ValueError
        When it is not a whole number of at least 1.
    """
    value = python_value(value)
    if isinstance(value, bool) or not isinstance(value, int):
        raise TypeError(f"{name} must be a whole number of at least 1, got {value!r:.80}")
    if value < 1:
        raise ValueError(f"{name} must be a whole number of at least 1, got {value}")
    return value


def optional_positive_int(name: str, value: object) -> int | None:
    """Check as `positive_int` a limit that may be None, which is no limit.

    Parameters
    ----------
    name
        What it is, for the message.
    value
        What was given; None for no limit.

    Returns
    -------
    int or None
        The number; None for no limit.

    Raises
    ------
    TypeError, ValueError
        When it is not a whole number of at least 1.
    """
    return None if value is None else positive_int(name, value)


def positive_minutes(name: str, value: object) -> float | None:
    """Check a limit of time.

    Parameters
    ----------
    name
        What it is, for the message.
    value
        Minutes; None or infinity for no limit.

    Returns
    -------
    float or None
        The minutes.

    Raises
    ------
    TypeError, ValueError
        When it is not a number above 0.
    """
    return _positive(name, value, "minutes")


def positive_period(name: str, value: object) -> float:
    """Check the time between two events of a kind.

    Parameters
    ----------
    name
        What it is, for the message.
    value
        Minutes.

    Returns
    -------
    float
        The minutes.

    Raises
    ------
    TypeError, ValueError
        When it is not a number above 0 and of at most a year.
    """
    return _positive_number(name, python_value(value), "minutes", _LONGEST_PERIOD, "")


def seconds_to_wait(timeout: object) -> float | None:
    """Return how many seconds somebody waits who gives minutes: 0 or more, None for no limit (None or infinity)."""
    value = python_value(timeout)
    if value is None or value == math.inf:
        return None
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        raise TypeError(f"timeout must be a number of minutes, such as 5 or 0.5, or None, got {value!r:.80}")
    return max(0.0, float(value)) * SECONDS_A_MINUTE


def _positive(name: str, value: object, unit: str, most: float = _MOST_MINUTES) -> float | None:
    value = python_value(value)
    if value is None or value == math.inf:
        return None
    return _positive_number(name, value, unit, most, _NO_LIMIT)


def _positive_number(name: str, value: object, unit: str, most: float, or_else: str) -> float:
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        raise TypeError(f"{name} must be a number of {unit} above 0, got {value!r:.80}{or_else}")
    if not value > 0:
        raise ValueError(f"{name} is in {unit} and must be above 0, got {value}{or_else}")
    if value > most:
        raise ValueError(f"{name} is in {unit} and must be at most {most:,.0f}, got {value}{or_else}")
    return float(value)


def typed_positive_int(name: str, typed: str, *, most: int | None = None) -> int:
    """Read a number that counts something from what a person has typed.

    Parameters
    ----------
    name
        What it is, for the message.
    typed
        The text.
    most
        The largest number that is taken; None: any.

    Returns
    -------
    int
        The number.

    Raises
    ------
    ValueError
        When it is not a whole number from 1 to ``most``.
    """
    # Python refuses to read thousands of digits.
    number = int(typed) if typed.isdecimal() and len(typed) < _MOST_DIGITS else 0
    if number < 1:
        raise ValueError(f"{name} is a whole number of at least 1, not {_quoted(typed)}")
    if most is not None and number > most:
        raise ValueError(f"{name} is at most {most} here, not {_quoted(typed)}")
    return number


def typed_minutes(name: str, typed: str) -> float:
    """Read a time from what a person has typed.

    Parameters
    ----------
    name
        What it is, for the message.
    typed
        The text.

    Returns
    -------
    float
        Minutes.

    Raises
    ------
    ValueError
        When it is not a number above 0.
    """
    try:
        number = float(typed)
    except ValueError:
        number = math.nan
    if not 0 < number < math.inf:
        raise ValueError(f"{name} is in minutes and above 0, such as 5 or 0.5, not {_quoted(typed)}")
    return number


def _quoted(typed: str) -> str:
    return f"“{typed[:_LONGEST_QUOTE]}{'…' if len(typed) > _LONGEST_QUOTE else ''}”" if typed else "nothing"


@dataclass(slots=True)
class Settings:
    """What bounds a search; changed by the controller's thread only.

    All times are minutes but ``stop_grace``, which is seconds; memory is in gigabytes of 10⁹ bytes. None: no limit.
    """

    max_number_of_concurrent_tasks: int
    total_max_jobs: int | None = None
    optimization_time_limit: float | None = None
    compute_time_limit: float | None = None
    time_limit_per_job: float | None = None
    min_iteration_per_job: int | None = None
    max_iteration_per_job: int | None = None
    max_failures: int | None = 10
    allow_duplicates: bool = False
    stop_grace: float = 0.1
    report_period: float = 10.0
    max_memory_per_job: float | None = None

    @property
    def iterations(self) -> int | None:
        """How many iterations all jobs together may take; None: any number."""
        if self.total_max_jobs is None or self.max_iteration_per_job is None:
            return None
        return self.total_max_jobs * self.max_iteration_per_job

    @classmethod
    def checked(
        cls,
        keywords: Mapping[str, Any],
        *,
        max_number_of_concurrent_tasks: int,
        optimization_time_limit: float | None = None,
        compute_time_limit: float | None = None,
    ) -> Settings:
        """Make settings of what a person gave, each checked.

        Parameters
        ----------
        keywords
            Those of the controller's keywords that were given; others in it are left alone.
        max_number_of_concurrent_tasks
            Trials that run at once.
        optimization_time_limit, compute_time_limit
            Minutes, of the search and of all jobs together.

        Returns
        -------
        Settings
            With the defaults for what was not given.

        Raises
        ------
        TypeError, ValueError
            With the argument's name, for what is not as it must be.
        """
        made = cls(
            positive_int("max_number_of_concurrent_tasks", max_number_of_concurrent_tasks),
            optimization_time_limit=positive_minutes("optimization_time_limit", optimization_time_limit),
            compute_time_limit=positive_minutes("compute_time_limit", compute_time_limit),
            time_limit_per_job=positive_minutes("time_limit_per_job", keywords.get("time_limit_per_job")),
            max_failures=optional_positive_int("max_failures", keywords.get("max_failures", 10)),
            allow_duplicates=bool(keywords.get("allow_duplicates", False)),
            stop_grace=_not_negative_seconds("stop_grace", keywords.get("stop_grace", 0.1)),
            total_max_jobs=optional_positive_int("total_max_jobs", keywords.get("total_max_jobs")),
            min_iteration_per_job=optional_positive_int("min_iteration_per_job", keywords.get("min_iteration_per_job")),
            max_iteration_per_job=optional_positive_int("max_iteration_per_job", keywords.get("max_iteration_per_job")),
            max_memory_per_job=_positive(
                "max_memory_per_job", keywords.get("max_memory_per_job"), "gigabytes", _MOST_GIGABYTES
            ),
        )
        first, last = made.min_iteration_per_job, made.max_iteration_per_job
        if first is not None and last is not None and first > last:
            raise ValueError(
                f"min_iteration_per_job={first} is above max_iteration_per_job={last}: each trial would end before it "
                "is compared with others"
            )
        return made


def _not_negative_seconds(name: str, seconds: object) -> float:
    seconds = python_value(seconds)
    if isinstance(seconds, bool) or not isinstance(seconds, (int, float)) or not 0 <= seconds <= _MOST_SECONDS:
        most = f"{_MOST_SECONDS:,.0f}"
        raise ValueError(f"{name} must be a number of seconds of at least 0 and at most {most}, got {seconds!r:.80}")
    return float(seconds)


class WallClock(NamedTuple):
    """What wall time is computed from.

    Parameters
    ----------
    minutes_before
        Minutes that earlier runs took.
    run_started
        ``time.monotonic()`` of the present run's start; None: the search does not run.
    """

    minutes_before: float = 0.0
    run_started: float | None = None

    @property
    def minutes(self) -> float:
        """Minutes of all runs."""
        if self.run_started is None:
            return self.minutes_before
        return self.minutes_before + (time.monotonic() - self.run_started) / SECONDS_A_MINUTE

    def started(self) -> WallClock:
        """Return the clock of another run, which begins now."""
        return self._replace(run_started=time.monotonic())

    def stopped(self) -> WallClock:
        """Return the clock that stands still from now on."""
        return WallClock(self.minutes)


def local_time(moment: dt.datetime) -> dt.datetime:
    """Return a moment as naive local time; one that names no zone is that already."""
    # By its timestamp: of an hour that comes twice, as at the end of summer time, `astimezone` forgets which one it is.
    return moment if moment.tzinfo is None else dt.datetime.fromtimestamp(moment.timestamp())


class TimeLimit(NamedTuple):
    """When a search has to end.

    Parameters
    ----------
    moment
        The naive local time that people are shown.
    monotonic
        The same moment by ``time.monotonic()``, for a limit in minutes from now, which a change of the machine's clock
        must not move. None: the time of day counts.
    """

    moment: dt.datetime
    monotonic: float | None = None

    @classmethod
    def at(cls, moment: object) -> TimeLimit:
        """Return the limit at a moment that a person names, a ``datetime`` in local time unless it names a zone.

        A moment in the past is refused, and one that is as far away as no number of minutes may be.
        """
        if not isinstance(moment, dt.datetime):
            raise TypeError(f"specific_time must be a datetime, got {moment!r}")
        # Without zones: near the end of the calendar, the same moment may have no name in another one.
        if moment.replace(tzinfo=None) - dt.datetime.now() > dt.timedelta(minutes=_MOST_MINUTES):
            raise ValueError(f"the time limit {moment} must be at most {_MOST_MINUTES:,.0f} minutes away{_NO_LIMIT}")
        limit = cls(local_time(moment))
        if limit.seconds_left <= 0:
            now = dt.datetime.now()
            raise ValueError(
                f"the time limit {limit.moment:%Y-%m-%d %H:%M:%S} lies in the past; it is {now:%H:%M:%S} now"
            )
        return limit

    @classmethod
    def in_seconds(cls, seconds: float) -> TimeLimit:
        """Return the limit that is so many seconds from now."""
        return cls(dt.datetime.fromtimestamp(time.time() + seconds), time.monotonic() + seconds)

    @property
    def recorded(self) -> str:
        """The moment in ISO 8601 with its distance from UTC: the same one for whoever reads it elsewhere."""
        return self.moment.astimezone().isoformat()

    @property
    def seconds_left(self) -> float:
        """Seconds until then, below 0 afterwards."""
        if self.monotonic is not None:
            return self.monotonic - time.monotonic()
        # By timestamps: summer time may begin or end between two local times.
        return self.moment.timestamp() - time.time()


@dataclass(slots=True)
class SearchClock:
    """Wall and compute time of a search over all its runs; written by the controller's thread, read by any.

    The constructor's time limit counts from the first start and stands still while the search is
    stopped; one set by `set_time_limit` does not.
    """

    settings: Settings
    wall: WallClock = field(default_factory=WallClock)
    """Replaced as a whole, so that a thread that reads it while a run ends does not count that run twice."""
    compute_done: float = 0.0
    """Minutes of all ended jobs together."""
    was_started: bool = False
    time_limit: TimeLimit | None = None
    """Replaced as a whole, so that a thread that reads it during a change sees either the old or the new limit."""
    has_own_deadline: bool = False
    active_started: dict[int, float] = field(default_factory=dict)
    """Trial number to ``time.monotonic()`` at which it began to run."""

    def begin_run(self) -> None:
        """Start the clock, and with it the constructor's time limit."""
        self.wall = self.wall.started()
        self.was_started = True
        limit = self.settings.optimization_time_limit
        if limit is not None and not self.has_own_deadline:
            self.time_limit = TimeLimit.in_seconds((limit - self.wall.minutes_before) * SECONDS_A_MINUTE)

    def end_run(self) -> None:
        """Freeze the clock."""
        if self.wall.run_started is None:
            return
        minutes = self.wall.minutes
        limit = self.settings.optimization_time_limit
        if limit is not None and not self.has_own_deadline and self.is_past_deadline:
            # The run's clock and its deadline differ by a moment: a limit that has passed must leave no time.
            minutes = max(minutes, limit)
        self.wall = WallClock(minutes)

    def set_time_limit(self, limit: TimeLimit | None) -> None:
        """Replace the constructor's limit; None: no limit."""
        self.time_limit = limit
        self.has_own_deadline = True

    @property
    def deadline(self) -> dt.datetime | None:
        """The local time at which the search has to end; None: no limit, or not started."""
        limit = self.time_limit
        return None if limit is None else limit.moment

    @property
    def elapsed(self) -> float:
        """Minutes that the search has run, over all its runs."""
        return self.wall.minutes

    @property
    def wall_left(self) -> float | None:
        """Minutes of the wall limit that another run would have; None without a limit."""
        wall = self.wall
        if self.has_own_deadline or wall.run_started is not None:
            seconds = self.seconds_to_deadline()
            return None if seconds is None else seconds / SECONDS_A_MINUTE
        limit = self.settings.optimization_time_limit
        return None if limit is None else limit - wall.minutes_before

    @property
    def compute_used(self) -> float:
        """Minutes of all jobs together, running ones included."""
        started = list(self.active_started.values())
        running = len(started) * time.monotonic() - sum(started)
        return self.compute_done + running / SECONDS_A_MINUTE

    @property
    def is_past_deadline(self) -> bool:
        """True from the deadline on, once the search was started."""
        limit = self.time_limit
        return limit is not None and self.was_started and limit.seconds_left <= 0

    def seconds_to_deadline(self) -> float | None:
        """Seconds of the wall limit that are left, None without a limit."""
        limit = self.time_limit
        return None if limit is None else limit.seconds_left

    def seconds_to_compute_limit(self) -> float | None:
        """Seconds until the running jobs will have used up the compute limit."""
        limit = self.settings.compute_time_limit
        if limit is None:
            return None
        left = (limit - self.compute_used) * SECONDS_A_MINUTE
        return left / max(1, len(self.active_started))

    def budget(self, num_ended: int, num_iterations: int) -> Budget:
        """Return the limits and what is used of them.

        Parameters
        ----------
        num_ended
            How many trials have ended that count; running ones do not count as used.
        num_iterations
            How many iterations were reported.

        Returns
        -------
        Budget
            As of now.
        """
        settings = self.settings
        wall_limit = settings.optimization_time_limit
        if self.has_own_deadline:
            left = None if self.time_limit is None else max(0.0, self.time_limit.seconds_left / SECONDS_A_MINUTE)
            # A budget's limit has to be above 0: with nothing used and nothing left, no limit is shown.
            wall_limit = None if left is None else self.elapsed + left or None
        return Budget(
            jobs=Limit(settings.total_max_jobs, num_ended),
            iterations=Limit(settings.iterations, num_iterations),
            compute_minutes=Limit(settings.compute_time_limit, self.compute_used),
            wall_minutes=Limit(wall_limit, self.elapsed),
        )
