"""The accessors of a trial."""

from __future__ import annotations

from hpo_widgets.trials import split_key


def test_a_key_is_split_at_its_last_slash():
    assert split_key("a/b/c") == ("a/b", "c")
