"""Near matches, and numbers in few digits."""

from __future__ import annotations

import pytest

from hpo_widgets._messages import near_match, number


@pytest.mark.parametrize(
    ("word", "known", "sentence"),
    [
        ("learning_rat", ["learning_rate", "layers"], "Did you mean 'learning_rate'?"),
        ("LR", ["lr"], "Did you mean 'lr'?"),
        ("lr", ["Args/lr", "Args/layers"], "Did you mean 'Args/lr'?"),
        ("lrr", ["Args/layers", "Args/lr"], "Did you mean 'Args/lr'?"),
        ("General/depth", ["General/kind", "Args/depth"], "Did you mean 'Args/depth'?"),
        ("validaton/loss", ["validation/loss", "train/loss"], "Did you mean 'validation/loss'?"),
        ("General/learning_rate", ["General/lr", "General/units"], "Known: 'General/lr', 'General/units'."),
        ("zebra", ["lr", "layers"], "Known: 'lr', 'layers'."),
        ("lr", [], "None is known."),
    ],
)
def test_the_near_match_is_offered(word, known, sentence):
    assert near_match(word, known) == sentence


def test_a_long_list_is_cut():
    assert near_match("?", [f"parameter{number}" for number in range(40)]).endswith("'parameter11' and 28 more.")


@pytest.mark.parametrize(
    ("value", "digits", "shown"),
    [
        (9999.4, 4, "9999"),
        (9999.7, 4, "10000"),
        (-9999.7, 4, "-10000"),
        (999.7, 3, "1000"),
        (999.4, 3, "999"),
        (99999.7, 4, "100000"),
        (999999.7, 4, "1000000"),
    ],
)
def test_a_number_that_is_rounded_to_a_power_of_ten_keeps_plain_digits(value, digits, shown):
    assert number(value, digits) == shown
