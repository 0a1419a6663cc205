"""What a search asks of a ClearML server, by the log of the in-memory one, beside the SDK's own controller."""

from __future__ import annotations

import threading
import time
from typing import Any

import pytest

from hpo_widgets.engines.clearml.poll_thread import PollThread
from hpo_widgets.trials import TrialState
from tests.benchmarks.rows import TURNS, Samples
from tests.clearml.conftest import (  # noqa: F401 -- fixtures
    _clearml_environment,
    _sdk,
    api_client,
    clearml_api,
    clearml_settings,
    new_project,
    new_queue,
    project,
    queue,
)
from tests.clearml.fake_worker import asked, base_task, task_search, worker  # noqa: F401 -- fixtures
from tests.clearml.sdk_worker import base, controller  # noqa: F401 -- fixtures
from tests.conftest import DEADLINE
from tests.runs import wait_for

ACTIVE = 4


def test_requests(
    clearml_api: Any,  # noqa: F811 -- a fixture
    asked: Any,  # noqa: F811
    task_search: Any,  # noqa: F811
    worker: Any,  # noqa: F811
    controller: Any,  # noqa: F811
    monkeypatch: Any,
    record: Any,
) -> None:
    """Four trials are launched at once and followed: requests of a launch, and of a look at the server."""
    looks: list[int] = []
    look = PollThread.look

    have_launched = threading.Event()

    def counting(self: PollThread, followed: Any) -> None:
        have_launched.wait(DEADLINE)
        look(self, followed)
        looks.append(len(followed))

    monkeypatch.setattr(PollThread, "look", counting)
    worker.gate.clear()
    search = task_search(max_number_of_concurrent_tasks=ACTIVE, total_max_jobs=ACTIVE)
    asked.start_over()
    search.start()
    wait_for(lambda: len(worker.taken) == ACTIVE, "no job was taken", pause=0.02)
    of_a_launch = _of_a_launch(asked.in_order())
    have_launched.set()
    wait_for(lambda: search.counts[TrialState.RUNNING] == ACTIVE, "they do not run", pause=0.02)
    # Whole looks, all of which are for four trials.
    a_look = []
    for _ in range(TURNS):
        asked.start_over()
        before = len(looks)
        wait_for(lambda before=before: len(looks) > before, "nobody looks", pause=0.002)
        a_look.append(sum(asked.counts().values()) / (len(looks) - before))
    search.stop()
    worker.gate.set()
    of_sdk = _requests_of_the_sdk(clearml_api.server, controller, worker, monkeypatch)
    measured = Samples(a_look, "", f"{ACTIVE} active jobs")
    record(
        f"ClearML: requests of one poll of {ACTIVE} active jobs",
        measured,
        bar="1 for all active jobs",
        peers={"ClearML SDK's controller": Samples(of_sdk["poll"], "")},
        reached=measured.median == 1,
    )
    record(
        "ClearML: requests that launch one trial",
        f"{of_a_launch:g}",
        bar="2",
        peers={"ClearML SDK's controller": f"{of_sdk['launch']:.3g}"},
        reached=of_a_launch == 2,
    )


def _of_a_launch(endpoints: list[str]) -> float:
    """All that was asked from the first enqueue to the last, for each launch after the first: no start, no look."""
    enqueued = [place for place, name in enumerate(endpoints) if name == "tasks.enqueue"]
    assert len(enqueued) == ACTIVE, endpoints
    return (enqueued[-1] - enqueued[0]) / (ACTIVE - 1)


def _requests_of_the_sdk(server: Any, controller: Any, worker: Any, monkeypatch: Any) -> dict[str, Any]:  # noqa: F811
    """Requests of a launch, in the turn that launches all, and of each later turn of the controller."""
    from clearml.automation import RandomSearch

    turns: list[float] = []
    step = RandomSearch.process_step

    def counting(self: Any) -> Any:
        turns.append(time.monotonic())
        return step(self)

    monkeypatch.setattr(RandomSearch, "process_step", counting)

    def endpoints() -> list[str]:
        return [entry.endpoint for entry in server.log if entry.worker != worker.name]

    worker.gate.clear()
    begun = len(worker.taken)
    optimizer = controller(max_number_of_concurrent_tasks=ACTIVE, total_max_jobs=ACTIVE + 1, pool_period_min=0.01)
    before = len(endpoints())
    optimizer.start()
    wait_for(lambda: len(worker.taken) == begun + ACTIVE, "no job was taken", pause=0.02)
    of_a_launch = _of_a_launch(endpoints()[before:])
    polls = []
    for _ in range(TURNS):
        before, turn = len(endpoints()), len(turns)
        wait_for(lambda turn=turn: len(turns) > turn, "the controller stands still", pause=0.02)
        polls.append(len(endpoints()) - before)
    return {"launch": of_a_launch, "poll": polls}


@pytest.fixture(autouse=True)
def _needs_the_log(clearml_api: Any) -> None:  # noqa: F811
    if clearml_api.server is None:
        pytest.skip("another server shows no log")
