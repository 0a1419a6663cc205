"""Whether the server answers: told once when it goes and once when it comes, and asked ever more seldom between."""

from __future__ import annotations

import time
from email.utils import formatdate
from types import SimpleNamespace

import pytest
from clearml import Task

from hpo_widgets import HyperParameterOptimizer, UniformParameterRange
from hpo_widgets.engines.clearml.server import (
    FIRST_WAIT,
    LONGEST_WAIT,
    Availability,
    ClearmlError,
    LazyServer,
    Server,
)


@pytest.fixture
def told():
    return []


@pytest.fixture
def availability(told):
    return Availability(told.append)


def test_waits_double_up_to_the_longest(availability):
    waits = [availability.failed(OSError("no route")) for _ in range(10)]
    assert waits[:4] == [FIRST_WAIT, 2 * FIRST_WAIT, 4 * FIRST_WAIT, 8 * FIRST_WAIT]
    assert waits[-1] == LONGEST_WAIT


def test_people_are_told_once_that_it_is_away_and_once_that_it_is_back(availability, told):
    availability.answered()
    assert told == []
    for _ in range(3):
        availability.failed(OSError("no route"))
    [away] = told
    assert away.startswith("no route; since ")
    assert "nothing is lost" in away
    availability.answered()
    availability.answered()
    assert len(told) == 2
    assert told[1].startswith("the ClearML server answers again after 0 s")


def test_the_last_that_is_told_is_what_holds(availability, told):
    class Turns:
        """The lock, after whose first release another thread has its turn at once."""

        def __init__(self, lock):
            self.lock = lock
            self.is_first = True

        def __enter__(self):
            self.lock.acquire()

        def __exit__(self, *_error):
            self.lock.release()
            if self.is_first:
                self.is_first = False
                availability.answered()

    availability._lock = Turns(availability._lock)
    availability.failed(OSError("no route"))
    assert [sentence.split(";")[0].split(" after")[0] for sentence in told] == [
        "no route",
        "the ClearML server answers again",
    ]


def test_after_an_answer_the_first_wait_is_short_again(availability):
    for _ in range(5):
        availability.failed(OSError())
    availability.answered()
    assert availability.failed(OSError()) == FIRST_WAIT


def test_an_sdk_that_is_offline_is_told_of_with_what_to_do(monkeypatch):
    monkeypatch.setattr(Task, "_offline_mode", True)
    with pytest.raises(ClearmlError, match="is offline.*unset CLEARML_OFFLINE_MODE"):
        HyperParameterOptimizer("0" * 32, [UniformParameterRange("x", 0, 1)])


class Dated(Server):
    """A server whose answers have a date."""

    def __init__(self, date):
        answer = SimpleNamespace(status_code=200, content=b'{"meta": {"result_code": 200}}', headers={"Date": date})
        self._session = SimpleNamespace(send_request=lambda *_arguments, **_keywords: answer)


@pytest.mark.parametrize("ahead", [3600, -3600, 2])
def test_how_far_the_clock_of_a_server_is_ahead_is_known_by_its_answer(ahead):
    made = Dated(formatdate(time.time() + ahead, usegmt=True))
    assert made.clock_ahead == 0
    made.call("debug.ping")
    assert made.clock_ahead == (pytest.approx(ahead, abs=5) if abs(ahead) > 5 else 0)


@pytest.mark.parametrize("date", [None, "", "noon", "Mon, 99 Foo 2026 00:00:00 GMT"])
def test_a_server_that_does_not_tell_the_time_has_that_of_this_machine(date):
    made = Dated(date)
    made.call("debug.ping")
    assert made.clock_ahead == 0


def test_a_server_that_nobody_has_signed_in_to_can_be_printed():
    assert repr(LazyServer()) == "<ClearML server of this process's configuration>"
