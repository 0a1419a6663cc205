"""Advice: what is planted is found, chance is not; distributions are exact; each advice can be done."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest

from hpo_widgets.objectives import make_objectives
from hpo_widgets.parameters import (
    DiscreteParameterRange,
    LogUniformParameterRange,
    UniformIntegerParameterRange,
    UniformParameterRange,
)
from hpo_widgets.search import StopReason, advice
from hpo_widgets.search.advice import (
    LEVEL,
    MOST_SHOWN,
    Tried,
    best_at_end,
    chi2_tail,
    due_test,
    exhausted,
    failures_share,
    find_advice,
    hypergeometric_tail,
    idle_workers,
    plateau,
    tried,
    unimportant,
)
from hpo_widgets.search.budget import Budget, Limit
from hpo_widgets.space import Space
from hpo_widgets.testing import ScriptedSearch
from hpo_widgets.trials import TrialState
from hpo_widgets.trials.columns import Rows

MINIMISE = make_objectives("validation", "loss", "min")
NUM_SEEDS = 200


def spread_space():
    """Twelve parameters of all kinds, of which none need matter."""
    return Space(
        [
            *(UniformParameterRange(f"u{index}", -5.0, 5.0) for index in range(4)),
            *(LogUniformParameterRange(f"l{index}", -4, -1) for index in range(3)),
            *(UniformIntegerParameterRange(f"n{index}", 1, 8) for index in range(2)),
            *(DiscreteParameterRange(f"c{index}", ["a", "b", "c"]) for index in range(2)),
            DiscreteParameterRange("batch", [32, 64, 128, 256, 512]),
        ]
    )


def trials_of(space, count, seed, value=None, fails=None):
    """Trials at random points; `value` and `fails` take the columns and a generator, by default both are chance."""
    random = np.random.default_rng(seed)
    points = space.points(random.random((count, space.num_dimensions)))
    encoded = np.array([space.encode(point) for point in points], dtype=float).T
    columns = dict(zip(space.names, encoded, strict=True))
    values = random.normal(size=count) if value is None else value(columns, random)
    failed = random.random(count) < (0.1 if fails is None else fails(columns))
    choice = {column.name: column.kind == "choice" for column in space.columns}
    return tried(
        Rows(
            version=1,
            numbers=np.arange(count),
            state=np.where(failed, TrialState.FAILED, TrialState.COMPLETED).astype(np.uint8),
            values=np.where(failed, np.nan, values)[:, None],
            iteration=np.zeros((count, 1), dtype=np.int64),
            started=np.arange(count, dtype=float),
            ended=np.arange(count) + 1.0,
            seconds=np.ones(count),
            epoch=np.zeros(count, dtype=np.int32),
            worker=np.zeros(count, dtype=np.int16),
            archived=np.zeros(count, dtype=bool),
            enqueued=np.zeros(count, dtype=bool),
            parameters={name: column.astype(np.int32) if choice[name] else column for name, column in columns.items()},
        ),
        space,
        MINIMISE,
    )


def advice_by_values(trials, space):
    found = [*best_at_end(trials, space), plateau(trials, space, Budget()), unimportant(trials, space)]
    return [one for one in found if one is not None]


def all_advice(trials, space):
    found = failures_share(trials, space)
    return [*([] if found is None else [found]), *advice_by_values(trials, space)]


def looks(count):
    """The numbers of trials at which tests are made."""
    due = 10.0
    while due <= count:
        yield int(due)
        due *= 1.5


@pytest.fixture
def remembered(monkeypatch):
    """What is computed of the same trials is computed once: the first ones are the same between two looks."""

    def content_of(argument):
        if isinstance(argument, Tried):
            return argument.failed.tobytes(), *(column.tobytes() for column in argument.columns.values())
        if isinstance(argument, np.ndarray):
            return argument.tobytes()
        if isinstance(argument, Space):
            return id(argument)
        return tuple(argument) if isinstance(argument, list) else argument

    def remember(compute):
        known = {}

        def once(*arguments):
            content = tuple(map(content_of, arguments))
            if content not in known:
                known[content] = compute(*arguments)
            return known[content]

        monkeypatch.setattr(advice, compute.__name__, once)

    for compute in (advice._failing_part, advice._bins, advice._between, advice.widen_suggestions):
        remember(compute)


CHANCE = {
    "normal": lambda random, count: random.normal(size=count),
    "uniform": lambda random, count: random.random(count),
    "heavy tails": lambda random, count: random.standard_cauchy(count),
    "few values": lambda random, count: random.integers(0, 10, count) / 10,
}


def shares_advised(chances, num_seeds, count):
    """The share of searches that ever got advice, looked at whenever a test is made: in between it is the same one.

    There is one for each kind of values, of the same points and failures. What values there are only ever takes advice
    on failures away, where the best trial would be excluded: it is looked for once, as if there were no best trial.
    """
    space = spread_space()
    spoke = dict.fromkeys(chances, 0)
    for seed in range(num_seeds):
        trials = trials_of(space, count, seed, lambda *_: np.zeros(count))
        without_best = replace(trials, values=np.full(count, np.nan))
        parts = [slice(0, look) for look in looks(count)]
        on_failures = any(failures_share(without_best.take(part), space) for part in parts)
        random = np.random.default_rng((seed, 1))
        for name, draw in chances.items():
            values = replace(trials, values=np.where(trials.failed, np.nan, draw(random, count)))
            spoke[name] += on_failures or any(advice_by_values(values.take(part), space) for part in parts)
    return {name: times / num_seeds for name, times in spoke.items()}


def test_chance_gets_no_advice():
    assert shares_advised({"normal": CHANCE["normal"]}, 40, 75)["normal"] < 0.05


@pytest.mark.slow
@pytest.mark.timeout(900)
@pytest.mark.usefixtures("remembered")
def test_chance_gets_advice_in_fewer_than_one_search_of_twenty():
    shares = shares_advised(CHANCE, NUM_SEEDS, 200)
    assert max(shares.values()) < 0.05, shares


@pytest.mark.slow
@pytest.mark.timeout(900)
@pytest.mark.usefixtures("remembered")
def test_chance_gets_advice_in_fewer_than_one_search_of_twenty_when_looked_at_after_every_trial():
    space, num_seeds = spread_space(), 60
    spoke = 0
    for seed in range(num_seeds):
        trials = trials_of(space, 120, seed)
        spoke += any(all_advice(trials.take(slice(0, count)), space) for count in range(1, 121))
    assert spoke < 0.05 * num_seeds


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_chance_that_a_model_follows_gets_advice_in_fewer_than_one_search_of_twenty():
    """Points that crowd where the last random values were good, as TPE's do, are no reason for advice."""
    space = Space([UniformParameterRange(f"u{index}", 0.0, 1.0) for index in range(6)])
    spoke = 0
    for seed in range(NUM_SEEDS):
        random = np.random.default_rng(seed)
        points, values = random.random((100, 6)), random.normal(size=100)
        for place in range(10, 100):
            best = np.argsort(values[:place])[: max(3, place // 10)]
            near = points[random.choice(best)] + random.normal(scale=0.1, size=6)
            points[place] = np.where(random.random(6) < 0.8, np.clip(near, 0, 1), points[place])
        columns = {f"u{index}": points[:, index] for index in range(6)}
        trials = trials_of(space, 100, seed).__class__(np.arange(100), np.zeros(100, dtype=bool), values, columns)
        spoke += any(all_advice(trials.take(slice(0, count)), space) for count in looks(100))
    assert spoke < 0.05 * NUM_SEEDS


def share_found(find, seeds=40):
    return sum(map(bool, map(find, range(seeds)))) / seeds


@pytest.mark.parametrize(
    ("words", "fails", "kept"),
    [
        ("batch ≥ 256", lambda columns: np.where(columns["batch"] >= 3, 0.5, 0.02), (32, 64, 128)),
        ("c0 b", lambda columns: np.where(columns["c0"] == 1, 0.5, 0.02), ("a", "c")),
        ("l0 > 0.018", lambda columns: np.where(columns["l0"] > 0.018, 0.6, 0.02), (pytest.approx(1e-4), 0.018)),
        ("n0 ≥ 7", lambda columns: np.where(columns["n0"] >= 7, 0.6, 0.02), (1, 6)),
        ("u0 < -2.5", lambda columns: np.where(columns["u0"] < -2.5, 0.6, 0.02), (-2.5, 5.0)),
    ],
)
def test_what_fails_more_often_is_found_and_would_be_excluded(words, fails, kept):
    space = spread_space()

    def planted(count, seed):
        # The best is elsewhere: it would not be excluded.
        return trials_of(space, count, seed, lambda columns, random: random.random(count) + fails(columns), fails)

    def find(seed):
        found = failures_share(planted(200, seed), space)
        return found if found is not None and found.about == words.split()[0] else None

    assert share_found(find) >= 0.9
    found = next(
        one
        for seed in range(40)
        if (one := failures_share(planted(1000, seed), space)) is not None and one.label == f"Exclude {words}"
    )
    assert found.command == "set_ranges"
    assert found.arguments == ({found.about: kept},)


def test_the_evidence_gives_both_rates_and_the_failed_trials():
    space = Space([DiscreteParameterRange("batch", [32, 64]), UniformParameterRange("x", 0.0, 1.0)])
    trials = trials_of(space, 60, 0, fails=lambda columns: np.where(columns["batch"] == 1, 0.6, 0.0))
    found = failures_share(trials, space)
    inside = trials.columns["batch"] == 1
    bad = int((trials.failed & inside).sum())
    assert found.sentence == f"{bad} of {bad} failures have batch 64"
    rate = round(100 * bad / inside.sum())
    assert (
        found.evidence == f"{bad} of {inside.sum()} such trials failed ({rate} %), 0 of {(~inside).sum()} others (0 %)"
    )
    assert found.trials == tuple(trials.numbers[trials.failed].tolist())


def test_numbers_are_put_into_words_for_what_is_said_only(monkeypatch):
    monkeypatch.setattr(advice, "in_words", None)
    assert failures_share(trials_of(spread_space(), 120, 0), spread_space()) is None


def test_the_part_with_the_best_trial_is_not_excluded():
    space = Space([DiscreteParameterRange("batch", [32, 64]), UniformParameterRange("x", 0.0, 1.0)])
    trials = trials_of(
        space,
        100,
        0,
        lambda columns, random: -columns["batch"],
        lambda columns: np.where(columns["batch"] == 1, 0.6, 0),
    )
    assert failures_share(trials, space) is None


def test_a_best_beyond_the_end_is_found():
    space = spread_space()

    def find(seed):
        trials = trials_of(space, 120, seed, lambda columns, random: -columns["u0"] + random.normal(size=120))
        return [one for one in best_at_end(trials, space) if one.about == "u0"]

    assert share_found(find) >= 0.5
    (found,) = next(filter(None, map(find, range(40))))
    assert (found.end, found.command, found.arguments) == ("upper", "set_ranges", ({"u0": (-5.0, 8.0)},))


def test_a_bound_is_written_as_the_range_itself_is():
    space = Space(
        [LogUniformParameterRange("lr", -4, 0), UniformParameterRange("x", 0, 1), UniformParameterRange("y", 0, 1)]
    )

    def find(seed):
        return best_at_end(trials_of(space, 120, seed, lambda columns, _: np.log(columns["lr"])), space)

    (found,) = next(filter(None, map(find, range(40))))
    assert found.label.startswith("Widen to ")
    assert found.label.endswith("e-5")


def test_a_best_inside_of_the_range_is_not_widened():
    space = spread_space()

    def find(seed):
        return best_at_end(trials_of(space, 120, seed, lambda columns, _: (columns["u0"] - 1) ** 2), space)

    assert share_found(find) <= 0.05


def test_a_parameter_that_does_not_matter_is_fixed_at_the_best_value():
    space = Space([UniformParameterRange(name, 0.0, 1.0) for name in ("x", "y", "z")])

    def value(columns, random):
        return 3 * columns["x"] + 2 * columns["y"] + random.normal(scale=0.3, size=len(columns["x"]))

    def find(seed):
        return unimportant(trials_of(space, 900, seed, value), space)

    found = [one for one in map(find, range(40)) if one is not None]
    assert len(found) >= 32
    assert {one.about for one in found} == {"z"}
    trials = trials_of(space, 900, 0, value)
    best = trials.completed.columns["z"][trials.completed.best]
    assert find(0).arguments == ({"z": (best - 0.01, best + 0.01)},)


@pytest.mark.parametrize(
    ("leaf", "words"),
    [
        (UniformParameterRange("z", -5.0, 5.0), "Keep near "),
        (LogUniformParameterRange("z", -4, -1), "Keep near "),
        (UniformParameterRange("z", 0.0, 1.0, step_size=0.1), "Fix at "),
        (LogUniformParameterRange("z", -4, -1, step_size=0.5), "Fix at "),
        (UniformIntegerParameterRange("z", 1, 8), "Fix at "),
        (DiscreteParameterRange("z", ["a", "b", "c"]), "Fix at "),
    ],
)
def test_a_parameter_of_any_kind_that_does_not_matter_can_be_fixed_by_the_advice(leaf, words):
    def searched(space):
        search = ScriptedSearch([UniformParameterRange("x", 0.0, 1.0), leaf])
        search.command("set_ranges", {"z": space.ranges["z"]})
        search.command("start")
        random = np.random.default_rng(0)
        for point in space.points(random.random((900, 2))):
            search.add_trial(point["x"] + random.normal(scale=0.01), point)
        return search

    search = searched(Space([UniformParameterRange("x", 0.0, 1.0), leaf]))
    [advice] = [one for one in find_advice(search) if one.code == "fix"]
    assert (advice.about, advice.label[: len(words)]) == ("z", words)
    search.command(advice.command, *advice.arguments)
    kept = search.space
    assert kept.ranges["z"] == tuple(advice.arguments[0]["z"])
    assert kept.contains(dict(search.best_trial.parameters))
    # Once it is fixed, nothing more is advised of it.
    assert all(one.code != "fix" for one in find_advice(searched(kept)))


def test_a_parameter_that_matters_with_the_most_important_one_is_not_fixed():
    space = Space([UniformParameterRange(name, 0.0, 1.0) for name in ("x", "y")])

    def value(columns, _):
        return 4 * columns["x"] + np.where(columns["x"] > 0.5, 2, -2) * (columns["y"] - 0.5)

    assert share_found(lambda seed: unimportant(trials_of(space, 600, seed, value), space)) == 0


def test_values_that_have_converged_are_a_plateau():
    space = Space([UniformParameterRange("x", 0.0, 1.0)])
    converged = trials_of(space, 200, 0, lambda columns, _: np.where(columns["x"] < 0.4, 1e-6, 1) * columns["x"])
    found = plateau(converged, space, Budget(jobs=Limit(1000, 200)))
    assert (found.command, found.label) == ("stop", "Stop the search")
    assert plateau(converged, space, Budget(jobs=Limit(205, 200))) is None
    assert plateau(trials_of(space, 200, 0, lambda columns, _: columns["x"]), space, Budget()) is None


@pytest.mark.parametrize("layers", [[[64], [64, 64]], [{"width": 1}, {"width": 2}], [np.zeros(2), np.ones(2)]])
def test_choices_that_cannot_be_hashed_do_not_keep_a_plateau_from_being_found(layers):
    space = Space([DiscreteParameterRange("layers", layers), UniformParameterRange("x", 0, 1)])
    found = plateau(trials_of(space, 200, 0, lambda columns, _: columns["x"] ** 40), space, Budget())
    assert found is not None
    assert found.code == "plateau"


def test_a_space_that_is_used_up_is_widened_or_the_last_change_undone():
    space = Space([UniformIntegerParameterRange("n", 1, 6)])
    trials = trials_of(space, 30, 0, lambda columns, _: -columns["n"])
    reason = StopReason("space_exhausted", "All points were tried.")
    assert exhausted(trials, space, None, can_undo=False) is None
    assert exhausted(trials, space, reason, can_undo=True).command == "undo"
    assert exhausted(trials, space, reason, can_undo=False).arguments == ({"n": (1, 7)},)


def test_a_trial_that_diverged_is_not_the_best():
    space = Space([UniformIntegerParameterRange("n", 1, 6)])
    values = lambda columns, _: np.where(columns["n"] == 1, -math.inf, -columns["n"])  # noqa: E731 -- a score of +inf
    found = exhausted(trials_of(space, 30, 0, values), space, StopReason("space_exhausted", ""), can_undo=False)
    assert found.arguments == ({"n": (1, 7)},)


def worked(num_trials, gap, length, workers=2):
    at = np.arange(num_trials) // workers * (gap + length)
    rows = ScriptedSearch([UniformParameterRange("x", 0.0, 1.0)]).snapshot()
    fields = {name: getattr(rows, name) for name in Rows.__dataclass_fields__}
    return Rows(**fields | {"worker": np.arange(num_trials) % workers, "started": at, "ended": at + length})


def test_workers_that_wait_longer_than_they_work_are_too_many():
    found = idle_workers(worked(80, gap=3.0, length=1.0, workers=4), 4)
    assert (found.command, found.arguments) == ("set_max_number_of_concurrent_tasks", (1,))
    assert idle_workers(worked(80, gap=0.5, length=1.0, workers=4), 4) is None
    assert idle_workers(worked(80, gap=0.1, length=0.01, workers=4), 4) is None
    assert idle_workers(worked(20, gap=3.0, length=1.0, workers=4), 4) is None


def test_a_test_is_made_when_half_as_many_trials_again_have_ended():
    trials = trials_of(spread_space(), 120, 0, fails=lambda _: 0)
    assert [len(due_test(trials.take(slice(0, count)))[0]) for count in (9, 10, 14, 15, 22, 120)] == [
        0,
        10,
        10,
        15,
        22,
        113,
    ]
    levels = {due_test(trials.take(slice(0, count)))[1] for count in range(10, 121)}
    assert sum(levels) < LEVEL


def test_trials_of_a_person_and_outside_the_ranges_do_not_count():
    search = ScriptedSearch([UniformParameterRange("x", 0.0, 1.0)])
    search.add_trial(0.5, {"x": 0.2})
    search.add_trial(0.5, {"x": 0.8})
    search.add_trial(state=TrialState.RUNNING)
    search.set_ranges({"x": (0.0, 0.5)})
    assert tried(search.snapshot(), search.space, search.objectives).numbers.tolist() == [0]


def test_of_many_failed_trials_the_newest_are_named():
    space = Space([DiscreteParameterRange("batch", [32, 64]), UniformParameterRange("x", 0.0, 1.0)])
    found = failures_share(trials_of(space, 2000, 0, fails=lambda columns: columns["batch"] * 0.6), space)
    assert len(found.trials) == MOST_SHOWN


def test_only_what_can_be_done_now_is_advised():
    search = ScriptedSearch([DiscreteParameterRange("batch", [32, 64]), UniformParameterRange("x", 0.0, 1.0)])
    for number in range(60):
        is_bad = number % 2 == 1 and number % 3 > 0
        search.add_trial(
            None if is_bad else 0.5,
            {"batch": 64 if number % 2 else 32, "x": number / 60},
            state=TrialState.FAILED if is_bad else TrialState.COMPLETED,
        )
    (found,) = find_advice(search)
    assert found.arguments == ({"batch": (32,)},)
    search.command(found.command, *found.arguments)
    assert find_advice(search) == []
    search.command("undo")
    assert [one.key for one in find_advice(search)] == [found.key]
    search.refuse("set_ranges", "This search is only watched.")
    assert find_advice(search) == []


@pytest.mark.parametrize(
    "values", [[], [0.5], [0.5, 0.25], [1e300, -1e300] * 40, [math.inf, -math.inf, math.nan] * 20, [0.0] * 60]
)
def test_few_equal_and_endless_values_are_no_fault(values):
    search = ScriptedSearch(jobs=1000)
    search.command("start")
    search.add_trials(values)
    assert all(one.code == "plateau" for one in find_advice(search))


def test_trials_that_completed_when_they_were_retried_did_not_fail():
    search = ScriptedSearch([UniformParameterRange("x", 0.0, 1.0)])
    for place in range(60):
        x = place / 60
        state = TrialState.FAILED if x > 0.5 else TrialState.COMPLETED
        search.add_trial(None if x > 0.5 else x, {"x": x}, state=state)

    def look():
        return failures_share(tried(search.snapshot(), search.space, search.objectives), search.space)

    assert look().label == "Exclude x > 0.5"
    search.command("retry_failed")
    assert look() is not None  # they wait
    for number in range(60, len(search.snapshot())):
        search.end_trial(number, 0.1)
    found = tried(search.snapshot(), search.space, search.objectives)
    assert (found.failed.sum(), len(found)) == (0, 60)
    assert look() is None


def test_a_search_of_failures_alone_and_of_several_objectives_is_no_fault():
    search = ScriptedSearch(titles=["a", "b"], series=["x", "y"], signs=["min", "max"])
    search.add_trials([None] * 40, TrialState.FAILED)
    assert find_advice(search) == []


def test_the_tails_are_exact():
    def by_counting(hits, population, marked, drawn):
        return sum(
            math.comb(marked, k) * math.comb(population - marked, drawn - k)
            for k in range(hits, min(marked, drawn) + 1)
        ) / math.comb(population, drawn)

    for numbers in ((7, 120, 9, 34), (5, 20, 6, 8), (3, 10, 3, 3), (40, 100, 50, 60)):
        assert hypergeometric_tail(*numbers) == pytest.approx(by_counting(*numbers), rel=1e-9)
    # Values of Abramowitz and Stegun, table 26.8.
    for freedom, statistic, tail in ((1, 3.84146, 0.05), (2, 9.21034, 0.01), (5, 15.0863, 0.01), (12, 21.0261, 0.05)):
        assert chi2_tail(statistic, freedom) == pytest.approx(tail, rel=1e-4)


def test_recorded_results_are_not_looked_at_as_the_strategy_did_not_choose_them():
    search = ScriptedSearch()
    search.add_trial(0.5, seconds=math.nan)
    search.add_trial(0.25)
    assert tried(search.snapshot(), search.space, search.objectives).numbers.tolist() == [1]


def test_trials_that_are_left_out_are_not_looked_at():
    search = ScriptedSearch()
    search.add_trials([0.5, 0.25, 0.75])
    search.add_trial(state=TrialState.FAILED)
    search.command("leave_out", [1, 3])
    looked_at = tried(search.snapshot(), search.space, search.objectives)
    assert sorted(looked_at.numbers.tolist()) == [0, 2]
    assert not looked_at.failed.any()
