"""Selected trials: the trait that plots, table and panel share, and what a click makes of it."""

from __future__ import annotations

import operator
from typing import TYPE_CHECKING, Any

import traitlets as t

if TYPE_CHECKING:
    from hpo_widgets.search import Search

_MOST_NAMED = 3


class TrialNumbers(t.TraitType[list[int], Any]):
    """A list of numbers of trials of ``obj.search``, each once, in the order given.

    Anything iterable of whole numbers is taken, such as a NumPy array. A number without a trial is
    refused.
    """

    default_value: list[int] = []  # noqa: RUF012 -- what TraitType looks for; copied by make_dynamic_default
    info_text = "a list of trial numbers"

    def make_dynamic_default(self) -> list[int]:
        """Give each owner a list of its own."""
        return []

    def validate(self, obj: Any, value: Any) -> list[int]:
        """Return the numbers as a new list, or raise a ``TraitError`` that says what is wrong.

        Parameters
        ----------
        obj
            The widget, whose search has the trials.
        value
            What was assigned.

        Returns
        -------
        list of int
            The numbers, each once.

        Raises
        ------
        traitlets.TraitError
            When a number is none of the search's trials.
        """
        if isinstance(value, (str, bytes, dict)) or not hasattr(value, "__iter__"):
            msg = f"selected is a list of trial numbers, such as [0, 4], got {value!r:.80}"
            raise t.TraitError(msg)
        numbers = list(dict.fromkeys(_number(item) for item in value))
        num_trials = sum(obj.search.counts.values())
        unknown = [number for number in numbers if not 0 <= number < num_trials]
        if unknown:
            named = ", ".join(map(str, unknown[:_MOST_NAMED])) + (", …" if len(unknown) > _MOST_NAMED else "")
            msg = f"selected names trials that do not exist: {named}; the search has {num_trials} so far"
            raise t.TraitError(msg)
        return numbers


def _number(item: object) -> int:
    if not isinstance(item, bool):
        try:
            return operator.index(item)  # type: ignore[arg-type]  # what is no number raises
        except TypeError:
            pass
    msg = f"selected is a list of trial numbers, such as [0, 4]; {item!r:.80} is none"
    raise t.TraitError(msg)


def clicked(selected: list[int], number: int) -> list[int]:
    """Return the selection after a click on a trial: it alone, or nothing when it was that already.

    Parameters
    ----------
    selected
        Numbers of the selected trials.
    number
        The trial that was clicked on.

    Returns
    -------
    list of int
        Numbers of the selected trials.
    """
    return [] if selected == [number] else [number]


def is_trial(search: Search, number: object) -> bool:
    """Whether what a browser says is the number of a trial.

    Parameters
    ----------
    search
        The search.
    number
        What the browser sent.

    Returns
    -------
    bool
        False for anything but the number of a trial that exists.
    """
    return isinstance(number, int) and not isinstance(number, bool) and 0 <= number < sum(search.counts.values())
