"""The search strategy that asks an Optuna sampler and an Optuna pruner."""

from __future__ import annotations

import copy
from typing import TYPE_CHECKING, Any, ClassVar, NamedTuple

import numpy as np
import optuna
from optuna.samplers import BruteForceSampler, CmaEsSampler, QMCSampler
from optuna.trial import TrialState as OptunaState

from hpo_widgets.strategies.base import Proposal, SearchStrategy, all_allowed
from hpo_widgets.strategies.optuna import priors, samplers
from hpo_widgets.strategies.optuna.gaussian_process import AlternatingSampler
from hpo_widgets.strategies.optuna.history import PastTrials, has_failed, last_report, outcome, tell_failed
from hpo_widgets.strategies.optuna.mapping import SpaceMap
from hpo_widgets.strategies.optuna.study import AskTellStudy, directions_of, quiet
from hpo_widgets.strategies.optuna.window import WindowedStorage
from hpo_widgets.strategies.sampling import PointStream, first_unseen

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from optuna.pruners import BasePruner
    from optuna.samplers import BaseSampler

    from hpo_widgets.objectives import Objective
    from hpo_widgets.parameters import Parameter
    from hpo_widgets.space import Space
    from hpo_widgets.strategies.base import Observation

_ASKS = 10  # proposals in a row of points that are known already, before a random point is taken
_EXHAUSTIVE_ASKS = 10_000  # the same for samplers that go through a list to its end


class OptimizerOptuna(SearchStrategy):
    """Choose points by a sampler for Optuna, and give up poor trials by an Optuna pruner.

    Optuna is asked and told; it never runs trials itself. A ParameterSet becomes conditional
    parameters. A change of range begins a new study that holds the history inside the new ranges, with
    a fresh copy of the sampler; points asked before are forgotten, running trials stay known.

    **Long searches.** A sampler reads all finished trials at every ask. Here it sees at most
    ``max_observations`` of them and a quarter more: one third the best, one third the newest, the rest
    at random, chosen again each time a quarter has come in. Measured with TPE and five parameters on
    one core: an ask takes 7.5 ms however long the search (3.5 ms with 300), 59 ms at 10,000 trials
    with None; one of the Gaussian process takes 2 ms with 10 trials and 6 ms from 100 trials on, up to
    twice as long where trials have failed; a change of range at 10,000 trials takes 0.14 s. Grid,
    brute-force and NSGA samplers keep records of their own over all trials and are shown all of them.

    **Failed trials**: the default sampler learns which points fail and proposes fewer of them. Those
    given as ``optuna_sampler`` are told of failed trials as by Optuna itself, and ignore them.

    **Priors** of the space count in TPE's comparison of candidates, less and less the more trials end
    (`hpo_widgets.strategies.optuna.priors`); other samplers follow none.

    **A constraint** of the search: points that it refuses cost no budget. The Gaussian process looks only at points
    that are allowed; other samplers are asked again, up to ten times, then an allowed random point is taken.

    **Duplicates** cost no budget: when the sampler proposes a point that was tried, runs or is proposed
    already, it is asked again, up to ten times; then an unseen random point is taken. On a finite space
    `ask` returns None when every point is seen.

    Parameters
    ----------
    optuna_sampler
        Any sampler of Optuna, as a template: it is copied, never used itself. Default: TPE and a Gaussian process in
        turn (`hpo_widgets.strategies.optuna.gaussian_process`); ``TPESampler()`` is TPE alone.
    optuna_pruner
        Any pruner of Optuna, copied likewise. Default, as in Optuna and ClearML: ``MedianPruner()``,
        which acts from the sixth trial on; ``NopPruner()`` never prunes. With several objectives
        nothing is pruned, since Optuna's pruners compare one value. In a search that is opened
        again the pruner knows what the newest ``max_observations`` trials of the journal had reported. Reports of Tasks
        are at their server alone: there it compares with trials that end from then on, once it has enough of these.
    continue_previous_study
        An ``optuna.Study`` with the same directions. Its finished trials that lie inside the space are
        known to the sampler from the start, as if they had been run here; they count in no budget.
    min_iteration_per_job
        No trial is pruned before it reported this iteration of the objective. Default: from the first.
    max_iteration_per_job
        A trial that is ended when it reports this iteration counts as complete. Default: none is.
    max_observations
        How many finished trials the sampler sees; None for all. Default 1,000; at least 30.
    seed
        An integer of at least 0. Default: a fresh one, kept in ``seed``. With one worker, and where no trial is pruned,
        the same seed gives the same search. A sampler that brings its own seed starts with that. A scrambled QMC
        sequence goes on after reopening only where there is a seed, here or in its sampler.
    """

    is_model_based: ClassVar[bool] = True
    supports_pruning: bool = True

    def __init__(
        self,
        *,
        optuna_sampler: BaseSampler | None = None,
        optuna_pruner: BasePruner | None = None,
        continue_previous_study: optuna.Study | None = None,
        min_iteration_per_job: int | None = None,
        max_iteration_per_job: int | None = None,
        max_observations: int | None = 1000,
        seed: int | None = None,
    ) -> None:
        super().__init__(seed=seed)
        _expect(optuna_sampler, optuna.samplers.BaseSampler, "optuna_sampler", "TPESampler()")
        _expect(optuna_pruner, optuna.pruners.BasePruner, "optuna_pruner", "MedianPruner()")
        _expect(continue_previous_study, optuna.Study, "continue_previous_study", "load_study(...)")
        if max_observations is not None and max_observations < 30:
            raise ValueError(f"max_observations must be at least 30, or None for all, got {max_observations!r}")
        self.optuna_sampler = optuna_sampler
        self.optuna_pruner = optuna_pruner
        self.continue_previous_study = continue_previous_study
        self.min_iteration_per_job = min_iteration_per_job
        self.max_iteration_per_job = max_iteration_per_job
        self.max_observations = max_observations
        self._study: AskTellStudy | None = None
        self._sequence: samplers.SpaceWideSampler | None = None
        self._proposed: dict[int, _Proposed] = {}  # by draw
        self._running: dict[int, _Job] = {}  # by trial number
        self._met: set[int] = set()
        """Trials that were in a history, or whose ends were told."""
        self._curves: dict[int, Mapping[int, float]] = {}
        """Intermediate values of trials as of the last `begin`, by number."""

    @property
    def title(self) -> str:
        """The name of the sampler, such as ``TPE``; ``TPE + GP`` for the default."""
        sampler = self.optuna_sampler
        return "TPE + GP" if sampler is None else type(sampler).__name__.removesuffix("Sampler")

    @property
    def _learns_failures(self) -> bool:
        """Whether the sampler is to learn of failed trials; one of the user's is told of them as by Optuna itself."""
        return self.optuna_sampler is None

    # ------------------------------------------------------------------ what it can do

    def unsupported(self, parameter: Parameter) -> str | None:
        """Say why the sampler cannot choose values of ``parameter``; None when it can."""
        if isinstance(self.optuna_sampler, BruteForceSampler) and samplers.has_continuous(parameter):
            return (
                f"BruteForceSampler tries every value and {parameter.name or 'a ParameterSet'} has "
                "a range without steps: give it a step_size or choose another sampler"
            )
        return None

    def why_no_prior(self) -> str | None:
        """Say why the sampler cannot follow priors; None for TPE, which can."""
        return priors.why_not(self.optuna_sampler)

    def check(self, space: Space, objectives: Sequence[Objective]) -> None:
        """Raise a ValueError when the sampler cannot search ``space`` for ``objectives``.

        A sampler other than the default is asked for two points as a test.
        """
        super().check(space, objectives)
        study = self.continue_previous_study
        directions = directions_of(objectives)
        if study is not None and list(study.directions) != directions:
            theirs = ", ".join(direction.name.lower() for direction in study.directions)
            ours = ", ".join(direction.name.lower() for direction in directions)
            raise ValueError(f"continue_previous_study is to {theirs}, this search is to {ours}")
        if self.optuna_sampler is None:
            return
        kind = type(self.optuna_sampler).__name__
        if missing := samplers.missing_libraries(self.optuna_sampler):
            raise ValueError(f"{kind} needs what is not installed here: pip install {' '.join(missing)}")
        with quiet():
            try:
                sampler = samplers.fresh(self.optuna_sampler, self.seed, 0, 0, is_seeded=self.is_seeded)
                storage = WindowedStorage(None, np.random.default_rng(0))
                study = AskTellStudy(storage, directions, sampler, optuna.pruners.NopPruner())
                mapping = SpaceMap(space)
                for _ in range(2):  # many samplers look at the space from the second trial on
                    trial = study.ask()
                    mapping.suggest(trial)
                    study.tell(trial, [0.0] * len(directions))
            except Exception as error:
                raise ValueError(f"{kind} cannot search this space: {error}") from error

    @property
    def study(self) -> AskTellStudy:
        """The study of the present space, to read only: its trials are those of this search."""
        assert self._study is not None  # noqa: S101  begin comes first
        return self._study

    # ------------------------------------------------------------------ a space begins

    def begin(
        self,
        space: Space,
        objectives: Sequence[Objective],
        epoch: int,
        history: Sequence[Observation],
        draws: int,
    ) -> None:
        """Start a study on a space with the history inside it. See `SearchStrategy.begin`."""
        super().begin(space, objectives, epoch, history, draws)
        directions = directions_of(objectives)
        self.supports_pruning = len(directions) == 1
        self._learn_curves(history)
        self.notes = self._notes_on(space, epoch, len(directions))
        self._map = SpaceMap(space)
        self._stream = PointStream(space, self.seed, epoch)
        self._drawn = draws
        self._proposed.clear()
        sampler = self._make_sampler(space, epoch, draws)
        if isinstance(sampler, AlternatingSampler) and self.allows is not all_allowed:
            sampler.allows = lambda params: self.allows(self._map.point(params))
        self._history = PastTrials(self._map, directions, self.max_iteration_per_job, with_failed=self._learns_failures)
        self._priors = priors.FadingPriors(self._map, np.random.default_rng([self.seed, epoch, draws, 1]))
        self._priors.follow_with(sampler)
        limit = None if samplers.needs_all_trials(sampler) else self.max_observations
        rng = np.random.default_rng([self.seed, epoch])
        with quiet():
            trials = self._history.trials(history, self.continue_previous_study, self._curves, limit, rng)
            samplers.warm_start(sampler, self._map.common, trials, directions)
            self._is_exhaustive = samplers.is_exhaustive(sampler)
            self._sequence = None
            if isinstance(sampler, QMCSampler):
                sampler = self._sequence = samplers.SpaceWideSampler(sampler, self._map.distributions, draws)
            self._storage = WindowedStorage(limit, rng)
            self._study = AskTellStudy(self._storage, directions, sampler, self._make_pruner())
            self._study.add_trials(trials)
            if space.priors:
                for observation in history:
                    self._learn_of(observation)
            ended = {observation.number for observation in history} if self._running else set()
            running, self._running = self._running, {}
            for number, job in running.items():
                if number not in ended:
                    self._enter(number, job.point, job.curve)

    def _notes_on(self, space: Space, epoch: int, num_objectives: int) -> tuple[str, ...]:
        """Return a sentence on each thing that this search's sampler and pruner leave out."""
        notes = []
        if num_objectives > 1:
            notes.append("Nothing is pruned: Optuna's pruners compare one objective, this search has several.")
        sampler = self.optuna_sampler
        if sampler is not None and any(isinstance(part, CmaEsSampler) for part in samplers.nested(sampler)):
            drawn = [
                name
                for name, alternatives in space.conditions.items()
                if alternatives != ((),) or space.leaf(name).kind == "choice"
            ]
            if drawn:
                names = ", ".join(drawn)
                notes.append(f"CMA-ES leaves {names} to random sampling: it takes numbers that every trial has.")
            if epoch:
                notes.append("CMA-ES cannot change its space: it has started again inside the new range.")
        return tuple(notes)

    def _learn_of(self, observation: Observation) -> None:
        """Let the priors fade by a trial that the sampler learns from."""
        if outcome(observation, len(self.objectives), self.max_iteration_per_job) is not OptunaState.FAIL:
            self._priors.tell(observation.number)

    def _make_sampler(self, space: Space, epoch: int, draws: int) -> BaseSampler:  # noqa: ARG002  for subclasses
        if self.optuna_sampler is None:
            words = np.random.SeedSequence([self.seed, epoch, draws]).generate_state(1)
            return AlternatingSampler(self._map, seed=int(words[0]))
        return samplers.fresh(self.optuna_sampler, self.seed, epoch, draws, is_seeded=self.is_seeded)

    def _is_random_draw(self, draw: int) -> bool:  # noqa: ARG002  for subclasses
        return False

    def _make_pruner(self) -> BasePruner:
        # A pruner, too, keeps state of one study, so each study gets a copy of its own.
        if self.optuna_pruner is None:
            return optuna.pruners.MedianPruner()
        return copy.deepcopy(self.optuna_pruner)

    def _learn_curves(self, history: Sequence[Observation]) -> None:
        """Learn the intermediate values of the newest trials that have ended; those of trials left out are kept."""
        curves, limit = self._curves, self.max_observations
        if self._study is not None:
            with self._storage.newest():
                curves |= {
                    trial.user_attrs["number"]: trial.intermediate_values
                    for trial in self._study.get_trials(deepcopy=False)
                    if "number" in trial.user_attrs
                }
        newest = history[-(limit or len(history)) :] if self.wants_reports else ()
        new = [observation.number for observation in newest if observation.number not in self._met]
        if new:
            curves |= {number: curve for number, curve in self.past_curves(new).items() if curve}
        self._met.update(observation.number for observation in history)
        if limit is not None:
            for number in sorted(curves)[:-limit]:
                del curves[number]

    def _enter(self, number: int, point: dict[str, Any], curve: dict[int, float]) -> None:
        """Add a trial that this study did not propose as a running one, if its point is inside the space."""
        params = self._map.params(point)
        trial = None
        if params is not None:
            trial = self._ask_for(params)
            trial.set_user_attr("number", number)
            for iteration, value in curve.items():
                trial.report(value, iteration)
        self._running[number] = _Job(trial, point, curve)

    def _ask_for(self, params: dict[str, Any]) -> optuna.Trial:
        """Return a running trial with these parameters, without using up a point of a QMC sequence."""
        if self._sequence is not None:
            self._sequence.is_on = False
        self.study.enqueue_trial(params)
        trial = self.study.ask()
        self._map.suggest(trial)
        if self._sequence is not None:
            self._sequence.is_on = True
        return trial

    # ------------------------------------------------------------------ asking

    def ask(self) -> Proposal | None:
        """Return the next point, or None when a finite space or the sampler's list is exhausted."""
        study = self.study
        with quiet():
            for _ in range(_EXHAUSTIVE_ASKS if self._is_exhaustive else _ASKS):
                if study.stop_requested:
                    return None
                draw = self._drawn
                if self._is_random_draw(draw):
                    break
                self._drawn += 1
                trial = study.ask()
                point = self._suggest(trial)
                if point is not None and not self._is_known(point):
                    return self._propose(draw, trial, point)
                study.tell(trial, state=OptunaState.FAIL)
            return self._ask_at_random()

    def _suggest(self, trial: optuna.Trial) -> dict[str, Any] | None:
        """Return the sampler's point, None when it is outside the present range.

        Samplers with values of their own, such as GridSampler and PartialFixedSampler, propose such points after a
        change of range; for choices that are gone they raise an error.
        """
        try:
            point = self._map.suggest(trial)
        except ValueError:
            return None
        return point if self.space.contains(point) else None

    def _ask_at_random(self) -> Proposal | None:
        draw, size = self._drawn, self.space.size
        point: dict[str, Any] | None = None
        if size is not None:
            point = first_unseen(self.space, self._is_known, self._stream.integer(draw, size))
        elif found := self._stream.first_allowed(draw, self.allows):
            draw, point = found
        self._drawn = draw + 1
        params = None if point is None else self._map.params(point)
        if point is None or params is None:
            return None
        return self._propose(draw, self._ask_for(params), point)

    def _propose(self, draw: int, trial: optuna.Trial, point: dict[str, Any]) -> Proposal:
        self._proposed[draw] = _Proposed(trial, self.space.key(point))
        return Proposal(point, draw)

    def _is_known(self, point: dict[str, Any]) -> bool:
        if self.seen(point):
            return True
        key = self.space.key(point)
        return any(proposed.key == key for proposed in self._proposed.values())

    # ------------------------------------------------------------------ learning

    def launched(self, proposal: Proposal, number: int) -> None:
        """Learn that ``proposal`` became trial ``number``; older proposals will not be run."""
        for older in [draw for draw in self._proposed if draw < proposal.draw]:
            self._drop(older)
        proposed = self._proposed.pop(proposal.draw, None)
        with quiet():
            if proposed is None:
                self._enter(number, proposal.point, {})
                return
            proposed.trial.set_user_attr("number", number)
        self._running[number] = _Job(proposed.trial, proposal.point, {})

    def dropped(self, proposal: Proposal) -> None:
        """Learn that ``proposal`` will not be run."""
        self._drop(proposal.draw)

    def _drop(self, draw: int) -> None:
        proposed = self._proposed.pop(draw, None)
        if proposed is not None:
            with quiet():
                proposed.trial.set_user_attr("dropped", True)  # so that it may be proposed again
                self.study.tell(proposed.trial, state=OptunaState.FAIL)

    @property
    def wants_reports(self) -> bool:
        """Whether there is a pruner, which compares them."""
        return self.supports_pruning and not isinstance(self.optuna_pruner, optuna.pruners.NopPruner)

    def report_many(self, number: int, reports: Sequence[tuple[int, float]]) -> bool:
        """Learn what a running trial has reported, and ask the pruner once; True asks to prune it."""
        job = self._running.get(number)
        if job is None or not self.supports_pruning:
            return False
        new: dict[int, float] = {}
        for iteration, value in reports:
            if iteration >= 0 and iteration not in job.curve:
                job.curve[iteration] = new[iteration] = value
        if job.trial is None or not new:
            return False
        with quiet():
            for iteration, value in new.items():
                job.trial.report(value, iteration)
            if self.min_iteration_per_job is not None and next(reversed(new)) < self.min_iteration_per_job:
                return False
            with self._storage.newest():
                return bool(job.trial.should_prune())

    def report(self, number: int, iteration: int, value: float) -> bool:
        """Learn an intermediate value of a running trial; True asks to prune it."""
        return self.report_many(number, [(iteration, value)])

    def tell(self, observation: Observation) -> None:
        """Learn how a trial ended."""
        study = self.study
        self._learn_of(observation)
        self._met.add(observation.number)
        job = self._running.pop(observation.number, None)
        with quiet():
            if job is None or job.trial is None:
                if job is not None and job.curve:
                    self._curves[observation.number] = job.curve
                trial = self._history.trial(observation, {} if job is None else job.curve)
                if trial is not None:
                    study.add_trial(trial)
                return
            state = outcome(observation, len(self.objectives), self.max_iteration_per_job)
            if state is OptunaState.COMPLETE:
                study.tell(job.trial, observation.values)
                return
            if self._learns_failures and has_failed(observation, state):
                tell_failed(study, job.trial)
                return
            if state is OptunaState.PRUNED and not job.curve and self.supports_pruning:
                for iteration, value in last_report(observation).items():
                    job.trial.report(value, iteration)
            study.tell(job.trial, state=state)


def _expect(given: object, kind: type, keyword: str, example: str) -> None:
    """Refuse an argument that is neither None nor an instance of an Optuna class, with an example of one."""
    if given is not None and not isinstance(given, kind):
        hint = ": pass an instance, not the class" if isinstance(given, type) else ""
        msg = f"{keyword} must be an optuna {kind.__name__} such as {example}, got {given!r}{hint}"
        raise TypeError(msg)


class _Proposed(NamedTuple):
    """A point that was proposed and is not launched yet."""

    trial: optuna.Trial
    key: tuple[float | None, ...]


class _Job(NamedTuple):
    """A running trial; ``trial`` is None when its point is outside the present space."""

    trial: optuna.Trial | None
    point: dict[str, Any]
    curve: dict[int, float]
