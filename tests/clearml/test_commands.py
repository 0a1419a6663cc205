"""Start in the panel while the ClearML server is slow or away: nobody waits for it, and what goes wrong is said."""

from __future__ import annotations

import asyncio
import threading
from concurrent import futures

import pytest

from hpo_widgets import OptimizerWidget
from hpo_widgets.engines.clearml import server
from hpo_widgets.search import SearchStatus
from hpo_widgets.trials import TrialState
from tests.runs import wait_for


def press_start(panel):
    panel._controls._handle_custom_msg({"kind": "command", "name": "start"}, [])


def start_threads():
    return [thread for thread in threading.enumerate() if thread.name == "hpo_widgets start"]


def test_start_in_a_panel_says_that_the_server_is_away(way, task_search, worker):
    worker.gate.clear()  # it is still running when somebody looks
    made = task_search()
    panel = OptimizerWidget(made)
    way.down()
    press_start(panel)
    wait_for(lambda: made.errors, "nothing is said of the server that is away")
    [notice] = made.errors
    assert notice.source == "command"
    assert notice.sentence.startswith("start: ")
    assert "does not answer" in notice.sentence
    with pytest.raises(server.ClearmlError):
        made.start()
    wait_for(lambda: not start_threads(), "the thread of the start is still there")
    way.up()
    press_start(panel)
    wait_for(made.is_running, "the search did not start once the server was back")
    wait_for(lambda: not made.errors, "what the failed start said is still there")
    made.stop()
    panel.close()


def test_a_start_by_command_does_not_wait_for_a_slow_server(way, task_search, worker, until):
    worker.gate.clear()
    made = task_search()
    seen = []
    unsubscribe = made.subscribe(lambda: seen.append(made.capabilities["start"]))
    way.gate.clear()
    made.command("start")
    wait_for(lambda: way.num_held == 1, "the server is not asked for the queue")
    assert seen == ["the search is starting"]
    made.command("start")
    assert [notice.sentence for notice in made.errors] == ["start did nothing: the search is starting"]
    way.gate.set()
    until(made, made.is_running)
    wait_for(lambda: not start_threads(), "the thread of the start is still there")
    worker.gate.set()
    assert made.wait(1)
    assert made.capabilities["start"] != "the search is starting"
    unsubscribe()


def test_who_waits_for_the_end_waits_for_a_start_that_waits_for_the_server(way, task_search, worker):
    made = task_search()
    way.gate.clear()
    made.command("start")
    wait_for(lambda: way.num_held == 1, "the server is not asked for the queue")
    assert made.wait(0.0001) is False
    assert asyncio.run(made.wait_async(0.0001)) is False
    with futures.ThreadPoolExecutor() as pool:
        waiting = pool.submit(made.wait, 1)
        way.gate.set()
        assert waiting.result() is True
    assert made.counts[TrialState.COMPLETED] == 3


def test_a_start_that_is_taken_back_is_not_waited_for(way, task_search):
    made = task_search()
    way.gate.clear()
    made.command("start")
    wait_for(lambda: way.num_held == 1, "the server is not asked for the queue")
    made.stop()
    assert made.wait(1) is True
    assert start_threads()
    way.gate.set()


@pytest.mark.parametrize("is_kept_waiting", [True, False], ids=["slow", "away"])
def test_a_stop_while_a_start_waits_for_the_server_takes_the_start_back(way, task_search, worker, is_kept_waiting):
    made = task_search()
    way.gate.clear()
    made.command("start")
    wait_for(lambda: way.num_held == 1, "the server is not asked for the queue")
    assert made.capabilities["stop"] is None
    made.command("stop")
    assert (made.capabilities["start"], made.capabilities["stop"]) == (None, "the search is not running")
    if not is_kept_waiting:
        way.down()
    way.gate.set()
    wait_for(lambda: not start_threads(), "the thread of the start is still there")
    assert not made.is_running()
    assert (made.status, len(made.snapshot()), worker.taken) == (SearchStatus.IDLE, 0, [])
    assert not made.journal_path.exists()


def test_a_start_by_method_that_a_stop_takes_back_says_so_and_the_next_one_begins(way, task_search, worker):
    worker.gate.clear()
    made = task_search()
    way.gate.clear()
    said = []
    first = threading.Thread(target=lambda: said.append(made.start()))
    first.start()
    wait_for(lambda: way.num_held == 1, "the server is not asked for the queue")
    made.stop()
    made.command("start")
    way.gate.set()
    first.join()
    assert said == [False]
    wait_for(made.is_running, "the start after the stop was taken back, too")
    worker.gate.set()
    assert made.wait(1)
    assert made.counts[TrialState.COMPLETED] == 3
    assert made.errors == []


def test_a_start_by_method_while_another_is_on_its_way_starts_once(way, task_search):
    made = task_search()
    begun = []
    template = made._definition.template
    way.gate.clear()
    made.command("start")
    wait_for(lambda: way.num_held == 1, "the server is not asked for the queue")
    original, template.started = template.started, lambda source: (begun.append(source), original(source))
    second = threading.Thread(target=made.start)
    second.start()
    way.gate.set()
    second.join()
    assert made.wait(1)
    assert len(begun) == 1
