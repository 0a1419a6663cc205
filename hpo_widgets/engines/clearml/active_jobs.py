"""The active trials of an engine: what its threads know of each, when they poll next, and the events they emit."""

from __future__ import annotations

import statistics
import threading
import time
from collections import deque
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from hpo_widgets.engines.base import JobEvent, Summary
from hpo_widgets.search.limits import SECONDS_A_MINUTE
from hpo_widgets.trials import TrialState

if TYPE_CHECKING:
    import datetime as dt
    from collections.abc import Iterable, Mapping, Sequence

    from hpo_widgets.engines.base import Outcome
    from hpo_widgets.trials import TrialRow


@dataclass(slots=True, eq=False)
class ActiveJob:
    """One active trial; guarded by the lock of `ActiveJobs`."""

    number: int
    point: Mapping[str, Any]
    row: TrialRow | None = None
    task: str | None = None
    job: Any = None
    """The SDK's job, where there is one."""
    is_told: bool = False
    """Whether the controller knows its Task."""
    is_adopted: bool = False
    """An earlier process made its Task, and may have died before it enqueued or started it."""
    may_exist: bool = False
    """A request that got no answer may have made its Task."""
    may_be_sent: bool = False
    """A request that got no answer may have enqueued or started it."""
    launched: float | None = None
    """``time.monotonic()`` at which it was sent to the queue or started; None: not yet."""
    state: TrialState | None = None
    """As last seen at the server."""
    reason: str = ""
    """Why it is stopped."""
    stop_state: TrialState | None = None
    """What it counts as once it is stopped; None: nobody stops it."""
    stop_wanted: float = 0.0
    stop_tried: bool = False
    is_stop_answered: bool = False
    """Whether the server has answered a request to stop it without an error; until then it is sent again."""
    is_escalated: bool = False
    unsettled: float | None = None
    """``time.monotonic()`` at which it was first seen stopped or as a draft: it may complete or vanish just after."""
    missing: float | None = None
    """``time.monotonic()`` of the first of the looks that did not find its Task; None: the last look found it."""
    is_held: bool = False
    """Whether its Task is a draft that is sent when its turn comes: it waits in ``to_launch``, and is followed."""
    is_coming_out: bool = False
    """Whether requests that take its Task out of the queue may have had their effect."""
    withdrawn: str = ""
    """Why it is to end unless it has begun; empty: it is not."""
    is_reason_written: bool = False
    """Whether ``reason`` was written to the server again after an agent had replaced it."""
    exit_code: int | None = None
    has_begun: bool = False
    """Whether it was seen running, or may have been by an earlier process, since it last waited in the queue."""
    started: dt.datetime | None = None
    """When the run that was seen last began, by the server's clock."""
    seen: str = repr(Summary({}, -1))
    """The last summary, to tell whether anything is new."""

    @property
    def ended_as(self) -> TrialState:
        """What it counts as when its Task was stopped, whoever did it."""
        return self.stop_state if self.stop_state is not None else TrialState.ABORTED

    @property
    def is_unsettled(self) -> bool:
        """Whether the next look decides something, so that it has to come soon."""
        return self.unsettled is not None or self.missing is not None or self.stop_state is not None


class ActiveJobs:
    """What the threads of an engine share. Callers hold `changed`, but not for `take_events`, `wake` and `notice`.

    Attributes
    ----------
    changed : threading.Condition
        Its lock guards all of this and the `ActiveJob` objects; notified after each change.
    by_number : dict
        Trial's number to job; a job leaves it with its end.
    to_launch : deque
        Jobs that wait for the launcher.
    to_look_for : list
        Jobs of an earlier process that the launcher has to look for in the queues before it does anything else.
    to_take_out : deque
        Jobs that the launcher has to take out of the queue, unless they have begun.
    most : int
        Jobs that may wait in the queue and run at once.
    is_paused : bool
        Whether no job may begin.
    pace : Pace
        When to look at the server next.
    is_closed : bool
        Whether the threads have to end.
    """

    def __init__(self, pace: Pace, most: int = 1) -> None:
        self.changed = threading.Condition()
        self.by_number: dict[int, ActiveJob] = {}
        self.to_launch: deque[ActiveJob] = deque()
        self.to_look_for: list[ActiveJob] = []
        self.to_take_out: deque[ActiveJob] = deque()
        self.most = most
        self.is_paused = False
        self.pace = pace
        self.is_closed = False
        self._events: deque[JobEvent] = deque()
        self._is_woken = False

    def add(self, job: ActiveJob) -> None:
        """Take up a job."""
        self.by_number[job.number] = job
        self.changed.notify_all()

    def adopt(self, job: ActiveJob) -> None:
        """Take up a job of an earlier process."""
        self.to_look_for.append(job)
        self.add(job)
        self.pace.look_now()

    def have_launched(self, job: ActiveJob) -> None:
        """Give a job to the launcher."""
        self.to_launch.append(job)
        self.changed.notify_all()

    @property
    def may_launch(self) -> bool:
        """Whether a job is to be launched now.

        Of those that were taken out of the queue there may be more than may be in it, as that number may be changed.
        """
        return bool(self.to_launch) and not self.is_paused and len(self.by_number) - len(self.to_launch) < self.most

    def next_to_launch(self) -> ActiveJob:
        """Take the job that is launched next."""
        job = self.to_launch.popleft()
        if job.is_held:
            job.is_held, job.launched, job.may_be_sent = False, None, True
        return job

    def hold(self, jobs: Sequence[ActiveJob]) -> None:
        """Have jobs whose Tasks are drafts wait for the launcher, in the order of all that wait for it."""
        for job in jobs:
            job.is_held, job.is_coming_out = True, False
            # What was seen before does not hold any more.
            job.launched, job.state, job.unsettled = time.monotonic(), None, None
        self.to_launch = deque(sorted([*jobs, *self.to_launch], key=lambda job: job.number))
        self.changed.notify_all()

    def let_go(self, job: ActiveJob) -> None:
        """Have a job that is held wait for the launcher no more."""
        self.to_launch.remove(job)
        job.is_held = False

    def take_out(self, jobs: Iterable[ActiveJob]) -> None:
        """Have the launcher take jobs out of the queue that may still wait there."""
        self.to_take_out.extend(
            job
            for job in jobs
            if job.launched is not None and not job.is_held and job.state in {None, TrialState.QUEUED}
        )
        self.changed.notify_all()

    def emit(self, event: JobEvent) -> None:
        """Tell the controller something."""
        self._events.append(event)
        self.changed.notify_all()

    def end(self, job: ActiveJob, outcome: Outcome) -> None:
        """End a job, once.

        Parameters
        ----------
        job
            The job.
        outcome
            How it ended.
        """
        if self.by_number.pop(job.number, None) is not None:
            if job.is_held:
                self.let_go(job)
            self.emit(JobEvent("ended", job.number, outcome))

    def followed(self) -> dict[str, ActiveJob]:
        """The jobs that the poller looks at, by Task."""
        return {job.task: job for job in self.by_number.values() if job.launched is not None and job.task is not None}

    def tasks(self) -> set[str]:
        """The Tasks of all active jobs."""
        return {job.task for job in self.by_number.values() if job.task is not None}

    def notice(self, sentence: str) -> None:
        """Tell people something of the server."""
        with self.changed:
            self.emit(JobEvent("notice", -1, ("ClearML", sentence)))

    def wake(self) -> None:
        """Let `take_events` return now."""
        with self.changed:
            self._is_woken = True
            self.changed.notify_all()

    def take_events(self, timeout: float | None) -> list[JobEvent]:
        """Events since the last call; waits for one."""
        with self.changed:
            if not self._events and not self._is_woken:
                self.changed.wait(timeout)
            self._is_woken = False
            events = list(self._events)
            self._events.clear()
        return events


_SOONEST = 8.0
"""Right after news the period is ``pool_period_min`` divided by this."""
LATEST = 2.0
"""While nothing happens the period grows up to this multiple of ``pool_period_min``."""
GROWTH = 1.5
_MOST_DURATIONS = 20


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
        self._durations: deque[float] = deque(maxlen=_MOST_DURATIONS)

    @property
    def soonest(self) -> float:
        """The shortest period."""
        return self._base / _SOONEST

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
