"""The environment variables of workers: what all of them share, and what each has of its own."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    WorkerEnvironment = (
        Mapping[int, Mapping[str, object]]
        | Sequence[Mapping[str, object]]
        | Callable[[int], Mapping[str, object]]
        | None
    )

THREAD_LIMITS = (
    "OMP_NUM_THREADS",
    "OPENBLAS_NUM_THREADS",
    "MKL_NUM_THREADS",
    "BLIS_NUM_THREADS",
    "NUMEXPR_NUM_THREADS",
    "VECLIB_MAXIMUM_THREADS",
)
"""Numeric libraries get one thread a worker, where the user has not said otherwise: the workers share the cores."""


class Environments:
    """Makes the environment of each worker; belongs to the engine's thread.

    Parameters
    ----------
    own
        Variables by the worker's index: a mapping, a sequence or a function of the index. A value of None
        removes a variable.

    Attributes
    ----------
    shared : dict of str to str
        What every worker gets: this process's variables at the engine's beginning, and what the engine adds.
    """

    def __init__(self, own: WorkerEnvironment) -> None:
        self._own = own
        self.shared = dict(os.environ)
        for name in THREAD_LIMITS:
            self.shared.setdefault(name, "1")

    def of(self, index: int) -> dict[str, str]:
        """Return the variables of one worker."""
        environment = dict(self.shared)
        source = self._own
        if source is None:
            return environment
        if callable(source):
            own: Mapping[str, object] = source(index)
        elif hasattr(source, "get"):
            own = source.get(index, {})
        else:
            own = source[index] if index < len(source) else {}
        for name, value in own.items():
            if value is None:
                environment.pop(name, None)
            else:
                environment[name] = str(value)
        return environment
