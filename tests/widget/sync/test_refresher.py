"""The refresher: its own thread, merged updates, acknowledgements, the end always shown."""

from __future__ import annotations

import gc
import threading
import weakref
from types import SimpleNamespace

import comm
import pytest

from hpo_widgets.search import SearchStatus
from hpo_widgets.widget import OptimizerWidget
from hpo_widgets.widget.sync.flow import MOST_UNSEEN, FlowView, cells
from hpo_widgets.widget.sync.refresher import Refresher
from tests.conftest import DEADLINE


class Recording:
    """A part that keeps what it was told."""

    def __init__(self, refresher, **keywords):
        self.told = threading.Condition()
        self.updates = []
        self.was_writing = []
        self.refresher = refresher
        refresher.add(self, **keywords)

    def refresh(self, update):
        with self.told:
            self.was_writing.append(self.refresher.is_writing)
            self.updates.append(update)
            self.told.notify_all()

    def wait_for(self, condition):
        with self.told:
            assert self.told.wait_for(condition, DEADLINE)

    @property
    def numbers(self):
        return {int(number) for update in self.updates for number in update.rows.numbers}


def answer(refresher, wire):
    """Acknowledge the last update, as the view of a page does."""
    wire.browser_sets(refresher.flow.view, seen=refresher.flow.view.sent)


@pytest.fixture
def clock(refresher):
    """The time by which updates go out, which stands still: ``clock.now``."""
    made = SimpleNamespace(now=1000.0)
    refresher._clock = refresher.flow._clock = lambda: made.now
    return made


@pytest.fixture
def refresher(wire, search):
    made = Refresher(search)
    made.flow.follow(FlowView())
    yield made
    made.close()


@pytest.fixture
def threads(search):
    """The living threads that refresh widgets of the search."""

    def living():
        return [one for one in threading.enumerate() if one.name == f"hpo-widgets-refresher-{search.id}"]

    return living


@pytest.fixture
def part(refresher):
    return Recording(refresher)


def assert_ended(threads):
    for thread in threads():
        thread.join(DEADLINE)
    assert threads() == []


def test_a_change_is_not_forgotten_that_comes_while_another_one_is_passed_on(clock, search, refresher):
    for _ in range(2):
        refresher.refresh()  # nothing is acknowledged, so that the thread waits
    thread, everybody = refresher._thread, [refresher]

    def then_more_happens():
        yield from everybody
        thread._living = lambda: everybody
        refresher.refresh()  # as by a cell
        search.add_trial(0.25)

    search.add_trial(0.5)
    thread._living = then_more_happens
    thread.pass_on_changes()
    assert thread._is_dirty or refresher.is_dirty


def test_a_part_is_shown_everything_when_it_is_added(refresher, search):
    search.add_trials([0.1, 0.2])
    late = Recording(refresher)
    assert late.numbers == {0, 1}


def test_changes_arrive_by_themselves(search, part):
    search.add_trial(0.5)
    part.wait_for(lambda: 0 in part.numbers)


def test_updates_carry_only_what_changed(search, part, refresher):
    search.add_trials([0.1] * 50)
    refresher.refresh()
    search.add_trial(0.5)
    refresher.refresh()
    rows = [update.rows.numbers.tolist() for update in part.updates if 50 in update.rows.numbers]
    assert rows == [[50]]


def test_parts_know_that_traits_are_written_outwards(part, refresher):
    refresher.refresh()
    assert all(part.was_writing)
    assert not refresher.is_writing


def test_changes_are_merged_while_nothing_is_acknowledged(clock, search, part, refresher):
    refresher.refresh()
    refresher.refresh()
    num_updates = len(part.updates)
    for value in (0.1, 0.2, 0.3):
        search.add_trial(value)
    # The first silence lasts two seconds.
    assert len(part.updates) == num_updates
    clock.now += 2.0
    refresher._thread.wake()
    part.wait_for(lambda: len(part.updates) > num_updates)
    assert part.updates[num_updates].rows.numbers.tolist() == [0, 1, 2]


def test_an_acknowledgement_lets_the_next_update_go(clock, search, part, refresher, wire):
    refresher.refresh()
    refresher.refresh()
    assert refresher.flow.seconds_until_next() > 1.0
    answer(refresher, wire)
    assert refresher.flow.seconds_until_next() < 0.2
    clock.now += 0.1
    search.add_trial(0.5)
    part.wait_for(lambda: 0 in part.numbers)


def test_without_a_browser_the_state_is_still_brought_up_to_date(search, part, refresher):
    refresher.refresh()
    search.add_trial(0.5)
    part.wait_for(lambda: 0 in part.numbers)
    search.add_trial(0.6)
    part.wait_for(lambda: 1 in part.numbers)
    assert not refresher.flow.is_acknowledged


def test_the_end_is_shown_without_waiting_for_an_acknowledgement(search, part, refresher):
    search.command("start")
    refresher.refresh()
    refresher.flow.seconds_until_next = lambda: 3600.0
    search.add_trial(0.5)
    search.set_status(SearchStatus.COMPLETED)
    part.wait_for(lambda: part.updates[-1].search.status is SearchStatus.COMPLETED and 0 in part.numbers)


@pytest.fixture
def silent(clock, refresher, wire):
    """A browser that has answered once, and to which more updates have gone since than it may leave unanswered."""
    refresher.refresh()
    answer(refresher, wire)
    refresher.refresh()
    refresher.refresh()
    clock.now += 2.0


@pytest.fixture
def drawn(refresher, silent):
    """A part that is drawn, which a silent browser keeps waiting."""
    return Recording(refresher, is_drawn=True)


@pytest.mark.parametrize("hides", [False, True], ids=["seen", "hidden"])
def test_what_is_drawn_waits_for_a_page_that_may_be_loading(clock, search, part, refresher, wire, silent, hides):
    drawn = Recording(refresher, is_drawn=True, hidden=hides)
    so_far = len(drawn.updates)
    search.command("start")
    search.add_trial(0.5)
    refresher.refresh()
    search.add_trial(0.6)
    search.set_status("completed")
    refresher.refresh()
    assert part.numbers == {0, 1}
    assert len(drawn.updates) == so_far
    # The page is there: all that was missed comes by itself, though the search has ended.
    clock.now += 1.0
    answer(refresher, wire)
    drawn.wait_for(lambda: drawn.numbers == {0, 1})


def test_what_is_kept_waits_for_no_page(search, refresher, drawn):
    search.add_trial(0.5)
    refresher.refresh(is_kept=True)
    assert drawn.numbers == {0}


def test_who_looks_in_the_kernel_waits_for_no_page(search, refresher, drawn):
    search.add_trial(0.5)
    refresher.refresh()
    assert drawn.numbers == set()
    refresher.catch_up()
    assert drawn.numbers == {0}
    search.add_trial(0.6)
    refresher.refresh(draws=True)
    assert drawn.numbers == {0, 1}


def test_a_browser_that_answers_late_is_not_taken_for_one_that_loads(clock, refresher, wire, silent):
    assert refresher.flow.may_be_loading
    view = refresher.flow.view
    for _ in range(5):
        refresher.refresh()
        clock.now += 1.0
        wire.browser_sets(view, seen=view.sent - MOST_UNSEEN)
        assert not refresher.flow.may_be_loading


def test_silence_says_nothing_while_a_cell_runs_where_no_answer_has_ever_come_meanwhile(
    clock, refresher, wire, monkeypatch, silent
):
    monkeypatch.setattr(cells, "are_running", True)
    assert not refresher.flow.may_be_loading
    answer(refresher, wire)
    for _ in range(3):
        refresher.refresh()
    clock.now += 2.0
    assert refresher.flow.may_be_loading


def test_a_part_that_is_hidden_while_it_waits_misses_nothing(search, refresher, wire, silent, drawn):
    search.add_trial(0.5)
    refresher.refresh()
    refresher.hide(drawn)
    answer(refresher, wire)
    refresher.show(drawn)
    assert drawn.numbers == {0}


def test_hidden_parts_are_made_ready_for_saving_only_where_no_browser_has_ever_answered(search, refresher, clock, wire):
    hidden = Recording(refresher, hidden=True)
    search.command("start")
    for _ in range(4):
        refresher.refresh()
    num_updates = len(hidden.updates)
    assert num_updates > 0
    answer(refresher, wire)
    for _ in range(4):
        clock.now += 100.0
        refresher.refresh()
    assert len(hidden.updates) == num_updates


def test_a_hidden_part_copies_no_trials_before_it_is_shown(refresher, search, monkeypatch):
    search.command("start")
    search.add_trial(0.5)
    taken = []
    snapshot = search.snapshot
    monkeypatch.setattr(search, "snapshot", lambda: taken.append(snapshot()) or taken[-1])
    hidden = Recording(refresher, hidden=True)
    assert not taken
    Recording(refresher)
    assert len(taken) == 1
    refresher.show(hidden)
    assert hidden.numbers == {0}


def test_hidden_parts_are_left_alone_where_a_page_has_the_cell_run(search, refresher, clock, monkeypatch):
    hidden = Recording(refresher, hidden=True)
    search.command("start")
    monkeypatch.setattr(cells, "are_run_by_page", True)
    for _ in range(4):  # the page is slow: nobody has answered yet
        refresher.settle()
        clock.now += 100.0
        refresher.refresh()
    assert hidden.updates == []
    monkeypatch.setattr(cells, "are_run_by_page", False)
    refresher.settle()
    assert len(hidden.updates) == 1


def test_a_page_that_is_connected_again_gets_the_state_of_all_that_it_shows(search, wire, show, refresh):
    search.command("start")
    search.add_trial(0.5)
    panel = show(OptimizerWidget, search)
    refresh(panel)
    head = panel._status_panel
    (drawn,) = panel.plots["History"].figures
    wire.clear()
    wire.browser_says(head, kind="connected")
    (state,) = wire.updates(head)
    assert state["status"] == "running"  # which has not changed since
    assert {drawn.figure.comm, *(mark.comm for mark in drawn.figure.marks)} <= wire.touched()


def test_questions_that_have_waited_for_a_connection_get_one_answer(clock, refresher, wire):
    for _ in range(5):
        wire.browser_says(refresher.flow.view, kind="connected")
    assert len(wire.updates(refresher.flow.view)) == 1
    clock.now += 5.0
    wire.browser_says(refresher.flow.view, kind="connected")
    assert len(wire.updates(refresher.flow.view)) == 2


def test_a_page_knows_whether_the_next_update_comes_by_itself(refresher, search):
    goes_on = []
    for status in (SearchStatus.IDLE, SearchStatus.RUNNING, SearchStatus.PAUSED, SearchStatus.STOPPED):
        search.set_status(status)
        refresher.refresh()
        goes_on.append(refresher.flow.view.goes_on)
    assert goes_on == [False, True, True, False]


@pytest.fixture
def forgotten(search, wire, show):
    """A panel of a running search whose page has answered once, and then no more for ten seconds."""
    search.command("start")
    panel = show(OptimizerWidget, search)
    refresher = panel._refresher
    now = [refresher._clock()]
    refresher._clock = refresher.flow._clock = lambda: now[0]
    refresher.refresh()
    wire.browser_sets(refresher.flow.view, seen=refresher.flow.view.sent)
    while refresher.seconds_to_wait(has_changed=True) < 60:
        now[0] += 1.0
        refresher.refresh()
    return panel


def test_a_forgotten_panel_waits_for_ever_though_trials_end(forgotten, search):
    search.add_trial(0.5)
    assert forgotten._refresher.seconds_to_wait(has_changed=True) == float("inf")


@pytest.mark.parametrize(
    "reviving",
    [
        lambda panel, wire: wire.browser_says(panel._controls, kind="none"),
        lambda panel, wire: wire.browser_sets(panel._table, page=1),
        lambda panel, wire: panel.search.command("pause"),
    ],
    ids=["a message", "a trait", "another status"],
)
def test_a_forgotten_panel_goes_on_with_a_sign_of_somebody(forgotten, wire, reviving):
    reviving(forgotten, wire)
    assert forgotten._refresher.seconds_to_wait(has_changed=True) < float("inf")


def test_after_the_end_a_page_gets_hidden_parts_one_by_one_as_it_answers(search, refresher, clock, wire, monkeypatch):
    monkeypatch.setattr(cells, "are_run_by_page", True)
    search.add_trial(0.5)
    search.command("start")
    search.set_status("completed")
    hidden = [Recording(refresher, hidden=True) for _ in range(3)]
    refresher.settle()
    assert [len(made.updates) for made in hidden] == [0, 0, 0]
    assert refresher.seconds_to_wait() is None  # nobody has seen the panel
    for count, made in enumerate(hidden, start=1):
        answer(refresher, wire)
        clock.now += 1.0
        refresher._thread.wake()
        made.wait_for(lambda made=made: made.numbers == {0})
        assert [len(one.updates) for one in hidden] == [1] * count + [0] * (3 - count)
        assert all(refresher.is_hidden(one) for one in hidden)
    with refresher.lock:  # as the last one may still be on its way
        assert refresher.seconds_to_wait() is None


def test_a_hidden_part_that_is_looked_at_has_all_at_once_and_stays_hidden(search, refresher, clock, wire):
    search.command("start")
    hidden = Recording(refresher, hidden=True)
    answer(refresher, wire)
    hidden.updates.clear()
    search.add_trial(0.5)

    def fail(_update):
        raise RuntimeError("broken")

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(hidden, "refresh", fail)
        with pytest.raises(RuntimeError, match="broken"):
            refresher.look_at(hidden)
    assert refresher.is_hidden(hidden)
    refresher.look_at(hidden)
    assert refresher.is_hidden(hidden)
    (update,) = hidden.updates
    assert update.at_once
    assert update.rows.numbers.tolist() == [0]
    clock.now += 100.0
    refresher.refresh()
    assert hidden.updates == [update]


def test_a_part_that_fails_does_not_stop_the_others(search, refresher, caplog):
    class Broken:
        calls = 0

        def refresh(self, _update):
            self.calls += 1
            if self.calls > 1:
                raise RuntimeError("broken")

    refresher.add(Broken())
    healthy = Recording(refresher)
    search.add_trial(0.5)
    refresher.refresh()
    healthy.wait_for(lambda: 0 in healthy.numbers)
    assert "Broken could not be drawn" in caplog.text


@pytest.mark.parametrize("has_ended", [False, True])
def test_a_part_that_failed_is_told_all_trials_again_by_itself(search, refresher, part, monkeypatch, has_ended):
    search.add_trial(0.5)
    part.wait_for(lambda: 0 in part.numbers)
    refresh, failed = part.refresh, []

    def fail_once(update):
        if not failed:
            failed.append(update)
            raise RuntimeError("broken")
        refresh(update)

    monkeypatch.setattr(part, "refresh", fail_once)
    search.add_trial(0.25)
    if has_ended:
        search.set_status(SearchStatus.COMPLETED)
    part.wait_for(lambda: 1 in part.numbers)
    [anew] = [update.rows for update in part.updates if 1 in update.rows.numbers][:1]
    assert (anew.is_anew, anew.numbers.tolist()) == (True, [0, 1])


@pytest.mark.parametrize("shows", ["show", "show_anew"])
@pytest.mark.parametrize("again", ["a change", "a second look"])
def test_a_part_that_failed_when_it_was_first_seen_shows_all_trials_later(search, refresher, clock, shows, again):
    search.add_trials([0.5, 0.25])
    part = Recording(refresher, hidden=True)
    refresh, is_broken = part.refresh, True

    def fail_first(update):
        if is_broken:
            raise RuntimeError("broken")
        refresh(update)

    part.refresh = fail_first
    with refresher.lock:  # before the thread tries again
        refresher.show(part)
        if shows == "show_anew":
            refresher.show_anew(part)
        is_broken = False
        if again == "a change":
            search.add_trial(0.125)
            refresher.refresh()
        else:
            refresher.hide(part)
            refresher.show(part)
        (rows,) = [update.rows for update in part.updates]
    assert rows.is_anew
    assert rows.numbers.tolist() == search.snapshot().numbers.tolist()


def test_what_could_not_be_drawn_is_said_once_in_a_row(search, refresher, caplog):
    search.add_trial(0.5)
    part = Recording(refresher, hidden=True)

    def fail(_update):
        raise ZeroDivisionError("float division by zero")

    part.refresh = fail
    refresher.show(part)
    for _ in range(5):
        refresher.refresh()
    sentence = "Recording could not be drawn: ZeroDivisionError: float division by zero"
    assert [notice.sentence for notice in refresher.notices] == [sentence]
    assert caplog.records[0].exc_info


def test_a_part_that_fails_each_time_is_left_alone_until_the_search_changes(refresher, search, caplog):
    class Broken:
        calls = 0

        def refresh(self, _update):
            self.calls += 1
            if self.calls > 1:
                raise RuntimeError("broken")

    broken = Broken()
    refresher.add(broken)
    search.set_status(SearchStatus.COMPLETED)
    refresher.refresh()
    for _ in range(10):
        refresher.catch_up()
    assert broken.calls <= 1 + 3 + 1
    assert not refresher.is_dirty


def test_closing_under_the_lock_does_not_wait_for_a_thread_that_wants_it(search, refresher, threads, monkeypatch):
    wants_the_lock = threading.Event()
    refresh = refresher.refresh

    def wanting():
        wants_the_lock.set()
        refresh()

    def close():
        # As an observer of a trait does that is set under the lock.
        with refresher.lock:
            monkeypatch.setattr(refresher, "refresh", wanting)
            search.add_trial(0.5)
            assert wants_the_lock.wait(DEADLINE)
            refresher.close()

    closer = threading.Thread(target=close, daemon=True)
    closer.start()
    closer.join(DEADLINE)
    assert not closer.is_alive()
    assert_ended(threads)


def test_closing_from_its_own_thread_does_not_hang(search, refresher, threads):
    class Closing:
        calls = 0

        def refresh(self, _update):
            self.calls += 1
            if self.calls > 1:
                refresher.close()

    refresher.add(Closing())
    search.add_trial(0.5)
    assert_ended(threads)


def test_all_refreshers_of_a_search_share_a_thread_which_ends_with_the_last(search, refresher, threads):
    others = [Refresher(search) for _ in range(20)]
    assert len(threads()) == 1
    for other in others:
        other.close()
    assert len(threads()) == 1
    refresher.close()
    assert threads() == []


def test_a_search_has_a_thread_again_after_all_were_closed(search, refresher, threads):
    refresher.close()
    later = Refresher(search)
    assert len(threads()) == 1
    recording = Recording(later)
    search.add_trial(0.5)
    recording.wait_for(lambda: 0 in recording.numbers)
    later.close()


def test_each_kernel_of_a_process_has_a_thread_of_its_own_for_a_search(search, refresher, threads, monkeypatch):
    first = threads()
    with monkeypatch.context() as another_kernel:  # as in another page of Solara
        another_kernel.setattr(comm, "get_comm_manager", object)
        other = Refresher(search)
    second = Recording(other)
    search.add_trial(0.5)
    second.wait_for(lambda: 0 in second.numbers)
    assert len(threads()) == 2
    other.close()
    assert threads() == first


def test_every_refresher_of_a_search_hears_of_every_change(search, refresher, part):
    other = Refresher(search)
    second = Recording(other)
    # What one has seen is news to the other all the same.
    search.add_trial(0.5)
    refresher.refresh()
    second.wait_for(lambda: 0 in second.numbers)
    part.wait_for(lambda: 0 in part.numbers)
    other.close()


def test_a_refresher_that_nobody_holds_is_freed(search, refresher):
    forgotten = weakref.ref(Refresher(search))
    gc.collect()
    assert forgotten() is None


def test_catching_up_sends_nothing_unless_the_search_has_changed(refresh, refresher, search, part):
    refresher.refresh()
    so_far = len(part.updates)
    refresher.catch_up()
    assert len(part.updates) == so_far
    search.add_trial(0.5)
    refresher.catch_up()
    assert 0 in part.numbers


def test_what_is_kept_is_said_to_every_part_hidden_ones_too(search, refresher):
    class Keeping:
        def __init__(self):
            self.at_once = []

        def refresh(self, update):
            self.at_once.append(update.at_once)

    search.command("start")
    seen, hidden = Keeping(), Keeping()
    refresher.add(seen)
    refresher.add(hidden, hidden=True)
    refresher.refresh()
    refresher.refresh(is_kept=True)
    assert (seen.at_once[-2:], hidden.at_once[-1:]) == ([False, True], [True])
    search.set_status("completed")
    refresher.refresh()
    assert seen.at_once[-1] is True
