"""The limits of a search as a person set them, and the clock that they are measured by."""

from __future__ import annotations

import datetime as dt
import time
from dataclasses import dataclass, field
from typing import NamedTuple

from hpo_widgets.search.budget import Budget, Limit

SECONDS_A_MINUTE = 60.0


@dataclass(slots=True)
class Settings:
    """What bounds a search; changed by the controller's thread only.

    All times are minutes but ``stop_grace``, which is seconds. None: no limit.
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


class WallClock(NamedTuple):
    """What wall time is reckoned from.

    Parameters
    ----------
    minutes_before
        Minutes that earlier runs took.
    run_started
        ``time.monotonic()`` of the present run's start; None: none goes on.
    """

    minutes_before: float = 0.0
    run_started: float | None = None

    @property
    def minutes(self) -> float:
        """Minutes of all runs."""
        if self.run_started is None:
            return self.minutes_before
        return self.minutes_before + (time.monotonic() - self.run_started) / SECONDS_A_MINUTE


@dataclass(slots=True)
class Clock:
    """WallClock and compute time of a search over all its runs; written by the controller's thread, read by any.

    The constructor's time limit counts from the first start and stands still while the search is
    stopped; a limit set by `set_deadline` is a moment.
    """

    settings: Settings
    wall: WallClock = field(default_factory=WallClock)
    """Replaced as a whole, so that who reads it while a run ends does not count that run twice."""
    compute_done: float = 0.0
    """Minutes of all ended jobs together."""
    was_started: bool = False
    deadline: dt.datetime | None = None
    has_own_deadline: bool = False
    active_started: dict[int, float] = field(default_factory=dict)
    """Trial number to ``time.monotonic()`` of its launch, oldest first."""

    def begin_run(self) -> None:
        """Start the clock, and with it the constructor's time limit."""
        self.wall = self.wall._replace(run_started=time.monotonic())
        self.was_started = True
        limit = self.settings.optimization_time_limit
        if limit is not None and not self.has_own_deadline:
            left = dt.timedelta(minutes=limit - self.wall.minutes_before)
            self.deadline = dt.datetime.now() + left

    def end_run(self) -> None:
        """Freeze the clock."""
        if self.wall.run_started is None:
            return
        minutes = self.wall.minutes
        limit = self.settings.optimization_time_limit
        if limit is not None and not self.has_own_deadline and self.is_past_deadline:
            # The two clocks may differ by a breath: what has passed leaves nothing.
            minutes = max(minutes, limit)
        self.wall = WallClock(minutes)

    def set_deadline(self, deadline: dt.datetime | None) -> None:
        """Have a moment of one's own as the limit; None: no limit."""
        self.deadline = deadline
        self.has_own_deadline = True

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
        deadline = self.deadline
        if deadline is None or not self.was_started:
            return False
        return dt.datetime.now() >= deadline

    def seconds_to_deadline(self) -> float | None:
        """Seconds of the wall limit that are left, None without a limit."""
        deadline = self.deadline
        return None if deadline is None else (deadline - dt.datetime.now()).total_seconds()

    def seconds_to_compute_limit(self) -> float | None:
        """Seconds until the running jobs will have used up the compute limit."""
        limit = self.settings.compute_time_limit
        if limit is None:
            return None
        left = (limit - self.compute_used) * SECONDS_A_MINUTE
        return left / max(1, len(self.active_started))

    def seconds_to_job_limit(self) -> float | None:
        """Seconds until the oldest running job has had its time."""
        limit = self.settings.time_limit_per_job
        if limit is None or not self.active_started:
            return None
        oldest = next(iter(self.active_started.values()))
        return oldest + limit * SECONDS_A_MINUTE - time.monotonic()

    def budget(self, num_launched: int, num_iterations: int) -> Budget:
        """Limits and what is used of them."""
        settings = self.settings
        wall_limit = settings.optimization_time_limit
        if self.has_own_deadline:
            wall_limit = wall_limit_until(self.deadline, self.elapsed)
        iterations = None
        if settings.total_max_jobs is not None and settings.max_iteration_per_job is not None:
            iterations = settings.total_max_jobs * settings.max_iteration_per_job
        return Budget(
            jobs=Limit(settings.total_max_jobs, num_launched),
            iterations=Limit(iterations, num_iterations),
            compute_minutes=Limit(settings.compute_time_limit, self.compute_used),
            wall_minutes=Limit(wall_limit, self.elapsed),
        )


def wall_limit_until(deadline: dt.datetime | None, elapsed: float) -> float | None:
    """Minutes that a search may take in all when it has to end at a moment; None: no limit."""
    if deadline is None:
        return None
    left = (deadline - dt.datetime.now()).total_seconds() / SECONDS_A_MINUTE
    # A budget's limit is above 0; with nothing left and nothing used there is none to speak of.
    return elapsed + max(0.0, left) or None
