"""What kind of strategy an object of the SDK is."""

from __future__ import annotations

from typing import Any

from clearml.automation.optimization import GridSearch, RandomSearch, SearchStrategy


class StrategyKind:
    """Tells the SDK's strategies apart.

    Parameters
    ----------
    strategy
        The SDK's strategy object.
    """

    def __init__(self, strategy: Any) -> None:
        self.strategy = strategy

    @property
    def is_random(self) -> bool:
        """A random search."""
        return isinstance(self.strategy, RandomSearch)

    @property
    def is_grid(self) -> bool:
        """A grid search."""
        return isinstance(self.strategy, GridSearch)

    @property
    def is_optuna(self) -> bool:
        """The SDK's Optuna strategy, or one derived from it."""
        return any(kind.__name__ == "OptimizerOptuna" for kind in type(self.strategy).__mro__)

    @property
    def has_loop(self) -> bool:
        """Whether the SDK's common loop runs it, which asks `_next` for each job."""
        return type(self.strategy).start is SearchStrategy.start

    @property
    def study(self) -> Any:
        """The study of an Optuna strategy; None before its start and for others."""
        return getattr(self.strategy, "_study", None) if self.is_optuna else None
