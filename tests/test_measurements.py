"""How measurements are written down, and that a peer searches the spaces that ours does."""

from __future__ import annotations

import dataclasses
import importlib
import json
import math
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import optuna
import pytest

from hpo_widgets.space import Space
from tests.benchmarks import candidates, quality, report, rows, wall_clock
from tests.benchmarks.learning import TASKS
from tests.benchmarks.quality import suggest
from tests.benchmarks.rows import Row, Samples


@pytest.mark.parametrize(
    ("samples", "shown"),
    [
        (Samples([0.086, 0.04, 0.212], "s"), "86 ms (40–212; 3)"),
        (Samples([4.0, 3.0, 5.5], "s"), "4 s (3–5.5; 3)"),
        (Samples([1650.4, 1702.0], "/s", "quiet"), "1,676/s (1,650–1,702; 2), quiet"),
        (Samples([0.96, 0.95, 0.97], "%"), "96 % (95–97; 3)"),
        (Samples([320_020.0] * 5, "B"), "320 kB (all alike; 5)"),
        (Samples([2, 2], ""), "2 (all alike; 2)"),
    ],
)
def test_a_measurement_is_shown_as_its_median_with_its_spread(samples, shown):
    assert str(samples) == shown


def test_what_measurements_import_from_the_tests_is_there():
    # They run when somebody asks for them, which may be long after a helper of the tests was renamed.
    modules = sorted(Path(rows.__file__).parent.glob("test_*.py"))
    assert modules
    for path in modules:
        importlib.import_module(f"tests.benchmarks.{path.stem}")


@pytest.fixture(autouse=True)
def logs_of_optuna():
    """What measures silences Optuna, in this process too."""
    before = optuna.logging.get_verbosity()
    yield
    optuna.logging.set_verbosity(before)


@pytest.fixture
def results(tmp_path, monkeypatch):
    """Where the results of this test are."""
    monkeypatch.setattr(report, "RESULTS", tmp_path / "bench.json")
    monkeypatch.setattr(wall_clock, "RESULTS", tmp_path / "wall_clock.jsonl")
    monkeypatch.setattr(wall_clock, "SOONER", tmp_path / "sooner.jsonl")
    monkeypatch.setattr(candidates, "RESULTS", tmp_path / "candidates.jsonl")
    return tmp_path


def test_the_page_tells_machine_bars_and_peers_of_what_was_measured(results):
    measured = [
        Row("stop", Samples([0.1, 0.2, 0.3], "s"), "≤ 250 ms", {"Optuna": Samples([1.5, 1.6], "s")}, False, "", "Why."),
        Row("growth", "a | b", "≤ 1", "–", True, "", "Never told."),
        Row("live", "slow", "≤ 1", "–", False),
        Row("late", "not measured: the time was over", "", "–", None),
    ]
    rows.save(measured, rows.dt.datetime.now().astimezone(), results / "bench.json")
    page = report.measurements()
    assert "| stop | 200 ms (100–300; 3) | ≤ 250 ms | Optuna: 1.55 s (1.5–1.6; 2) | **no** |" in page
    assert "| growth | a \\| b | ≤ 1 | – | yes |" in page
    assert "4 rows, 2 of them miss their target, 1 not measured" in page
    assert page.endswith("\n### Missed, and why\n\n- stop: Why.\n- live: Nobody knows yet.\n")
    found = json.loads((results / "bench.json").read_text())
    assert found["rows"][0]["measured"]["values"] == [0.1, 0.2, 0.3]
    assert found["machine"]["cores"] >= 1
    assert found["packages"]["numpy"] == np.__version__


def test_a_page_without_measurements_says_so(results):
    page = report.renewed("", report.measurements)
    assert "`make bench` was not run yet" in page
    assert "`make bench-quality` was not run yet" in page
    assert "`make bench-sooner` was not run yet" in page
    assert "`make bench-candidates` was not run yet" in page


@pytest.mark.parametrize("part", [report.measurements, report.quality, report.sooner, report.candidates])
def test_a_part_of_the_page_that_is_measured_again_leaves_the_others_as_they_are(part, results):
    new = report.renewed("", part)
    kept = new.replace("was not run yet", "was run")
    again = report.renewed(kept, part)
    assert again.count("was run") == 3
    assert again.count("was not run yet") == 1
    assert part().strip() in again
    assert report.renewed(again, part) == again
    assert again.replace("was run", "was not run yet") == new


def leave(ends, best):
    """Leave what searches have found on Branin with eight seeds each: when each was at its best, and what that was."""
    best = {"random search (hpo_widgets)": 1.0, **best}
    lines = [
        {"task": "Branin", "by": by, "seed": seed, "seconds": TASKS["Branin"].seconds, "trials": 50, "commit": "0",
         "trace": [[0.5, 9.0], [ends.get(by, 1.0) + seed / 100, best.get(by, 0.5) + seed / 1000]]}
        for by in wall_clock.SEARCHES
        for seed in range(8)
    ]  # fmt: skip
    wall_clock.RESULTS.write_text("".join(json.dumps(line) + "\n" for line in lines))


def test_searches_of_the_same_time_are_compared_by_ranks_and_by_the_time_to_the_target(results):
    leave({}, {"hpo_widgets": 0.1, "hyperopt": 2.0})
    shown = {line.split(" | ")[0]: line for line in wall_clock.report()}
    ours, hyperopt = shown["| hpo_widgets"], shown["| hyperopt"]
    assert "0.1035" in ours
    assert "1.0 s" in ours
    # hyperopt never reached what random search has in the median.
    assert f"> {TASKS['Branin'].seconds:.1f} s" in hyperopt
    better, worse = hyperopt.split(" | ")[4:6]
    assert better == "< 0.001"
    assert float(worse) > 0.999


NOT_WORSE, SOONER = "not worse than two processes of Optuna", "sooner than Optuna with n_jobs=2"


def test_both_forms_of_ours_are_judged_on_each_task_and_in_a_summary(results):
    at_once = "hpo_widgets, started at once"
    leave({"Optuna, n_jobs=2": 2.0, at_once: 2.0}, {})
    shown = "\n".join(wall_clock.report())
    assert f"- hpo_widgets: {NOT_WORSE} on 1 of 1 tasks.\n- hpo_widgets: {SOONER} on 1 of 1 tasks.\n" in shown
    assert f"- {at_once}: {NOT_WORSE} on 0 of 1 tasks, not on Branin.\n" in shown
    assert f"- {at_once}: {SOONER} on 0 of 1 tasks, not on Branin.\n" in shown
    alike = "*p* worse 0.521, *p* later 0.521"
    assert f"- hpo_widgets: {NOT_WORSE}: yes ({alike}); {SOONER}: yes (*p* sooner < 0.001)." in shown
    assert f"- {at_once}: {NOT_WORSE}: **no** (*p* worse 0.521, *p* later < 0.001); {SOONER}: **no**" in shown


@pytest.mark.parametrize(
    ("ends", "best", "misses"),
    [
        ({"Optuna, n_jobs=2": 2.0}, {}, []),
        ({"Optuna, n_jobs=2": 2.0}, {"Optuna, two processes": 0.1}, [NOT_WORSE]),
        ({"Optuna, n_jobs=2": 2.0, "Optuna, two processes": 0.6}, {}, [NOT_WORSE]),
        ({}, {}, [SOONER]),
    ],
)
def test_the_page_is_written_before_a_missed_bar_is_a_failure(ends, best, misses, results, monkeypatch):
    monkeypatch.setattr(report, "PAGE", results / "page.md")
    leave(ends, best)
    if misses:
        with pytest.raises(SystemExit) as failure:
            report.main("quality")
        assert failure.value.code == "\n".join(f"Branin: not {bar}" for bar in misses)
    else:
        report.main("quality")
    assert "### Branin: 3 s" in report.PAGE.read_text()


@pytest.mark.parametrize(("threads", "shown"), [(2.5, "< 0.001 | yes |"), (1.0, "0.501 | **no** |")])
def test_a_task_that_is_measured_again_with_more_seeds_has_the_target_of_the_same_run(threads, shown, results):
    random = "random search (hpo_widgets)"
    ends = {"hpo_widgets": 1.0, "Optuna, n_jobs=2": threads, random: 2.0}
    lines = [
        {"task": task, "by": by, "seed": seed, "seconds": TASKS[task].seconds, "trials": 50, "commit": "0",
         "trace": [[0.5, 9.0], [ends[by] + seed / 1e4, 3.0 + (by == random) * seed / 1e3]]}
        for task, by, seed in wall_clock.sooner_searches("diabetes")
    ]  # fmt: skip
    wall_clock.SOONER.write_text("".join(json.dumps(line) + "\n" for line in lines))
    *_, row = wall_clock.sooner_report()
    assert row.startswith("| diabetes, random forest: 12 s | 3.109 | 60 | 1.0 s")
    assert row.endswith(shown)


def test_searches_that_are_measured_again_have_other_seeds_and_change_their_order():
    found = list(wall_clock.sooner_searches("digits"))
    assert len(set(found)) == len(found) == 140
    assert {seed for _, _, seed in found}.isdisjoint(range(20))
    assert [by for _, by, seed in found if seed in (100, 101)][:4] == [
        "hpo_widgets", "Optuna, n_jobs=2", "Optuna, n_jobs=2", "hpo_widgets"
    ]  # fmt: skip


NUM_POINTS = 400
BOTH = "64 candidates, gamma 0.15 n"


def leave_candidates(of_sphere, of_branin=0.5, by=BOTH, num_seeds=12):
    """Leave what plain TPE (0.5) and a candidate have found on two tasks, to be better from one seed to the next."""
    lines = [
        {"task": task, "by": sampler, "seed": seed, "cpu": 2.0, "commit": "0",
         "best": {str(budget): value - seed / 1000 for budget in candidates.BUDGETS}}
        for task, theirs in (("sphere 8", of_sphere), ("Branin", of_branin))
        for sampler, value in ((candidates.PLAIN, 0.5), (by, theirs))
        for seed in range(num_seeds)
    ]  # fmt: skip
    candidates.RESULTS.write_text("".join(json.dumps(line) + "\n" for line in lines))


def test_candidates_are_compared_with_plain_tpe_at_each_budget(results):
    leave_candidates(0.1, 0.9)
    shown = "\n".join(candidates.report())
    sphere, branin = shown.index("### sphere 8 (chose no candidate)"), shown.index("### Branin (candidates were chosen")
    better, worse, alike = (f"| {cell} " * 4 for cell in (
        "0.0945 (**better**, < 0.001 / 1.000)", "0.8945 (**worse**, 1.000 / < 0.001)", "0.4945"
    ))  # fmt: skip
    assert f"| {candidates.PLAIN} | 12 | 2.0 s {alike}|\n| {BOTH} | 12 | 2.0 s {better}|" in shown[sphere:]
    assert f"| {BOTH} | 12 | 2.0 s {worse}|" in shown[branin:sphere]


@pytest.mark.parametrize(
    ("of_sphere", "of_branin", "better", "fairly", "worse", "singly", "verdict"),
    [
        (0.1, 0.5, 4, 4, 0, 0, "yes"),
        (0.1, 0.9, 4, 4, 4, 4, "**no**"),
        (0.1, 0.507, 4, 4, 4, 4, "**no**"),  # a p of 0.0003, which is too great for "better"
        (0.493, 0.5, 0, 0, 0, 0, "**no**"),
        (0.5, 0.1, 4, 0, 0, 0, "**no**"),
        (0.505, 0.5, 0, 0, 0, 4, "**no**"),
    ],
)
def test_a_candidate_becomes_the_default_where_it_wins_on_what_did_not_choose_it_and_loses_nowhere(
    of_sphere, of_branin, better, fairly, worse, singly, verdict, results
):
    leave_candidates(of_sphere, of_branin)
    said = (
        f"- {BOTH}: significantly better at {better} of 8 cells, {fairly} of 4 on what chose no candidate; "
        f"significantly worse at {worse} (with *p* < 0.05 at {singly}). May be the default: {verdict}."
    )
    assert said in candidates.report()


@pytest.mark.parametrize(
    ("theirs", "shown"), [(0.46, "< 0.001 / 1.000"), (0.5, "0.500 / 0.500"), (0.54, "1.000 / < 0.001")]
)
def test_models_are_judged_together_too(theirs, shown, results):
    """Each of eight tells little, as with four seeds, or nothing, as where all values are equal."""
    names = list(candidates.models.MODELS)
    lines = [
        {"task": name, "by": by, "seed": seed, "cpu": 1.0, "failed": 0, "commit": "0",
         "best": {"20": value - seed / 50, "60": 0.5}}
        for name in names for by, value in ((candidates.PLAIN, 0.5), (BOTH, theirs)) for seed in range(4)
    ]  # fmt: skip
    candidates.RESULTS.write_text("".join(json.dumps(line) + "\n" for line in lines))
    [line] = [line for line in candidates.report() if line.startswith(f"- {BOTH}:") and "models" in line]
    assert f"{shown} after 20 trials of 7 models; 0.500 / 0.500 after 60 trials of 7 models." in line


@pytest.mark.parametrize("name", candidates.models.MODELS)
def test_a_model_tells_good_points_from_bad_ones(name):
    model = candidates.models.MODELS[name]
    function, space = model.make(), Space(model.parameters)
    points = space.points(np.random.default_rng(0).random((12, space.num_dimensions)))
    errors = [function(**point) for point in points]
    assert all(map(math.isfinite, errors))
    assert function(**points[0]) == errors[0]
    assert max(errors) > 1.2 * min(errors)


def test_what_was_not_measured_is_left_out_and_said(results):
    leave_candidates(0.5)
    assert "- Sobol startup: not measured." in candidates.report()
    assert "- GPSampler: not measured: it needs torch, which is not installed here." in candidates.report()
    assert "GPSampler |" not in "\n".join(candidates.report())


def test_each_seed_of_a_candidate_is_measured_once(results, monkeypatch):
    best = {"20": 1.0}
    first, *rest = ({"task": task, "by": candidates.PLAIN, "seed": 0, "best": best} for task in candidates.TASKS)
    asked = []

    class Pool:
        def __init__(self, *_arguments):
            pass

        def __enter__(self):
            return self

        def __exit__(self, *_error):
            pass

        def imap_unordered(self, _search, jobs):
            asked.extend(jobs)
            return rest

    monkeypatch.setattr(candidates, "MEASURED", [candidates.PLAIN])
    monkeypatch.setattr(candidates.multiprocessing, "get_context", lambda _how: SimpleNamespace(Pool=Pool))
    candidates.RESULTS.write_text(json.dumps(first) + "\n")
    candidates.run(1)
    assert asked == [(one["task"], one["by"], 0) for one in rest]
    candidates.run(1)
    assert len(asked) == len(rest)


@pytest.mark.parametrize(
    ("name", "at"),
    [("Ackley 5", 0), ("Rosenbrock 4", 1), ("Levy 4", 1), ("Rastrigin 4", 0), ("sphere 8", 0)],
)
def test_a_known_function_is_least_where_it_is_known_to_be(name, at):
    """And that is inside its space, but not in the middle."""
    task = candidates.TASKS[name]
    function, names = task.make(), [parameter.name for parameter in task.parameters]
    assert function(**dict.fromkeys(names, at)) == pytest.approx(0, abs=1e-12)
    points = Space(task.parameters).points(np.random.default_rng(0).random((100, len(names))))
    assert min(function(**point) for point in points) > 0
    assert all(part.min_value < at < part.max_value for part in task.parameters)
    assert all(part.min_value + part.max_value != 2 * at for part in task.parameters)


@pytest.mark.parametrize(("name", "share"), [("Levy 4, large points fail", 0.43), ("switches, two kinds fail", 0.5)])
def test_of_a_task_that_can_fail_as_many_points_do_as_it_says(name, share):
    task = candidates.TASKS[name]
    function, space = task.make(), Space(task.parameters)
    points = space.points(np.random.default_rng(0).random((NUM_POINTS, space.num_dimensions)))
    num_failed = 0
    for point in points:
        try:
            function(**point)
        except (MemoryError, RuntimeError):
            num_failed += 1
    assert num_failed / NUM_POINTS == pytest.approx(share, abs=0.1)


def test_failed_trials_of_a_candidate_are_counted_and_shown(results, monkeypatch):
    name = "switches, two kinds fail"
    task = dataclasses.replace(candidates.TASKS[name], budgets=(1, 12))
    monkeypatch.setattr(candidates, "TASKS", {name: task, "sphere 8": candidates.TASKS["sphere 8"]})
    found = [candidates.search((name, candidates.PLAIN, seed)) for seed in range(2)]
    assert all(0 < one["failed"] < 12 and one["best"]["12"] < math.inf for one in found)
    candidates.RESULTS.write_text("".join(json.dumps(one) + "\n" for one in found))
    shown = candidates.report()
    assert [line for line in shown if "failed of 60 | 1 trials" in line]
    [row] = [line for line in shown if line.startswith(f"| {candidates.PLAIN} | 2 |")]
    assert f" s | {np.mean([one['failed'] for one in found]):g} | " in row
    assert "| sampler | seeds | CPU time | 20 trials | 60 trials | 200 trials | 500 trials |" in shown


@pytest.mark.parametrize("by", candidates.MEASURED)
def test_a_candidate_searches_with_its_own_startup_and_repeats_itself(by):
    """Points of Sobol lie one in each half of a parameter, two by two; later points are TPE's."""
    task = candidates.TASKS["switches"]

    def points(seed):
        sampler = candidates.sampler(by, task.parameters)
        found = quality.simulated_search(task.make(), task.parameters, 2, seed, num_trials=14, optuna_sampler=sampler)
        return [point for point, _ in found]

    first = points(0)
    assert first == points(0)
    assert first[0] != points(1)[0]
    in_upper_half = [point["rate"] > 1e-3 for point in first[:8]]
    balanced = all(sum(in_upper_half[start : start + 2]) == 1 for start in range(0, 8, 2))
    assert balanced == ("Sobol" in by)


@pytest.mark.parametrize("name", TASKS)
def test_optuna_searches_the_space_that_ours_does(name):
    from scipy.stats import ks_2samp  # 1.5 s of CPU time, which each process that only finds the tests would take

    space = Space(TASKS[name].parameters)
    study = optuna.create_study(sampler=optuna.samplers.RandomSampler(seed=0))
    points = [suggest(TASKS[name].parameters, study.ask()) for _ in range(NUM_POINTS)]
    ours = space.points(np.random.default_rng(0).random((NUM_POINTS, space.num_dimensions)))
    assert {frozenset(point) for point in points} == {frozenset(point) for point in ours}
    for parameter in set().union(*points):
        theirs, mine = ([point[parameter] for point in many if parameter in point] for many in (points, ours))
        if isinstance(mine[0], str):
            assert set(theirs) == set(mine)
        else:
            assert ks_2samp(theirs, mine).pvalue > 1e-3
