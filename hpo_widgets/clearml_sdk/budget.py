"""The part of a strategy's budget that the SDK's reporter dies of."""

from __future__ import annotations

from typing import Any

from clearml.automation.optimization import Budget


class ReportedCompute(Budget.Field):
    """Compute time that is reported as ever, without the limit at which the SDK's reporter would die.

    The SDK compares a fraction with minutes there, and names an attribute that does not exist.
    """

    def __init__(self, former: Any) -> None:
        super().__init__(None)
        self.current = former.current
        self.minutes = former.limit

    @property
    def used(self) -> float | None:
        """The share that is used, as the SDK reports it."""
        if not self.minutes or not self.current:
            return None
        return float(sum(self.current.values())) / float(self.minutes)
