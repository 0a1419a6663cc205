"""The template experiment as a search knows it, of whatever kind it is."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import TYPE_CHECKING, Any, ClassVar

from hpo_widgets.engines.base import ENGINE_METHODS, default_concurrency
from hpo_widgets.trials.export import more_parameters

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping, Sequence

    from hpo_widgets.engines.base import EngineOptions, JobEngine, Recovered, StartedSearch
    from hpo_widgets.objectives import Objective
    from hpo_widgets.search import RemoteSource
    from hpo_widgets.space import Space
    from hpo_widgets.trials import Trial, TrialRow


class Template(ABC):
    """What is run for each trial, with that trial's values; it is checked before anything runs.

    Attributes
    ----------
    name : str
        What people call it; the search's name by default.
    kind : str
        The word of the journal's header: ``callable``, ``script`` or ``clearml``.
    limits_memory : bool
        Whether its processes are of this machine, and `max_memory_per_job` bounds them.
    """

    name: str
    kind: ClassVar[str]
    limits_memory: ClassVar[bool] = False

    @property
    @abstractmethod
    def base_task_id(self) -> Any:
        """What the controller's argument of that name was: a callable, a path, or a Task's id."""

    def place(self, job_class: type | None) -> str:  # noqa: ARG002 -- for those that run in several places
        """Where its trials run, in words."""
        return "this machine"

    @property
    def facts(self) -> Mapping[str, Any]:
        """What a journal's header keeps of it beside its name and kind (JSON values)."""
        return {}

    def configure(self, arguments: Mapping[str, Any]) -> None:  # noqa: B027 -- most have none
        """Use those of the controller's arguments that only this kind of template has."""

    @property
    def remote(self) -> RemoteSource | None:
        """Where curves and logs of its trials are, if they are not in the journal."""
        return None

    @property
    def default_objective(self) -> str | None:
        """Title and series of the objective where none is named; None: one has to be named."""
        return None

    @property
    def default_concurrency(self) -> int:
        """Trials that run at once where the search does not say: the cores that this process may use."""
        return default_concurrency()

    @property
    def notices(self) -> Sequence[str]:
        """What could not be checked, in sentences for a person."""
        return ()

    @abstractmethod
    def check(self, names: Iterable[str]) -> None:
        """Raise ``ValueError`` for parameter names that it does not take, and for required ones that are missing."""

    def check_search(self, space: Space, objectives: Sequence[Objective]) -> None:  # noqa: B027 -- most have none
        """Check what else of a search has to fit the template.

        Parameters
        ----------
        space
            The search's parameters.
        objectives
            What it optimises.

        Raises
        ------
        ValueError
            For what does not fit.
        """

    def check_choices(self, name: str, values: Sequence[Any]) -> None:  # noqa: B027 -- most take any
        """Check choices that are added to a search which may run.

        Parameters
        ----------
        name
            The parameter.
        values
            The new choices.

        Raises
        ------
        TypeError
            For one that its trials cannot be given.
        """

    def check_job_class(self, job_class: Any) -> None:
        """Raise ``TypeError`` for a class that cannot run its jobs."""
        missing = [name for name in ENGINE_METHODS if not callable(getattr(job_class, name, None))]
        if not isinstance(job_class, type) or missing:
            raise TypeError(
                "job_class must be a class with the methods of hpo_widgets.engines.base.JobEngine on "
                f"this machine, got {job_class!r}" + (f" without {', '.join(missing)}" if missing else "")
            )

    def before_start(self, job_class: type | None, search_id: str) -> None:  # noqa: B027 -- most have none
        """Check what has to be there before the first launch.

        Parameters
        ----------
        job_class
            What runs the jobs, unless it is the default.
        search_id
            The search.

        Raises
        ------
        ValueError
            For what is missing.
        JournalError
            For a search that another process runs, or has continued since it was opened here.
        """

    def notices_at_start(self, search_id: str) -> Sequence[str]:  # noqa: ARG002 -- most have none
        """What people should know of a search that starts or goes on, in sentences."""
        return ()

    def resume(self, header: Mapping[str, Any], search_id: str) -> None:  # noqa: B027 -- most have none
        """Restore what a journal's header keeps of it (`facts`).

        Parameters
        ----------
        header
            The journal's header.
        search_id
            The search.
        """

    def recover(
        self,
        search_id: str,  # noqa: ARG002
        rows: Sequence[TrialRow],  # noqa: ARG002
        space: Space,  # noqa: ARG002
    ) -> Sequence[Recovered] | None:
        """Find out what became of a search's trials since the process that ran it died.

        Parameters
        ----------
        search_id
            The search.
        rows
            All of its trials, as the journal has them.
        space
            The space of their points.

        Returns
        -------
        sequence of Recovered or None
            Trials that have changed, or that the journal does not know; None: trials end with the search's process.
        """
        return None

    def has_run_beside(self, runs: Collection[str]) -> bool:  # noqa: ARG002 -- for those of a server
        """Whether the resumed search has had a run beside those that its journal knows: it was continued elsewhere."""
        return False

    def kept_by(self, search_id: str) -> str | None:  # noqa: ARG002 -- for those of a server
        """The id of the Task that keeps a search beside its journal; None: there is none."""
        return None

    def started(self, source: StartedSearch) -> None:  # noqa: B027 -- most have none
        """Follow a run that has just begun, on a thread of its own."""

    def wait_for_reports(self, timeout: float | None) -> bool:  # noqa: ARG002 -- most have none
        """Wait for the last report of a run that has ended; False when ``timeout`` seconds passed first."""
        return True

    @property
    def local_job_class(self) -> type | None:
        """The class of engine or job that ``start_locally`` uses; None: trials always run on this machine."""
        return None

    def prepare(self, workers: int, *, job_class: type | None, options: EngineOptions) -> None:  # noqa: B027 -- most have nothing to prepare
        """Start ahead of a run what makes its first trials begin sooner; `make_engine` uses it.

        Parameters
        ----------
        workers
            How many trials may run at once.
        job_class
            The engine's class, unless it is the default.
        options
            As for `make_engine`.

        Raises
        ------
        OSError
            When no process can be started.
        """

    def release(self) -> None:  # noqa: B027 -- as above
        """End what `prepare` has started and no run has used."""

    @abstractmethod
    def make_engine(self, workers: int, *, space: Space, job_class: type | None, options: EngineOptions) -> JobEngine:
        """Start what runs its trials.

        Parameters
        ----------
        workers
            How many trials may run at once.
        space
            The search's parameters.
        job_class
            The engine's class, unless it is the default.
        options
            What else it may need to know.

        Returns
        -------
        JobEngine
            The engine.
        """

    def parameters_of(self, trial: Trial) -> dict[str, str]:
        """A trial's parameters as text, by full name, as ``get_top_experiments_details`` gives them."""
        return trial.get_parameters()

    def experiments(self, trials: Sequence[Trial]) -> Sequence[Any]:
        """Trials as ``get_top_experiments`` returns them."""
        return trials

    def hyper_parameters(self, trials: Sequence[Trial]) -> Sequence[Mapping[str, str]]:
        """What ``get_top_experiments_details`` adds when asked for the parameters of all sections."""
        return [more_parameters(trial) for trial in trials]
