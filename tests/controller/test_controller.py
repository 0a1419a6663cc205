"""Commands that wait for the thread that owns a search."""

from __future__ import annotations

import pytest

from hpo_widgets.controller.controller import Inbox


def test_commands_run_one_at_a_time_in_their_order():
    inbox, done = Inbox(), []
    first, second = inbox.put(lambda: done.append(1)), inbox.put(lambda: done.append(2))
    assert inbox.run_next()
    assert (done, first.done(), second.done(), len(inbox)) == ([1], True, False, 1)
    assert inbox.run_next()
    assert (done, second.done()) == ([1, 2], True)
    assert not inbox.run_next()


def test_a_result_and_an_error_reach_the_one_who_asked():
    inbox = Inbox()

    def ask(function):
        future = inbox.put(function)
        inbox.run_next()
        return future

    assert ask(lambda: 3).result(0) == 3
    with pytest.raises(ZeroDivisionError):
        ask(lambda: 1 // 0).result(0)


def test_a_command_that_fails_does_not_keep_the_next_from_running():
    inbox = Inbox()
    inbox.put(lambda: 1 // 0)
    following = inbox.put(lambda: "done")
    while inbox.run_next():
        pass
    assert following.result(0) == "done"
