"""Where points come from: a strategy asked here, or by a thread of its own for workers that are free."""

from __future__ import annotations

import threading
import time

import pytest

from hpo_widgets.controller.constraint import Constraint
from hpo_widgets.controller.proposals import (
    LONG_SEARCH_SECONDS,
    MAX_DUPLICATES_IN_A_ROW,
    DistinctSampler,
    InlineProposals,
    ThreadedProposals,
)
from hpo_widgets.journal import JournalBusy
from hpo_widgets.objectives import make_objectives
from hpo_widgets.parameters import UniformIntegerParameterRange
from hpo_widgets.space import Space
from hpo_widgets.strategies.base import Observation, Proposal, SearchStrategy
from hpo_widgets.trials import TrialState

DEADLINE = 60.0
OBJECTIVES = make_objectives("a", "b", "min")
SPACE = Space([UniformIntegerParameterRange("n", 0, 10_000)])


class Counting(SearchStrategy):
    """Proposes the numbers it was given, or counts without end; keeps what it was told and by which thread."""

    def __init__(self, numbers=None, *, seed=None):
        super().__init__(seed=seed)
        self.numbers = numbers
        self.calls = []
        self.threads = set()
        self.num_asked = 0
        self.broken = None

    def note(self, *call):
        self.calls.append(call)
        self.threads.add(threading.current_thread())

    def named(self, name):
        return [call[1:] for call in self.calls if call[0] == name]

    def begin(self, space, objectives, epoch, history, draws):
        super().begin(space, objectives, epoch, history, draws)
        self.note("begin", epoch, draws)

    def ask(self):
        self.num_asked += 1
        self.note("ask")
        if self.broken is not None:
            raise self.broken
        if self.numbers is None:
            return Proposal({"n": self.num_asked - 1}, self.num_asked - 1)
        return Proposal({"n": self.numbers.pop(0)}) if self.numbers else None

    def launched(self, proposal, number):
        self.note("launched", proposal.point["n"], number)

    def dropped(self, proposal):
        self.note("dropped", proposal.point["n"])

    def report(self, number, iteration, value):
        self.note("report", number, iteration, value)
        return value > 1

    def tell(self, observation):
        self.note("tell", observation.number)


class Thinking(Counting):
    """The same on a thread of its own; a thought takes until ``may_answer`` is set."""

    is_model_based = True

    def __init__(self, numbers=None, *, seed=None):
        super().__init__(numbers, seed=seed)
        self.may_answer = threading.Event()
        self.may_answer.set()
        self.is_asked = threading.Event()

    def ask(self):
        proposal = super().ask()
        self.is_asked.set()
        assert self.may_answer.wait(DEADLINE)
        return proposal


class Controller:
    """The part of a controller that a `Proposals` sees."""

    def __init__(self):
        self.seen = set()
        self.num_free = 2
        self.num_left = None
        self.woken = threading.Event()
        self.lock = threading.Lock()
        self.made = []
        self.past_curves = lambda numbers: {}
        self.told = []
        self.seconds_passed = 0.0

    def proposals(self, strategy, *, allow_duplicates=False, begin=True, constraint=None):
        sampler = DistinctSampler(
            strategy, OBJECTIVES, self.seen, allow_duplicates=allow_duplicates, constraint=constraint
        )
        is_threaded = strategy.is_model_based or constraint is not None
        made = self.threaded(sampler) if is_threaded else InlineProposals(sampler)
        self.made.append(made)
        if begin:
            made.begin(SPACE, 0, [], 0)
        return made

    def threaded(self, sampler, may_hold=True, **keywords):
        return ThreadedProposals(
            sampler,
            may_hold=lambda: may_hold,
            wake=self.woken.set,
            lock=self.lock,
            curves=self.past_curves,
            tell=self.told.append,
            **{"clock": lambda: time.monotonic() + self.seconds_passed, **keywords},
        )

    def run(self, sampled):
        """Take a point as launched: from now on it is a duplicate."""
        proposal, encoded = sampled
        self.seen.add(tuple(encoded))
        return proposal.point["n"]

    def next(self, proposals):
        """Wait for the next point, as the controller does: it asks, and looks again whenever it is woken."""
        while True:
            sampled = proposals.next()
            if sampled is not None or proposals.is_exhausted or proposals.error is not None:
                return sampled
            proposals.ask(self.num_free, self.num_left)
            assert self.woken.wait(DEADLINE)
            self.woken.clear()


def settled(proposals):
    """Wait until the thread has answered every question that was put so far."""
    if isinstance(proposals, ThreadedProposals):
        answered = threading.Event()
        proposals._put(answered.set)
        assert answered.wait(DEADLINE)


def reported(proposals, strategy, count):
    """Wait until the strategy has taken up so many reports: they come after all questions."""
    while len(strategy.named("report")) < count:
        settled(proposals)
    settled(proposals)


@pytest.fixture
def controller():
    made = Controller()
    yield made
    for proposals in made.made:
        proposals.close()


both = pytest.mark.parametrize("strategy_class", [Counting, Thinking])


def observation(number):
    return Observation(number, {"n": number}, TrialState.COMPLETED, (1.0,), (0,))


# Both ways of asking ----------------------------------------------------------------------------------------------


def test_a_model_is_asked_on_a_thread_of_its_own_and_a_sampler_here(controller):
    for strategy, is_here in ((Counting(), True), (Thinking(), False)):
        proposals = controller.proposals(strategy)
        controller.next(proposals)
        proposals.launched(Proposal({"n": 0}), 0)
        proposals.tell(observation(0))
        proposals.report(0, 1, 0.5)
        settled(proposals)
        assert len(strategy.threads) == 1
        assert (threading.current_thread() in strategy.threads) is is_here


@both
def test_points_come_with_their_encoded_form_in_the_strategys_order(controller, strategy_class):
    proposals = controller.proposals(strategy_class())
    sampled = [controller.next(proposals) for _ in range(5)]
    assert [proposal.point for proposal, _ in sampled] == [{"n": n} for n in range(5)]
    assert [encoded for _, encoded in sampled] == [SPACE.encode({"n": n}) for n in range(5)]
    assert [proposal.draw for proposal, _ in sampled] == list(range(5))


def test_before_the_first_space_there_is_no_point(controller):
    assert controller.proposals(Counting(), begin=False).next() is None


@both
def test_the_strategy_hears_of_launches_reports_and_ends_in_order(controller, strategy_class):
    strategy = strategy_class(numbers=[5])
    proposals = controller.proposals(strategy)
    proposal, _ = controller.next(proposals)
    proposals.launched(proposal, 0)
    proposals.report(0, 3, 0.5)
    proposals.tell(observation(0))
    settled(proposals)
    assert [call for call in strategy.calls if call[0] != "ask"] == [
        ("begin", 0, 0),
        ("launched", 5, 0),
        ("report", 0, 3, 0.5),
        ("tell", 0),
    ]


@both
def test_what_the_pruner_gives_up_is_taken_once(controller, strategy_class):
    strategy = strategy_class()
    proposals = controller.proposals(strategy)
    for number, value in ((0, 0.5), (1, 1.5), (2, 2.5)):
        proposals.report(number, 0, value)
    reported(proposals, strategy, 3)
    assert proposals.take_prunes() == [1, 2]
    assert proposals.take_prunes() == []


@both
def test_duplicates_are_dropped_and_the_strategy_is_told(controller, strategy_class):
    strategy = strategy_class(numbers=[1, 2, 3])
    controller.seen = {tuple(SPACE.encode({"n": n})) for n in (1, 2)}
    assert controller.run(controller.next(controller.proposals(strategy))) == 3
    assert strategy.named("dropped") == [(1,), (2,)]


@both
def test_the_strategy_can_ask_what_was_tried(controller, strategy_class):
    strategy = strategy_class()
    controller.seen = {tuple(SPACE.encode({"n": 4}))}
    proposals = controller.proposals(strategy)
    controller.next(proposals)
    assert strategy.seen({"n": 4})
    assert not strategy.seen({"n": 5})


@both
def test_allowed_duplicates_are_run_again(controller, strategy_class):
    strategy = strategy_class(numbers=[1, 1, 1])
    proposals = controller.proposals(strategy, allow_duplicates=True)
    assert [controller.run(controller.next(proposals)) for _ in range(3)] == [1, 1, 1]
    assert strategy.named("dropped") == []
    assert not strategy.seen({"n": 1})


@both
def test_a_strategy_with_nothing_more_is_exhausted_until_the_space_changes(controller, strategy_class):
    strategy = strategy_class(numbers=[1])
    proposals = controller.proposals(strategy)
    assert controller.run(controller.next(proposals)) == 1
    assert controller.next(proposals) is None
    assert proposals.is_exhausted
    settled(proposals)  # it may have been asked for the other worker before it said so
    asked = strategy.num_asked
    assert proposals.next() is None
    proposals.ask(2, None)
    settled(proposals)
    assert strategy.num_asked == asked
    strategy.numbers.append(2)
    proposals.begin(SPACE, 1, [], 0)
    assert not proposals.is_exhausted
    assert controller.run(controller.next(proposals)) == 2


@both
def test_a_strategy_that_only_repeats_itself_is_exhausted(controller, strategy_class):
    strategy = strategy_class(numbers=[1] * (2 * MAX_DUPLICATES_IN_A_ROW))
    controller.num_free = 1
    controller.seen.add(tuple(SPACE.encode({"n": 1})))
    proposals = controller.proposals(strategy)
    assert controller.next(proposals) is None
    assert proposals.is_exhausted
    assert strategy.num_asked == MAX_DUPLICATES_IN_A_ROW


@both
def test_what_a_strategy_raises_is_kept_and_it_is_asked_no_more(controller, strategy_class):
    strategy = strategy_class()
    strategy.broken = ZeroDivisionError("of nothing")
    proposals = controller.proposals(strategy)
    assert controller.next(proposals) is None
    assert proposals.error is strategy.broken
    settled(proposals)
    asked = strategy.num_asked
    assert proposals.next() is None
    proposals.ask(2, None)
    settled(proposals)
    assert strategy.num_asked == asked
    assert not proposals.is_exhausted


@pytest.mark.parametrize("method", ["begin", "launched", "report", "tell"])
@both
def test_any_method_of_a_strategy_may_raise(controller, strategy_class, method):
    error = LookupError(method)

    def broken(*_arguments):
        raise error

    broken_class = type("Broken", (strategy_class,), {method: broken})
    proposals = controller.proposals(broken_class())
    proposals.launched(Proposal({"n": 0}), 0)
    proposals.report(0, 0, 1.0)
    proposals.tell(observation(0))
    settled(proposals)
    assert proposals.error is error


@both
def test_a_point_outside_the_space_is_an_error_that_shows_it(controller, strategy_class):
    proposals = controller.proposals(strategy_class(numbers=[20_000]))
    assert controller.next(proposals) is None
    assert type(proposals.error) is ValueError
    assert "{'n': 20000}, which is not a point of the present space" in str(proposals.error)


# Inline -----------------------------------------------------------------------------------------------------------


def test_a_sampler_is_never_asked_ahead(controller):
    strategy = Counting()
    proposals = controller.proposals(strategy)
    assert strategy.num_asked == 0
    for number in range(3):
        proposals.next()
        assert strategy.num_asked == number + 1


def test_a_sampler_that_does_not_listen_is_told_nothing(controller):
    class Deaf(SearchStrategy):
        def ask(self):
            return Proposal({"n": 1})

    assert not controller.proposals(Deaf()).wants_observations
    assert controller.proposals(Counting()).wants_observations


# On a thread of its own -------------------------------------------------------------------------------------------


@both
def test_points_that_were_given_back_come_again_first_and_in_their_order(controller, strategy_class):
    made = controller.proposals(strategy_class())
    given = [controller.next(made) for _ in range(3)]
    made.give_back(given[1:])
    assert [controller.run(controller.next(made)) for _ in range(3)] == [1, 2, 3]


@both
def test_a_point_that_was_given_back_and_launched_since_is_dropped(controller, strategy_class):
    strategy = strategy_class()
    made = controller.proposals(strategy)
    given = [controller.next(made) for _ in range(2)]
    made.give_back(given)
    controller.run(given[0])  # a person has enqueued it
    assert controller.next(made) == given[1]
    settled(made)
    assert strategy.named("dropped") == [(0,)]


@both
def test_points_that_were_given_back_are_forgotten_with_their_epoch(controller, strategy_class):
    made = controller.proposals(strategy_class())
    made.give_back([controller.next(made)])
    made.begin(SPACE, 1, [], 0)
    assert controller.run(controller.next(made)) > 0


def test_what_was_given_back_comes_also_when_the_strategy_has_no_more(controller):
    made = controller.proposals(Counting([5]))
    given = controller.next(made)
    assert controller.next(made) is None
    made.give_back([given])
    assert controller.next(made) == given


def test_what_was_given_back_comes_also_when_the_strategy_has_raised_since(controller):
    strategy = Counting()
    made = controller.proposals(strategy)
    given = controller.next(made)
    strategy.broken = StopIteration("the list is at its end")
    assert made.next() is None
    assert made.error is strategy.broken
    made.give_back([given])
    assert made.next() == given
    assert made.next() is None


def test_points_are_asked_for_free_workers_only_and_none_is_held(controller):
    strategy = Thinking()
    proposals = controller.proposals(strategy)
    proposals.ask(0, None)
    settled(proposals)
    assert strategy.num_asked == 0
    proposals.ask(3, None)
    proposals.ask(3, None)  # the controller asks at each turn: what is asked already is not asked again
    settled(proposals)
    proposals.ask(3, None)
    settled(proposals)
    assert strategy.num_asked == 3
    for number in range(3):
        proposals.launched(controller.next(proposals)[0], number)
    proposals.ask(0, None)
    settled(proposals)
    assert strategy.num_asked == 3


def test_nothing_is_asked_until_every_end_of_a_batch_was_told(controller):
    strategy = Thinking()
    proposals = controller.proposals(strategy)
    for number in range(2):
        proposals.launched(controller.next(proposals)[0], number)
    for number in range(2):
        proposals.tell(observation(number))
    settled(proposals)
    assert strategy.num_asked == 2
    proposals.ask(2, None)
    settled(proposals)
    order = [call[0] for call in strategy.calls]
    assert order == ["begin", "ask", "ask", "launched", "launched", "tell", "tell", "ask", "ask"]


def test_never_more_points_are_asked_than_trials_are_left(controller):
    strategy = Thinking()
    proposals = controller.proposals(strategy)
    proposals.ask(5, 2)
    settled(proposals)
    assert strategy.num_asked == 2
    proposals.launched(controller.next(proposals)[0], 0)
    proposals.ask(4, 1)
    settled(proposals)
    assert strategy.num_asked == 2
    proposals.launched(controller.next(proposals)[0], 1)
    proposals.ask(3, 0)
    settled(proposals)
    assert strategy.num_asked == 2


class Timed:
    """Trials and asks of a threaded strategy that take the seconds that a test says."""

    def __init__(self, controller, *, ask_seconds, may_hold=True, history=()):
        self.now = 0.0
        self.strategy = Thinking()
        make = self.strategy.ask

        def ask():
            self.now += ask_seconds
            return make()

        self.strategy.ask = ask
        sampler = DistinctSampler(self.strategy, OBJECTIVES, controller.seen, allow_duplicates=False)
        self.proposals = controller.threaded(sampler, may_hold, clock=lambda: self.now)
        controller.made.append(self.proposals)
        self.proposals.begin(SPACE, 0, history, 0)
        for number in range(4):
            self.launch(controller, number)
            self.now += 1.0
            self.proposals.tell(observation(number))
        self.launch(controller, 4)

    def launch(self, controller, number):
        self.proposals.ask(1, None)
        settled(self.proposals)
        self.proposals.launched(controller.next(self.proposals)[0], number)

    def num_held(self):
        """Ask with no worker free; returns how many points that were asked before."""
        before = self.strategy.num_asked
        self.proposals.ask(0, None)
        settled(self.proposals)
        return self.strategy.num_asked - before


def test_a_slow_model_is_asked_for_one_point_just_before_the_next_worker_is_free(controller):
    timed = Timed(controller, ask_seconds=0.25)
    launched = timed.now
    assert timed.num_held() == 0
    assert timed.proposals.next_ask == launched + 1.0 - 0.25
    timed.now = timed.proposals.next_ask
    assert timed.num_held() == 1
    assert timed.num_held() == 0
    assert timed.proposals.next_ask is None
    assert timed.proposals.next() is not None
    assert timed.strategy.num_asked == 6


def test_trials_that_end_one_soon_after_the_other_each_find_a_point(controller):
    timed = Timed(controller, ask_seconds=0.25)
    timed.now += 1.0
    timed.proposals.tell(observation(4))
    timed.proposals.ask(2, None)
    settled(timed.proposals)
    began = timed.now
    for number in (5, 6):
        timed.proposals.launched(controller.next(timed.proposals)[0], number)
    for due in (began + 0.5, began + 0.75):
        assert timed.num_held() == 0
        assert timed.proposals.next_ask == due
        timed.now = due
        assert timed.num_held() == 1
        timed.now = due
    assert timed.num_held() == 0
    assert timed.proposals.next_ask is None


@pytest.mark.parametrize(("ask_seconds", "may_hold"), [(0.125, True), (0.25, False)])
def test_a_fast_model_and_a_repeatable_search_hold_no_point(controller, ask_seconds, may_hold):
    timed = Timed(controller, ask_seconds=ask_seconds, may_hold=may_hold)
    timed.now += 100.0
    assert timed.num_held() == 0
    assert timed.proposals.next_ask is None


@pytest.mark.parametrize(("ask_seconds", "num_held"), [(0.015625, 1), (0.0078125, 0)])
def test_after_many_trials_a_model_that_is_a_little_slow_is_asked_one_point_ahead(controller, ask_seconds, num_held):
    history = [observation(number) for number in range(1000)]
    timed = Timed(controller, ask_seconds=ask_seconds, history=history)
    timed.now += 100.0
    assert timed.num_held() == num_held


def test_a_slow_model_holds_no_point_for_a_trial_that_is_not_left(controller):
    timed = Timed(controller, ask_seconds=0.25)
    timed.now += 100.0
    timed.proposals.ask(0, 0)
    settled(timed.proposals)
    assert timed.strategy.num_asked == 5


def test_a_model_is_told_what_has_ended_before_it_is_asked_for_workers_that_wait(controller):
    strategy = Thinking()
    strategy.may_answer.clear()
    proposals = controller.proposals(strategy)
    proposals.ask(3, None)
    assert strategy.is_asked.wait(DEADLINE)
    proposals.tell(observation(9))
    strategy.may_answer.set()
    settled(proposals)
    assert strategy.calls == [("begin", 0, 0), ("ask",), ("tell", 9), ("ask",), ("ask",)]


def test_asks_and_ends_go_before_reports_of_which_the_pruner_is_asked_about_the_newest(controller):
    strategy = Thinking()
    strategy.may_answer.clear()
    proposals = controller.proposals(strategy)
    proposals.ask(1, None)
    assert strategy.is_asked.wait(DEADLINE)
    for iteration in range(100):
        proposals.report(7, iteration, 0.5)
        proposals.report(8, iteration, 0.5)
    proposals.tell(observation(9))
    proposals.ask(2, None)
    strategy.may_answer.set()
    while len(strategy.named("report")) < 2:
        settled(proposals)
    assert strategy.calls == [
        ("begin", 0, 0),
        ("ask",),
        ("tell", 9),
        ("ask",),
        ("report", 7, 99, 0.5),
        ("report", 8, 99, 0.5),
    ]


def test_a_strategy_that_wants_them_gets_all_reports_and_those_of_a_trial_before_its_end(controller):
    class Learning(Thinking):
        def report_many(self, number, reports):
            self.note("reports", number, list(reports))
            return False

    strategy = Learning()
    strategy.may_answer.clear()
    proposals = controller.proposals(strategy)
    proposals.ask(1, None)
    assert strategy.is_asked.wait(DEADLINE)
    for iteration in range(3):
        proposals.report(7, iteration, 0.5)
    proposals.tell(observation(7))
    strategy.may_answer.set()
    settled(proposals)
    assert strategy.calls[2:] == [("reports", 7, [(0, 0.5), (1, 0.5), (2, 0.5)]), ("tell", 7)]


class History(list):
    """Trials that have ended, as a journal that may fail has them; notes which threads look."""

    def __init__(self, errors=()):
        super().__init__([observation(0)])
        self.errors = list(errors)
        self.threads = set()

    def __len__(self):
        self.threads.add(threading.current_thread().name)
        if self.errors:
            raise self.errors.pop(0)
        return super().__len__()


def test_the_history_is_read_on_the_strategys_thread(controller):
    proposals = controller.proposals(Thinking())
    history = History()
    proposals.begin(SPACE, 1, history, 0)
    settled(proposals)
    assert history.threads == {"hpo_widgets strategy"}


def test_where_the_history_cannot_be_read_no_point_of_the_earlier_space_is_run(controller):
    strategy = Thinking()
    proposals = controller.proposals(strategy)
    error = OSError("unable to open database file")
    proposals.begin(SPACE.with_ranges({"n": (5000, 6000)}), 1, History([error]), 0)
    assert controller.next(proposals) is None
    assert proposals.error is error


def test_a_lock_on_the_journal_is_waited_for_before_a_new_space_begins(controller):
    strategy = Thinking(numbers=[5500])
    proposals = controller.proposals(strategy)
    settled(proposals)
    proposals.begin(SPACE.with_ranges({"n": (5000, 6000)}), 1, History([JournalBusy("locked")]), 0)
    assert controller.run(controller.next(proposals)) == 5500
    assert strategy.named("begin") == [(0, 0), (1, 0)]


class Reading(Counting):
    """Reads its history where it begins, on the controller's thread."""

    def begin(self, space, objectives, epoch, history, draws):
        len(history)
        super().begin(space, objectives, epoch, history, draws)


def test_on_the_controllers_thread_a_lock_keeps_all_until_it_is_gone_and_each_is_told_in_order(controller):
    strategy = Reading(numbers=[5500])
    proposals = controller.proposals(strategy)
    history = History([JournalBusy("locked"), JournalBusy("locked")])
    proposals.begin(SPACE.with_ranges({"n": (5000, 6000)}), 1, history, 0)
    proposals.tell(observation(1))
    proposals.report(2, 1, 2.0)
    assert (proposals.next(), proposals.take_prunes(), proposals.error) == (None, [], None)
    for _ in range(2):
        assert strategy.named("begin") == [(0, 0)]
        proposals.ask(0, None)  # also where no worker is free
        assert proposals.next_ask is not None
    assert strategy.calls == [("begin", 0, 0), ("begin", 1, 0), ("tell", 1), ("report", 2, 1, 2.0)]
    assert proposals.take_prunes() == [2]
    assert controller.run(proposals.next()) == 5500
    proposals.ask(0, None)
    assert proposals.next_ask is None


def test_past_curves_are_read_on_the_strategys_thread_when_no_other_program_holds_the_journal(controller):
    errors, threads = [JournalBusy("locked")], []

    def past_curves(numbers):
        threads.append(threading.current_thread().name)
        if errors:
            raise errors.pop()
        return {number: {0: 0.5} for number in numbers}

    class Comparing(Thinking):
        def begin(self, *arguments):
            super().begin(*arguments)
            self.note("curves", self.past_curves([3, 4]))

    controller.past_curves = past_curves
    strategy = Comparing()
    settled(controller.proposals(strategy))
    assert strategy.named("curves") == [({3: {0: 0.5}, 4: {0: 0.5}},)]
    assert threads == ["hpo_widgets strategy"] * 2


def test_a_strategy_that_is_asked_on_the_controllers_thread_reads_no_curves(controller):
    strategy = Counting()
    controller.past_curves = lambda numbers: {number: {0: 0.5} for number in numbers}
    controller.proposals(strategy)
    assert strategy.past_curves([3]) == {}


def test_a_closed_strategy_waits_for_no_lock(controller):
    is_read = threading.Event()

    class Locked(History):
        def __len__(self):
            is_read.set()
            raise JournalBusy("locked")

    strategy = Thinking()
    proposals = controller.proposals(strategy)
    settled(proposals)
    proposals.begin(SPACE, 1, Locked(), 0)
    assert is_read.wait(DEADLINE)
    proposals.close()
    proposals._thread.join(DEADLINE)
    assert not proposals._thread.is_alive()
    assert strategy.named("begin") == [(0, 0)]


def test_answers_of_an_earlier_epoch_are_never_run(controller):
    strategy = Thinking(numbers=[1, 2, 3, 4])
    strategy.may_answer.clear()
    proposals = controller.proposals(strategy)
    proposals.ask(2, None)
    assert strategy.is_asked.wait(DEADLINE)
    proposals.begin(SPACE, 1, [], 0)
    strategy.may_answer.set()
    # The first answer came under epoch 0; the second question was not even asked any more.
    assert controller.run(controller.next(proposals)) == 2
    assert [name for name, *_ in strategy.calls[:4]] == ["begin", "ask", "begin", "ask"]


def test_points_that_are_ready_are_forgotten_with_their_epoch(controller):
    strategy = Thinking()
    proposals = controller.proposals(strategy)
    proposals.ask(3, None)
    settled(proposals)
    assert proposals.next() is not None
    proposals.begin(SPACE, 1, [], 7)
    assert proposals.next() is None
    assert controller.run(controller.next(proposals)) >= 3
    assert strategy.named("begin") == [(0, 0), (1, 7)]


def test_a_point_that_was_enqueued_since_it_was_asked_is_dropped(controller):
    strategy = Thinking(numbers=[1, 2, 3])
    proposals = controller.proposals(strategy)
    proposals.ask(2, None)
    settled(proposals)
    controller.seen.add(tuple(SPACE.encode({"n": 1})))
    assert controller.run(controller.next(proposals)) == 2
    settled(proposals)
    assert strategy.named("dropped") == [(1,)]


def test_a_point_that_is_asked_twice_is_run_once(controller):
    strategy = Thinking(numbers=[1, 1, 2])
    proposals = controller.proposals(strategy)
    proposals.ask(2, None)
    settled(proposals)
    assert [controller.run(controller.next(proposals)) for _ in range(2)] == [1, 2]
    settled(proposals)
    assert strategy.named("dropped") == [(1,)]


def test_close_ends_the_thread_after_the_question_it_is_at(controller):
    strategy = Thinking()
    strategy.may_answer.clear()
    proposals = controller.proposals(strategy)
    proposals.ask(1, None)
    assert strategy.is_asked.wait(DEADLINE)
    proposals.tell(observation(0))
    proposals.close()
    assert proposals._thread.is_alive()
    strategy.may_answer.set()
    proposals._thread.join(DEADLINE)
    assert not proposals._thread.is_alive()
    assert strategy.named("tell") == []
    assert strategy.num_asked == 1


def test_another_runs_thread_waits_until_the_last_one_has_let_go_of_the_strategy(controller):
    strategy = Thinking()
    strategy.may_answer.clear()
    first = controller.proposals(strategy)
    first.ask(1, None)
    assert strategy.is_asked.wait(DEADLINE)
    first.close()
    second = controller.proposals(strategy)
    second.ask(1, None)
    assert len(strategy.named("begin")) == 1
    strategy.may_answer.set()
    controller.next(second)
    assert [call[0] for call in strategy.calls[:4]] == ["begin", "ask", "begin", "ask"]


def test_what_was_asked_before_the_same_space_began_anew_is_not_used(controller):
    strategy = Thinking()
    proposals = controller.proposals(strategy)
    proposals.ask(2, None)
    settled(proposals)
    proposals.begin(SPACE, 0, [], 7)
    assert controller.run(controller.next(proposals)) == 2
    assert strategy.named("begin")[-1] == (0, 7)


def test_of_beginnings_that_come_while_a_model_is_busy_only_the_last_is_made(controller):
    strategy = Thinking()
    strategy.may_answer.clear()
    proposals = controller.proposals(strategy)
    proposals.ask(1, None)
    assert strategy.is_asked.wait(DEADLINE)
    for draws in range(1, 5):
        proposals.begin(SPACE, 0, [], draws)
    proposals.tell(observation(0))  # an end is told to what has begun before it
    for draws in range(5, 9):
        proposals.begin(SPACE, 0, [], draws)
    strategy.may_answer.set()
    settled(proposals)
    assert strategy.calls == [("begin", 0, 0), ("ask",), ("begin", 0, 4), ("tell", 0), ("begin", 0, 8)]


# A constraint --------------------------------------------------------------------------------------------------------


class Looking:
    """A constraint that refuses all points, one after the other, until it is told to allow them."""

    def __init__(self):
        self.num_asked = 0
        self.is_asked = threading.Event()
        self.allows = False

    def __call__(self, n):
        self.num_asked += 1
        self.is_asked.set()
        return self.allows


class Endless(Counting):
    """Looks by itself for a point that is allowed, as a strategy of a grid does."""

    def ask(self):
        while True:
            proposal = super().ask()
            if not self.seen(proposal.point):
                return proposal


def test_only_points_that_the_constraint_allows_are_proposed(controller):
    proposals = controller.proposals(Counting(), constraint=Constraint(lambda n: n % 3 == 2))
    assert [controller.run(controller.next(proposals)) for _ in range(3)] == [2, 5, 8]


def test_a_point_that_is_not_allowed_is_not_allowed_twice_either(controller):
    strategy = Counting()
    controller.proposals(strategy, allow_duplicates=True, constraint=Constraint(lambda n: n > 3))
    assert strategy.seen({"n": 3})
    assert not strategy.allows({"n": 3})
    assert not strategy.seen({"n": 4})
    assert not strategy.seen({"n": 4})


@pytest.fixture
def looking(controller):
    """The proposals of a strategy that looks for an allowed point, and the constraint that allows none yet."""
    constraint = Looking()
    proposals = controller.proposals(Endless(), constraint=Constraint(constraint))
    proposals.ask(1, None)
    assert constraint.is_asked.wait(DEADLINE)
    return proposals, constraint


def test_a_change_of_the_space_ends_the_search_for_an_allowed_point_in_the_old_one(controller, looking):
    proposals, constraint = looking
    proposals.begin(SPACE, 1, [], 0)
    settled(proposals)
    constraint.allows = True
    assert controller.next(proposals) is not None
    assert proposals.error is None


def test_it_is_told_once_that_a_point_which_is_allowed_is_looked_for_long(controller, looking):
    proposals, constraint = looking
    proposals.ask(1, None)
    assert controller.told == []
    assert proposals.next_ask <= proposals._clock() + LONG_SEARCH_SECONDS
    controller.seconds_passed = LONG_SEARCH_SECONDS
    for _ in range(3):
        proposals.ask(1, None)
    [sentence] = controller.told
    assert sentence.startswith(
        "no trial has started for 10 s: Endless looks for a point that the constraint Looking(n)"
    )
    assert "it has allowed none. Change the ranges" in sentence
    assert proposals.next_ask is None
    proposals.begin(SPACE, 1, [], 0)
    settled(proposals)
    constraint.is_asked.clear()
    proposals.ask(1, None)
    assert constraint.is_asked.wait(DEADLINE)
    controller.seconds_passed *= 3
    proposals.ask(1, None)
    assert len(controller.told) == 2


def test_it_is_told_that_the_constraint_is_still_at_a_point_of_the_run_before(controller):
    with controller.lock:
        proposals = controller.proposals(Counting(), constraint=Constraint(lambda n: True))
        proposals.ask(1, None)
        controller.seconds_passed = LONG_SEARCH_SECONDS
        proposals.ask(1, None)
    [sentence] = controller.told
    assert "the constraint <lambda>(n), has not answered yet for the run before" in sentence
    assert controller.next(proposals) is not None


def test_it_is_told_that_a_constraint_does_not_answer(controller):
    is_asked, may_answer = threading.Event(), threading.Event()

    def hangs(n):
        is_asked.set()
        return may_answer.wait(DEADLINE)

    proposals = controller.proposals(Counting(), constraint=Constraint(hangs))
    proposals.ask(1, None)
    assert is_asked.wait(DEADLINE)
    controller.seconds_passed = LONG_SEARCH_SECONDS
    proposals.ask(0, None)
    proposals.ask(1, None)
    assert controller.told == []  # no worker was free
    controller.seconds_passed *= 3
    proposals.ask(1, None)
    may_answer.set()
    [sentence] = controller.told
    assert "Of 1 point that it was asked about it has allowed none" in sentence


def test_the_end_of_a_run_ends_the_search_for_an_allowed_point(controller, looking):
    proposals, _ = looking
    proposals.close()
    assert controller.lock.acquire(timeout=DEADLINE)  # its thread holds it to its end
    assert proposals.error is None


def test_what_a_constraint_raises_ends_the_search_with_its_words(controller):
    proposals = controller.proposals(Counting(), constraint=Constraint(lambda n: 1 / (5 - n) > 0))
    while (sampled := controller.next(proposals)) is not None:
        controller.run(sampled)
    assert "raised ZeroDivisionError: division by zero, for {'n': 5}" in str(proposals.error)
