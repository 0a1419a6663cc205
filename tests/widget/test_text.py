"""Numbers and durations in words."""

from __future__ import annotations

import math

import numpy as np
import pytest

from hpo_widgets.objectives import Objective
from hpo_widgets.widget import text


@pytest.mark.parametrize(
    ("value", "words"),
    [
        (0, "0"),
        (-3.0, "-3"),
        (0.036412, "0.03641"),
        (0.5, "0.5"),
        (123.456789, "123.5"),
        (12345.678, "12346"),
        (999999.0, "999999"),
        (1e6, "1e+6"),
        (12345678.0, "1.235e+7"),
        (0.001, "0.001"),
        (0.00099999, "1e-3"),
        (1e-300, "1e-300"),
        (1e300, "1e+300"),
        (-2.5e-5, "-2.5e-5"),
        (math.inf, "∞"),
        (-math.inf, "-∞"),
        (math.nan, "–"),
        (None, "–"),
    ],
)
def test_numbers_have_significant_digits_and_are_scientific_where_that_is_shorter(value, words):
    assert text.number(value) == words


@pytest.mark.parametrize(
    ("minutes", "words"),
    [
        (-1, "0:00"),
        (0, "0:00"),
        (0.5, "0:30"),
        (1.2, "1:12"),
        (59.999, "1:00:00"),
        (75.5, "1:15:30"),
        (1439.99, "23:59:59"),
        (1440, "1 d 0:00:00"),
        (4000, "2 d 18:40:00"),
        (6000, "4 d 4:00:00"),
    ],
)
def test_durations(minutes, words):
    assert text.duration(minutes) == words


@pytest.mark.parametrize(
    ("sign", "words"),
    [
        ("min", "minimise validation / loss"),
        ("max", "maximise validation / loss"),
        ("min_global", "minimise validation / loss (lowest report)"),
        ("max_global", "maximise validation / loss (highest report)"),
    ],
)
def test_objectives_say_which_report_counts(sign, words):
    assert text.objective(Objective("validation", "loss", sign)) == words


def test_one_is_told_as_one():
    assert [text.counted(count, "trial") for count in (0, 1, 2)] == ["0 trials", "1 trial", "2 trials"]


def test_ranges():
    assert text.range_in_words((0.001, 0.01), "log") == "0.001 … 0.01"
    assert text.range_in_words(("relu", None), "choice") == "relu, None"


def test_a_range_of_choices_that_are_objects_has_no_memory_address():
    assert text.range_in_words((max, int, object()), "choice") == "max, int, object"


def test_a_dict_in_python_is_python_whatever_the_values_are():
    plain = {"a": 1, "b": "it's", "c": [True, None, (2,)], "d": {"x": {3}, "y": frozenset()}, "e": np.float64(0.5)}
    odd = {"top": math.inf, "low": [-math.inf], "function": max, "array": np.zeros(2), "own": object}
    made = eval(text.as_dict({**plain, **odd, "none": math.nan}), {})
    assert {name: made[name] for name in plain} == plain
    assert (made["top"], made["low"]) == (math.inf, [-math.inf])
    assert (made["function"], made["array"], made["own"]) == ("max", "array([0., 0.])", "object")
    assert math.isnan(made["none"])


def test_texts_that_would_look_alike_lose_what_they_begin_with_in_common():
    long = [f"a long category {number} of many" for number in (1, 10, 2)]
    assert text.shorts([*long, "other", long[0]], 6) == ["…1 of…", "…10 o…", "…2 of…", "other", "…1 of…"]
    assert text.shorts(["resnet50_v1", "resnet50_v2"], 8) == ["…v1", "…v2"]
    assert text.shorts(["aaaaaaaa1", "aaaaaaaa2"], 6) == ["…1", "…2"]
    assert text.shorts(["one", "another long one"], 6) == ["one", "anoth…"]
    assert text.shorts([], 6) == []


def test_names_that_are_cut_in_their_middle_go_on_with_a_word():
    begin = "encoder_transformer_block_"
    names = [f"{begin}{end}" for end in ("first_learning_rate", "second_learning_rate", "first_attention_dropout")]
    assert [*text.short_names(names, 32).values()] == [
        "encoder_tr…first_learning_rate", "encoder_tr…second_learning_rate", "encoder_transfo…ttention_dropout",
    ]  # fmt: skip


@pytest.mark.parametrize("most", [12, 34])
def test_names_that_differ_in_their_middle_only_are_shortened_apart(most):
    ends = "learning_rate_of_the_last_group"
    names = [
        f"{net}_of_the_whole_{layer}_layer_{ends}" for net in ("encoder", "decoder") for layer in ("first", "third")
    ]
    names += ["dropout", "x" * 50 + "1" + "x" * 50, "x" * 50 + "2" + "x" * 50]
    shown = text.short_names([*names, names[0]], most)
    assert list(shown) == names
    assert len(set(shown.values())) == len(names)
    assert all(len(one) <= most for one in shown.values())
    assert shown["dropout"] == "dropout"
    assert "first" in shown[names[0]]
