"""What a trial is, apart from where it is kept."""

from __future__ import annotations

from hpo_widgets.objectives import make_objectives
from hpo_widgets.trials import split_key


def test_a_key_is_split_at_its_last_slash():
    assert split_key("a/b/c", ()) == ("a/b", "c")
    assert split_key("c", ()) == ("", "c")


def test_the_key_of_an_objective_is_split_as_the_objective_is():
    objectives = make_objectives(["loss", "a/b"], ["val/mse", "c"], ["min", "max"])
    assert split_key("loss/val/mse", objectives) == ("loss", "val/mse")
    assert split_key("a/b/c", objectives) == ("a/b", "c")
    assert split_key("loss/train/mse", objectives) == ("loss/train", "mse")
