"""What became of a search's trials, in the form in which strategies learn from it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, cast

from hpo_widgets.strategies.base import Observation
from hpo_widgets.trials import TrialRow, TrialState

if TYPE_CHECKING:
    from collections.abc import Iterator

    from hpo_widgets.controller.recorder import Recorder
    from hpo_widgets.space import Space


class History(Sequence[Observation]):
    """All ended trials as observations, read from the journal only when a strategy looks.

    Random and grid never do, so a change of range costs them nothing however many trials there are.
    """

    def __init__(self, recorder: Recorder, space: Space, num_numbered: int, active: frozenset[int]) -> None:
        self._recorder = recorder
        self._space = space
        # Trials that end later are told one by one; the history must not hold them too.
        self._later = active
        self._end = num_numbered
        self._observations: list[Observation] | None = None

    def __len__(self) -> int:
        return len(self._load())

    def __getitem__(self, index: Any) -> Any:
        return self._load()[index]

    def __iter__(self) -> Iterator[Observation]:
        return iter(self._load())

    def _load(self) -> list[Observation]:
        if self._observations is None:
            self._observations = [
                observation_of(row, self._space)
                for row in self._recorder.ended_rows()
                if row.number < self._end and row.number not in self._later
            ]
        return self._observations


def observation_of(row: TrialRow, space: Space) -> Observation:
    """A row as strategies see it."""
    values: tuple[float, ...] | None = None
    if row.values is not None and None not in row.values:
        values = cast("tuple[float, ...]", tuple(row.values))
    iteration = None if row.iteration is None else tuple(at or 0 for at in row.iteration)
    return Observation(row.number, space.decode(row.parameters), TrialState(row.state), values, iteration)
