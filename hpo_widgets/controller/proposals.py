"""Where the controller gets its next point: the strategy, asked inline or on a thread of its own.

Strategies that only sample (random, grid) answer in microseconds and are asked on the controller's
thread. A model may think for 100 ms, so it is asked on its own thread, which alone touches it; its
answers come back through the controller's inbox. Points chosen under an earlier space epoch are
dropped here and never run.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

from hpo_widgets.controller.drawing import Drawing
from hpo_widgets.controller.inline_proposals import InlineProposals
from hpo_widgets.controller.threaded_proposals import ThreadedProposals

if TYPE_CHECKING:
    import threading
    from collections.abc import Callable, Sequence

    from hpo_widgets.objectives import Objective
    from hpo_widgets.space import Space
    from hpo_widgets.strategies.base import Observation, Proposal, SearchStrategy


class Proposals(Protocol):
    """What the controller asks; used on the controller's thread only."""

    is_exhausted: bool
    """True when the strategy has no further point in the present epoch."""
    error: BaseException | None
    """What the strategy raised; the search ends with it."""
    wants_observations: bool
    """False when telling it of ended trials would be for nobody."""

    def begin(self, space: Space, epoch: int, history: Sequence[Observation], draws: int) -> None:
        """Begin a space epoch: what was asked before is dropped."""
        ...

    def next(self) -> tuple[Proposal, list[float | None]] | None:
        """The next point with its encoded form; None: not yet, exhausted, or an error."""
        ...

    def launched(self, proposal: Proposal, number: int) -> None:
        """Tell the strategy which trial runs its point."""
        ...

    def ended(self, number: int) -> None:
        """Count a trial as ended, before `tell`."""
        ...

    def tell(self, observation: Observation) -> None:
        """Tell the strategy how a trial ended."""
        ...

    def report(self, number: int, iteration: int, value: float) -> None:
        """Pass on an interim value, for pruning."""
        ...

    def take_prunes(self) -> list[int]:
        """Trials that the pruner has given up since the last call."""
        ...

    def close(self) -> None:
        """Let go of the strategy; its thread, if any, ends after the question it is at."""
        ...


def make_proposals(
    strategy: SearchStrategy,
    objectives: tuple[Objective, ...],
    seen: set[tuple[float | None, ...]],
    *,
    allow_duplicates: bool,
    is_seeded: bool,
    num_workers: Callable[[], int],
    wake: Callable[[], None],
    alone: threading.Lock,
) -> Proposals:
    """Choose how a strategy is asked; see the module's docstring.

    ``alone`` is held by the thread that asks the strategy: one lock a strategy, whatever the runs.
    """
    drawing = Drawing(strategy, objectives, seen, allow_duplicates=allow_duplicates, alone=alone)
    if not strategy.is_model_based:
        return InlineProposals(drawing)
    return ThreadedProposals(
        drawing,
        num_workers=num_workers,
        asks_one_at_a_time=lambda: is_seeded and num_workers() == 1,
        wake=wake,
    )
