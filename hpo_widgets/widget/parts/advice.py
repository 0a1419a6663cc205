"""One line of advice: a rule, its evidence and a button that does it; found in the background."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

import traitlets as t

from hpo_widgets._messages import run_in_thread
from hpo_widgets.search.advice import Advice, find_advice
from hpo_widgets.widget.assets import asset
from hpo_widgets.widget.parts.part import ViewPart
from hpo_widgets.widget.traits import TrialNumbers

if TYPE_CHECKING:
    from collections.abc import Callable
    from concurrent.futures import Future

    from hpo_widgets.search import Search
    from hpo_widgets.space import Space
    from hpo_widgets.widget.sync.refresher import Refresher, Update

_PAUSE_SECONDS = 2.0
_PAUSE_FACTOR = 20
_GROWTH = 1.5


class Adviser:
    """What a search advises, found on a thread of its own; looked at by the refresher's thread only.

    It is found again at most every two seconds, and not before twenty times the CPU time that it took has passed.
    Advice of an earlier space epoch is dropped at once.

    Parameters
    ----------
    clock
        Seconds that never go back.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._found: list[Advice] = []
        self._found_for: tuple[int, ...] = ()
        self._asked_for: tuple[int, ...] = ()
        self._answer: Future[tuple[list[Advice], float]] | None = None
        """What was found, and the CPU time that it took."""
        self._not_before = float("-inf")

    def advice_for(self, search: Search, poke: Callable[[], None], *, at_once: bool = False) -> list[Advice]:
        """Return what is advised, the most useful first, and have it found again where there is more to go by.

        Parameters
        ----------
        search
            The search.
        poke
            Called on another thread when there is an answer to look at.
        at_once
            Whether it has to be there now, as for a search that has ended. Default False.

        Returns
        -------
        list of Advice
            What was found last; empty after a change of the ranges.
        """
        if self._answer is not None and self._answer.done():
            answer, self._answer = self._answer, None
            self._found, seconds = answer.result()
            self._found_for = self._asked_for
            self._not_before = self._clock() + max(_PAUSE_SECONDS, _PAUSE_FACTOR * seconds)
        is_alive = search.status.is_alive
        at_once = at_once or not is_alive
        epochs = len(search.epochs)
        state = (epochs, is_alive, *search.counts.values())
        if at_once:
            is_due = state != self._asked_for or self._answer is not None
        else:
            is_due = state != self._asked_for and self._answer is None and self._clock() >= self._not_before
        if is_due:
            self._asked_for = state
            if at_once:
                self._answer, self._found, self._found_for = None, find_advice(search), state
            else:
                self._answer = run_in_thread("hpo_widgets advice", lambda: _timed(search), poke)
        # After a replay has gone back, it may be about trials that there are not.
        is_present = self._found_for[:1] == (epochs,) and sum(self._found_for[2:]) <= sum(state[2:])
        return self._found if is_present else []


def _timed(search: Search) -> tuple[list[Advice], float]:
    began = time.thread_time()
    return find_advice(search), time.thread_time() - began


class AdviceLine(ViewPart):
    """The most useful advice in one line, with its evidence, the trials that it speaks of, and a button that does it.

    "Not now" hides an advice until its evidence has grown by half; so does acting on it, as what was done and undone
    is not to be offered at once.

    Parameters
    ----------
    search
        The search to advise on.
    adviser
        Finds the advice. Default: one of its own.

    Examples
    --------
    >>> AdviceLine(optimizer)  # doctest: +SKIP
    """

    _esm = asset("advice.js")
    _css = asset("advice.css")

    selected = TrialNumbers(help="Two-way. Numbers of the selected trials; `show` changes them.")
    shown = t.Dict(
        default_value=None,
        allow_none=True,
        help="The advice in words: key, rule, sentence, evidence, trials, label; None: none.",
    ).tag(sync=True)
    advice = t.Dict(
        default_value=None,
        allow_none=True,
        help="The advice: rule, sentence, evidence, trials, command, arguments, label; None: none.",
    )
    advised = t.Dict(help="Ranges as the advice would narrow them: [low, high] in values, or indices of choices.")

    def __init__(
        self, search: Search, *, adviser: Adviser | None = None, refresher: Refresher | None = None, **traits: object
    ) -> None:
        self._adviser = Adviser() if adviser is None else adviser
        self._put_off: dict[str, float] = {}
        """Key of each advice that was put off, to the weight of its evidence then."""
        self._now: Advice | None = None
        super().__init__(search, refresher=refresher, commands={"act": None}, **traits)

    def refresh(self, update: Update) -> None:
        """Show the most useful advice that was not put off."""
        found = self._adviser.advice_for(update.search, self._refresher.poke, at_once=update.at_once)
        self._show(next((one for one in found if not self._is_put_off(one)), None))

    def _is_put_off(self, advice: Advice) -> bool:
        weight = self._put_off.get(advice.key)
        return weight is not None and advice.weight < _GROWTH * weight

    def _show(self, advice: Advice | None) -> None:
        if advice is not None and advice == self._now:
            return
        self._now = advice
        with self.hold_sync():
            if advice is None:
                self.set_trait("shown", None)
                self.set_trait("advice", None)
                self.advised = {}
                return
            words = {
                "rule": advice.code,
                "sentence": advice.sentence,
                "evidence": advice.evidence,
                "trials": list(advice.trials),
                "label": advice.label,
            }
            self.shown = {"key": _answered(advice), **words}
            self.advice = {**words, "command": advice.command, "arguments": advice.arguments}
            self.advised = _narrowed(advice, self.search.space)

    def _meant(self, content: dict[str, object]) -> Advice | None:
        """The advice that a message is about; None when another one has taken its place."""
        return self._now if self._now is not None and content.get("key") == _answered(self._now) else None

    def _on_act(self, content: dict[str, object]) -> None:
        with self._refresher.lock:
            advice = self._meant(content)
            if advice is None:
                return
            self._hide(advice)
        self.search.command(advice.command, *advice.arguments)

    def _on_put_off(self, content: dict[str, object]) -> None:
        with self._refresher.lock:
            if (advice := self._meant(content)) is not None:
                self._hide(advice)
        self._refresher.poke()

    def _on_show(self, content: dict[str, object]) -> None:
        with self._refresher.lock:
            advice = self._meant(content)
        if advice is not None:
            self.selected = list(advice.trials)

    def _hide(self, advice: Advice) -> None:
        self._put_off[advice.key] = advice.weight
        self._show(None)


def _answered(advice: Advice) -> str:
    """What an answer is about: more evidence for the same advice may change what its button does."""
    return f"{advice.key}:{advice.label}"


def _narrowed(advice: Advice, space: Space) -> dict[str, list[float]]:
    """Return what an advice leaves of the ranges that it narrows, as `SpacePanel.ranges` has them."""
    if advice.command != "set_ranges":
        return {}
    kept: dict[str, list[float]] = {}
    after = space.with_ranges(advice.arguments[0])
    for name in advice.arguments[0]:
        leaf: Any = after.leaf(name)
        before: Any = space.leaf(name)
        if leaf.kind == "choice":
            kept[name] = list(leaf.allowed)
        elif leaf.range[0] >= before.range[0] and leaf.range[1] <= before.range[1]:
            kept[name] = list(leaf.range)
    return kept
