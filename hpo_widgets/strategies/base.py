"""The contract of a search strategy: how the next point is chosen, and how to write your own.

A strategy sees points, never jobs, workers or journals. The controller tells it of a new space, asks
it for points and tells it what became of them. Every call comes from one thread at a time, so a
strategy needs no locks.
"""

from __future__ import annotations

import inspect
import operator
import secrets
from abc import ABC, abstractmethod
from typing import TYPE_CHECKING, Any, ClassVar, NamedTuple, cast

from hpo_widgets._messages import near_match
from hpo_widgets.trials import TrialState

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from typing import Self

    from hpo_widgets.objectives import Objective
    from hpo_widgets.parameters import Parameter
    from hpo_widgets.space import Space
    from hpo_widgets.trials import TrialRow

    Curves = Mapping[int, Mapping[int, float]]


class Proposal(NamedTuple):
    """A point that a strategy wants to see evaluated.

    Attributes
    ----------
    point
        Full parameter name to Python value, inside the current space.
    draw
        How many points the strategy had drawn in this space epoch before this one. The journal keeps
        it, so that a search that is opened again continues with the next draw. -1: not counted.
    """

    point: dict[str, Any]
    draw: int = -1


class Observation(NamedTuple):
    """What became of one trial.

    Attributes
    ----------
    number
        The trial's number in its search.
    point
        Full parameter name to Python value. Enqueued points, recorded results and points of earlier
        spaces come too, so it may lie outside the current space.
    state
        How the trial ended.
    values
        One float per objective, in the order of the objectives; None when it has none.
    iteration
        The iteration of each value; None when there are no values.
    """

    number: int
    point: dict[str, Any]
    state: TrialState
    values: tuple[float, ...] | None
    iteration: tuple[int, ...] | None = None

    @classmethod
    def of(cls, row: TrialRow, space: Space) -> Observation:
        """Return what a trial's row tells.

        Parameters
        ----------
        row
            Of a trial that has ended.
        space
            A space of its search, which knows the types of its values.

        Returns
        -------
        Observation
            Without values where an objective is missing.
        """
        values: tuple[float, ...] | None = None
        if row.values is not None and None not in row.values:
            values = cast("tuple[float, ...]", tuple(row.values))
        iteration = None if row.iteration is None else tuple(at or 0 for at in row.iteration)
        return cls(row.number, space.decode(row.parameters), TrialState(row.state), values, iteration)


def _nothing_seen(point: dict[str, Any]) -> bool:  # noqa: ARG001  the signature is the contract
    return False


def all_allowed(point: dict[str, Any]) -> bool:  # noqa: ARG001  the signature is the contract
    """Allow every point, as where a search has no constraint."""
    return True


def _nothing_reported(numbers: Sequence[int]) -> Curves:  # noqa: ARG001  the signature is the contract
    return {}


class SearchStrategy(ABC):
    """The base of all strategies; derive from it to write your own.

    Only `ask` must be written. Constructor arguments are keywords of the controller:
    ``HyperParameterOptimizer(..., optimizer_class=MyStrategy, my_keyword=1)``. Keywords that no
    constructor of the class names raise a TypeError that offers the nearest one.

    Parameters
    ----------
    seed
        Seed of the strategy's random numbers, an integer of at least 0. Default: a random one, kept in
        ``seed``, so that every search can be repeated.

    Attributes
    ----------
    is_seeded
        True when a seed was given. The same seed then gives the same search when there is one worker.
    space, objectives, epoch
        What `begin` was given last.
    seen
        ``seen(point)`` is True for a point that needs no further trial because it was run, runs or
        was already proposed, and for one that the search's constraint does not allow. Set by the controller; False
        for all that it allows where duplicates are allowed.
    allows
        ``allows(point)`` is False for a point that the search's constraint does not allow. Set by the controller.
    past_curves
        ``past_curves(numbers)`` maps the numbers of trials that have ended to what these had reported of the first
        objective: iteration to value. Set by the controller where `is_model_based`, as it reads the journal, which may
        take long; empty elsewhere, and for Tasks, whose curves only their server has.
    is_model_based
        True when `ask` is slow, or gives better points the more results are known. The controller asks
        such a strategy on a thread of its own, when a worker is free.
    supports_several_objectives
        False makes `check` refuse a search with more than one objective.
    supports_pruning
        True when `report` may answer True.
    notes
        Sentences a person should know about this strategy on this space, such as what it draws at
        random.

    Examples
    --------
    A strategy that walks from the best point so far, one parameter at a time:

    >>> import numpy as np
    >>> from hpo_widgets import SearchStrategy
    >>> from hpo_widgets.strategies import Proposal
    >>> class Walk(SearchStrategy):
    ...     is_model_based = True
    ...
    ...     def __init__(self, *, distance=0.1, seed=None, **keywords):
    ...         super().__init__(seed=seed, **keywords)
    ...         self.distance = distance
    ...         self._rng = np.random.default_rng(self.seed)
    ...         self._best = None
    ...         self._drawn = 0
    ...
    ...     def begin(self, space, objectives, epoch, history, draws):
    ...         super().begin(space, objectives, epoch, history, draws)
    ...         self._best, self._drawn = None, draws
    ...         for observation in history:
    ...             self.tell(observation)
    ...
    ...     def tell(self, observation):
    ...         if observation.values is None or not self.space.contains(observation.point):
    ...             return
    ...         value = observation.values[0] * (1 if self.objectives[0].minimise else -1)
    ...         if self._best is None or value < self._best[0]:
    ...             self._best = value, observation.point
    ...
    ...     def ask(self):
    ...         [point] = self.space.points(self._rng.random((1, self.space.num_dimensions)))
    ...         if self._best is not None:
    ...             name = self._rng.choice(list(point))
    ...             point = {**self._best[1], name: point[name]}
    ...         self._drawn += 1
    ...         return Proposal(point, self._drawn - 1)
    """

    is_model_based: ClassVar[bool] = False
    supports_several_objectives: ClassVar[bool] = True
    supports_pruning: bool = False

    @property
    def wants_reports(self) -> bool:
        """Whether interim values are of use to it; by default, whether its class has a `report` of its own."""
        kind, base = type(self), SearchStrategy
        return kind.report is not base.report or kind.report_many is not base.report_many

    @property
    def title(self) -> str:
        """What a person calls the strategy; by default the name of its class."""
        return type(self).__name__

    space: Space
    objectives: tuple[Objective, ...]
    epoch: int
    seen: Callable[[dict[str, Any]], bool]
    allows: Callable[[dict[str, Any]], bool]
    past_curves: Callable[[Sequence[int]], Curves]
    notes: tuple[str, ...] = ()

    def __new__(cls, *_arguments: object, **keywords: object) -> Self:
        """Refuse unknown keywords; done here so that it also holds for users' classes that override ``__init__``."""
        known = cls.keywords()
        for keyword in keywords:
            if keyword not in known:
                raise TypeError(f"{cls.__name__} has no keyword {keyword!r}. {near_match(keyword, known)}")
        return super().__new__(cls)

    def __init__(self, *, seed: int | None = None) -> None:
        self.is_seeded = seed is not None
        self.seed: int = secrets.randbits(32) if seed is None else _checked_seed(seed)
        self.seen = _nothing_seen
        self.allows = all_allowed
        self.past_curves = _nothing_reported

    @classmethod
    def keywords(cls) -> tuple[str, ...]:
        """Return the names of all keywords that the constructor takes, base classes included."""
        names: dict[str, None] = {}
        for base in cls.__mro__:
            if "__init__" not in vars(base) or base is object:
                continue
            parameters = list(inspect.signature(vars(base)["__init__"]).parameters.values())[1:]
            names.update((p.name, None) for p in parameters if p.kind in (p.KEYWORD_ONLY, p.POSITIONAL_OR_KEYWORD))
            if all(p.kind is not p.VAR_KEYWORD for p in parameters):
                break
        return tuple(names)

    def unsupported(self, parameter: Parameter) -> str | None:  # noqa: ARG002
        """Say why this strategy cannot choose values of ``parameter``; None when it can.

        `capabilities` lists the answers for a whole space. The controller's constructor raises a
        ValueError with the sentences.
        """
        return None

    def capabilities(self, space: Space) -> dict[str, str | None]:
        """List for each parameter of ``space`` None, or the sentence why its values cannot be chosen.

        The keys are the parameters' names; a `ParameterSet`, which has none, goes by its repr.
        """
        return {parameter.name or repr(parameter): self.unsupported(parameter) for parameter in space.parameters}

    def why_no_prior(self) -> str | None:
        """Say why this strategy cannot follow the priors of its space (``space.priors``); None when it can.

        A strategy of your own that samples by `hpo_widgets.space.Space.follow_priors` returns None here.
        """
        return f"{self.title} follows no prior: random search and Optuna's TPE do"

    def check(self, space: Space, objectives: Sequence[Objective]) -> None:
        """Raise a ValueError when this strategy cannot search ``space`` for ``objectives``.

        Called before anything runs, and by the first `begin`.

        Parameters
        ----------
        space
            The space to search.
        objectives
            What is optimised.

        Raises
        ------
        ValueError
            With all reasons.
        """
        reasons = [reason for reason in self.capabilities(space).values() if reason is not None]
        if len(objectives) > 1 and not self.supports_several_objectives:
            reasons.append(
                f"{type(self).__name__} takes one objective, got {len(objectives)}: choose one of "
                "them or a strategy that takes several, such as OptimizerOptuna"
            )
        if reasons:
            raise ValueError("; ".join(reasons))

    def begin(
        self,
        space: Space,
        objectives: Sequence[Objective],
        epoch: int,
        history: Sequence[Observation],  # noqa: ARG002  for strategies that learn
        draws: int,  # noqa: ARG002  for strategies that count
    ) -> None:
        """Start on a space: when the search starts or is opened again, its space changes, or other trials count.

        Parameters
        ----------
        space
            The space from now on. All points asked for later lie inside it.
        objectives
            What is optimised; the same in every call.
        epoch
            The number of this version of the space, from 0.
        history
            All trials ended so far but those that are left out, oldest first, those of other spaces included.
        draws
            How many points were drawn in this epoch already; above 0 only when a search is opened again, or trials
            were left out of it or taken back.
        """
        if not hasattr(self, "space"):
            self.check(space, objectives)
        self.space = space
        self.objectives = tuple(objectives)
        self.epoch = epoch

    @abstractmethod
    def ask(self) -> Proposal | None:
        """Return the next point, or None when the space has no further one.

        A point that was ``seen`` may be returned: the controller then asks again, up to a thousand times in a row. On
        a finite space it has to return None or an unseen point after finitely many calls.
        """

    def launched(self, proposal: Proposal, number: int) -> None:  # noqa: B027  optional
        """Learn which trial runs a point.

        Parameters
        ----------
        proposal
            What `ask` returned.
        number
            The trial's number.
        """

    def dropped(self, proposal: Proposal) -> None:  # noqa: B027  optional
        """Learn that ``proposal`` will not be run. Not called for those left over at `begin`."""

    def report(self, number: int, iteration: int, value: float) -> bool:  # noqa: ARG002
        """Learn an intermediate value of a running trial; True asks to prune it.

        Where trials report faster than this method returns, it gets only the newest value of each; see `report_many`.

        Parameters
        ----------
        number
            The trial's number.
        iteration
            The iteration that the value was reported for.
        value
            The value of the first objective at it.

        Returns
        -------
        bool
            Whether to end the trial as pruned.
        """
        return False

    def report_many(self, number: int, reports: Sequence[tuple[int, float]]) -> bool:
        """Learn all that a running trial has reported since the last call; True asks to prune it.

        Override it to learn the values between the newest ones.

        Parameters
        ----------
        number
            The trial's number.
        reports
            Iteration and value of the first objective, at least one, oldest first.

        Returns
        -------
        bool
            Whether to end the trial as pruned. The default is what `report` says of the newest.
        """
        return self.report(number, *reports[-1])

    def tell(self, observation: Observation) -> None:  # noqa: B027  optional
        """Learn how a trial ended, or a result that was recorded; the point may lie outside the current space."""


def _checked_seed(seed: int) -> int:
    try:
        number = operator.index(seed)
    except TypeError:
        number = -1
    if number < 0 or isinstance(seed, bool):
        msg = f"seed must be an integer of at least 0 or None, got {seed!r}"
        raise ValueError(msg)
    return number
