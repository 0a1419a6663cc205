"""A strategy that answers in microseconds, asked on the controller's own thread."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from hpo_widgets.controller.drawing import Drawing
    from hpo_widgets.space import Space
    from hpo_widgets.strategies.base import Observation, Proposal, SearchStrategy


class InlineProposals:
    """Asks a sampling strategy on the controller's own thread."""

    def __init__(self, drawing: Drawing) -> None:
        self._drawing = drawing
        self.wants_observations = _overrides(drawing.strategy, "tell")
        self._wants_launches = _overrides(drawing.strategy, "launched")
        self._wants_reports = _overrides(drawing.strategy, "report")
        self._prunes: list[int] = []
        self.is_exhausted = False
        self.error: BaseException | None = None

    def begin(self, space: Space, epoch: int, history: Sequence[Observation], draws: int) -> None:
        self.is_exhausted = False
        self._guarded(lambda: self._drawing.begin(space, epoch, history, draws))

    def next(self) -> tuple[Proposal, list[float | None]] | None:
        if self.is_exhausted or self.error is not None:
            return None
        try:
            drawn = self._drawing.draw()
        except Exception as error:  # noqa: BLE001 -- a strategy may be the user's own
            self.error = error
            return None
        if drawn is None:
            self.is_exhausted = True
            return None
        return drawn

    def launched(self, proposal: Proposal, number: int) -> None:
        if self._wants_launches:
            self._guarded(lambda: self._drawing.strategy.launched(proposal, number))

    def ended(self, number: int) -> None:
        """Nothing depends on it: an inline strategy is never asked ahead."""

    def tell(self, observation: Observation) -> None:
        self._guarded(lambda: self._drawing.strategy.tell(observation))

    def report(self, number: int, iteration: int, value: float) -> None:
        if not self._wants_reports:
            return

        def ask_pruner() -> None:
            if self._drawing.strategy.report(number, iteration, value):
                self._prunes.append(number)

        self._guarded(ask_pruner)

    def take_prunes(self) -> list[int]:
        prunes, self._prunes = self._prunes, []
        return prunes

    def close(self) -> None:
        """Nothing to let go of."""

    def _guarded(self, call: Callable[[], None]) -> None:
        try:
            call()
        except Exception as error:  # noqa: BLE001 -- a strategy may be the user's own
            self.error = error


def _overrides(strategy: SearchStrategy, method: str) -> bool:
    """Whether a strategy has its own form of a method, so that no call is made for nobody."""
    from hpo_widgets.strategies.base import SearchStrategy as Base

    return getattr(type(strategy), method) is not getattr(Base, method)
