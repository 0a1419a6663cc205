"""What the tests of strategies share: a driver that stands in for the controller."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import pytest

from hpo_widgets.objectives import make_objectives
from hpo_widgets.strategies import Observation, Proposal, SearchStrategy
from hpo_widgets.trials import TrialState

if TYPE_CHECKING:
    from collections.abc import Callable

    from hpo_widgets.space import Space

Point = dict[str, Any]


@dataclass
class Driver:
    """Does with a strategy what the controller does: ask, leave out what was tried, launch, tell."""

    strategy: SearchStrategy
    space: Space
    sign: str = "min"
    num_objectives: int = 1
    allow_duplicates: bool = False
    allows: Callable[[Point], bool] | None = None
    epoch: int = -1
    number: int = 0
    history: list[Observation] = field(default_factory=list)
    keys: set[Any] = field(default_factory=set)
    last_draw: int = -1

    def __post_init__(self) -> None:
        several = [f"o{i}" for i in range(self.num_objectives)]
        self.objectives = make_objectives(several, several, [self.sign] * self.num_objectives)
        self.strategy.seen = self._is_seen
        if self.allows is not None:
            self.strategy.allows = self.allows
        self.begin(self.space)

    def _is_seen(self, point: Point) -> bool:
        is_refused = self.allows is not None and not self.allows(point)
        return is_refused or (not self.allow_duplicates and self.space.key(point) in self.keys)

    def begin(self, space: Space, draws: int = 0) -> None:
        self.space = space
        self.epoch += 1
        self.strategy.begin(space, self.objectives, self.epoch, list(self.history), draws)

    def ask(self) -> Proposal | None:
        for _ in range(1000):
            proposal = self.strategy.ask()
            if proposal is None:
                return None
            assert self.space.contains(proposal.point), proposal.point
            self.last_draw = proposal.draw
            if self.allow_duplicates or self.space.key(proposal.point) not in self.keys:
                return proposal
        raise AssertionError("the strategy proposes only what was tried already")

    def launch(self, proposal: Proposal) -> int:
        number = self.number
        self.number += 1
        self.keys.add(self.space.key(proposal.point))
        self.strategy.launched(proposal, number)
        return number

    def end(self, number: int, point: Point, *values: float, state: TrialState = TrialState.COMPLETED) -> Observation:
        observation = Observation(number, point, state, values or None, (10,) * len(values) if values else None)
        self.history.append(observation)
        self.strategy.tell(observation)
        return observation

    def run(self, n: int, objective: Callable[[Point], float]) -> list[Point]:
        """Run ``n`` trials one after the other; fewer when the space is exhausted."""
        points = []
        for _ in range(n):
            proposal = self.ask()
            if proposal is None:
                break
            value = objective(proposal.point)
            self.end(self.launch(proposal), proposal.point, *([value] * self.num_objectives))
            points.append(proposal.point)
        return points


@pytest.fixture
def drive() -> type[Driver]:
    return Driver
