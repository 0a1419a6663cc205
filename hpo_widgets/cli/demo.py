"""``hpo-widgets demo``: run the quickstart notebook without a browser, and keep what it shows.

The notebook runs in a kernel of its own, as in JupyterLab. While it does, its search is followed through its
journal, as any other process may: that is where the progress bar and the table at the end come from.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

from hpo_widgets._messages import counted
from hpo_widgets.cli.kept import shown
from hpo_widgets.journal import DIRECTORY, JournalError
from hpo_widgets.journal.naming import journals
from hpo_widgets.search.in_words import note
from hpo_widgets.search.progress import ProgressBar
from hpo_widgets.viewer import SearchViewer

if TYPE_CHECKING:
    from jupyter_client.manager import AsyncKernelManager
    from nbclient import NotebookClient
    from nbformat import NotebookNode

    from hpo_widgets.trials import Trial

NOTEBOOK = "01_quickstart.ipynb"
TRIALS_VARIABLE = "HPO_WIDGETS_TRIALS"
"""The environment variable that the notebook takes its number of trials from."""

TITLE = "Quickstart: a search over the settings of a digit classifier"
_STATES = """\
from IPython.display import publish_display_data
from hpo_widgets.widget.saved_page import STATE_MIME, widget_states
publish_display_data({STATE_MIME: widget_states()})
"""
_LOG_LINES = 12


class DemoError(Exception):
    """The demo could not be run to its end; the message says why and what to do."""


class _InterruptedError(Exception):
    """Ctrl+C while the notebook ran."""


def run_demo(*, trials: int | None, out: Path) -> None:
    """Run the quickstart, show its progress and its result, write ``quickstart.ipynb`` and ``quickstart.html``.

    Parameters
    ----------
    trials
        Number of trials. Default (None): the notebook's.
    out
        Folder for the two files and the search's journal; made when missing.

    Raises
    ------
    DemoError
        When something is missing, a cell fails or no trial succeeds.
    """
    _check_installed()
    source = _find_notebook()
    # Deferred: nbformat and nbclient come with the extra that was just checked, saving is needed at the end only.
    import nbformat
    from nbclient.exceptions import CellExecutionError, DeadKernelError

    from hpo_widgets.widget.saved_page import save_notebook_html

    try:
        out.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise DemoError(f"cannot write to {out}: {error.strerror}; choose another folder with --out") from None
    notebook = nbformat.read(source, as_version=4)  # type: ignore[no-untyped-call]
    executed = out / "quickstart.ipynb"
    with tempfile.TemporaryFile() as log, _Follower(out / DIRECTORY) as follower:
        try:
            asyncio.run(_execute(notebook, trials, out, follower, log))
        except CellExecutionError as error:
            nbformat.write(notebook, executed)  # type: ignore[no-untyped-call]
            raise DemoError(f"a cell failed: {error.ename}: {error.evalue}; {executed} shows where") from None
        except (DeadKernelError, RuntimeError) as error:
            log.seek(0)
            last = b"\n".join(log.read().splitlines()[-_LOG_LINES:]).decode(errors="replace")
            raise DemoError(f"the kernel ended: {error}\n{last}".rstrip()) from None
        except _InterruptedError:
            raise KeyboardInterrupt from None
        nbformat.write(notebook, executed)  # type: ignore[no-untyped-call]
        search = follower.finished()
        try:
            page = save_notebook_html(notebook, out / "quickstart.html", title=TITLE)
        except (FileNotFoundError, ValueError) as error:
            raise DemoError(str(error)) from None
        _tell(search)
    print(f"\n{page.path}   the panel as it ended, in any browser: no kernel, no network ({page.size / 1e6:.1f} MB)")
    print(f"{executed}  the executed notebook")
    print(f"\nTo watch and steer it live: make lab, then open {source.name}.")


def _check_installed() -> None:
    """Raise when the extra that the notebook needs is missing."""
    import importlib.util

    missing = [name for name in ("ipykernel", "nbclient", "nbformat", "sklearn") if not importlib.util.find_spec(name)]
    if missing:
        raise DemoError(f"{', '.join(missing)} is not installed; install the extra: pip install 'hpo-widgets[demo]'")


def _find_notebook() -> Path:
    """Find the quickstart in the checkout that this package belongs to, or else in the working directory."""
    places = [Path(__file__).resolve().parents[2] / "notebooks", Path("notebooks")]
    for place in places:
        if (place / NOTEBOOK).is_file():
            return place / NOTEBOOK
    raise DemoError(f"{NOTEBOOK} was found in none of {', '.join(map(str, places))}; run the demo in a checkout")


async def _execute(notebook: NotebookNode, trials: int | None, out: Path, follower: _Follower, log: Any) -> None:
    """Run all cells in a kernel of this environment, and follow the search that they start."""
    from nbclient import NotebookClient

    loop = asyncio.get_running_loop()
    this = asyncio.current_task()
    assert this is not None  # noqa: S101 -- narrows: a coroutine runs in a task

    is_interrupted = asyncio.Event()

    def interrupt() -> None:
        is_interrupted.set()
        this.cancel()

    def kernel_is_up(**_: Any) -> None:
        # Ctrl+C ends this task, whose end shuts the kernel down; the client's own handler leaves the task waiting.
        with contextlib.suppress(NotImplementedError):
            loop.add_signal_handler(signal.SIGINT, interrupt)

    client = NotebookClient(
        notebook,
        km=_kernel_manager(),
        timeout=None,
        resources={"metadata": {"path": str(out)}},
        on_notebook_start=kernel_is_up,
        on_cell_executed=lambda **_: follower.find_search(),
    )
    following = asyncio.create_task(follower.follow())
    try:
        # nbclient leaves the kernel of a manager that it was given running, unless `cleanup_kc` says otherwise.
        async with client.async_setup_kernel(env=_environment(trials), stderr=log, cleanup_kc=True):
            for index, cell in enumerate(list(notebook.cells)):
                await client.async_execute_cell(cell, index)
            notebook.metadata["widgets"] = await _widget_states(client)
    except (asyncio.CancelledError, Exception) as error:
        # nbclient reports a cancelled task as a dead kernel.
        if is_interrupted.is_set():
            raise _InterruptedError from error
        raise
    finally:
        following.cancel()


async def _widget_states(client: NotebookClient) -> dict[str, Any]:
    """Ask the kernel for the states of all widgets, by a cell that is not kept."""
    from nbformat.v4 import new_code_cell

    cells = client.nb.cells
    cells.append(new_code_cell(_STATES))  # type: ignore[no-untyped-call]
    try:
        await client.async_execute_cell(cells[-1], len(cells) - 1)
        return dict(cells[-1].outputs[0].data)
    finally:
        cells.pop()


def _kernel_manager() -> AsyncKernelManager:
    """Make a manager of a kernel in this very environment, whatever the user's kernel specs say."""
    from ipykernel.kernelspec import get_kernel_dict
    from jupyter_client.kernelspec import KernelSpec, KernelSpecManager
    from jupyter_client.manager import AsyncKernelManager

    class ThisEnvironment(KernelSpecManager):
        def get_kernel_spec(self, kernel_name: str) -> KernelSpec:  # noqa: ARG002 -- there is one
            return KernelSpec(**get_kernel_dict())

    return AsyncKernelManager(kernel_name="python3", kernel_spec_manager=ThisEnvironment())


def _environment(trials: int | None) -> dict[str, str]:
    """Make the kernel's environment: the same package as here, and the number of trials."""
    package = str(Path(__file__).resolve().parents[2])
    environment = os.environ | {
        "PYTHONPATH": os.pathsep.join(filter(None, [package, os.environ.get("PYTHONPATH")])),
    }
    if trials is not None:
        environment[TRIALS_VARIABLE] = str(trials)
    return environment


class _Follower:
    """Shows the progress of the search that a notebook starts, from its journal.

    Parameters
    ----------
    folder
        Where the notebook's searches keep their journals.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._known = set(journals(folder))
        self._search: SearchViewer | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._changed = asyncio.Event()
        self._bar = ProgressBar("starting the kernel")

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._bar.close()
        if self._search is not None:
            self._search.close()

    def find_search(self) -> None:
        """Look for the journal of a search that began; called after each cell."""
        if self._search is not None:
            return
        self._bar.say("running the notebook")
        new = [path for path in journals(self._folder) if path not in self._known]
        if new:
            self._search = SearchViewer(new[0])
            self._search.subscribe(self._wake)

    def _wake(self) -> None:
        """Have `follow` draw; called on the viewer's thread."""
        with contextlib.suppress(RuntimeError):  # the loop has ended
            if self._loop is not None:
                self._loop.call_soon_threadsafe(self._changed.set)

    async def follow(self) -> None:
        """Draw after every change until cancelled, with the pause of the bar between two drawings."""
        self._loop = asyncio.get_running_loop()
        while True:
            await self._changed.wait()
            self._changed.clear()
            self._draw()
            await asyncio.sleep(self._bar.pause)

    def _draw(self) -> None:
        if self._search is not None:
            self._bar.say("searching")
            self._bar.draw(self._search)

    def finished(self) -> SearchViewer:
        """The search after its end, all of it read."""
        if self._search is None:
            raise DemoError("the notebook started no search")
        try:
            self._search.refresh()
        except JournalError as error:
            raise DemoError(str(error)) from None
        self._draw()
        self._bar.close()
        if not self._search.top(1):
            reason = self._search.stop_reason
            raise DemoError(f"no trial reported its objective: {reason or 'the search did not end'}")
        return self._search


def _tell(search: SearchViewer) -> None:
    """Print how the search ended and its three best trials."""
    counts = [f"{count} {state.label}" for state, count in search.counts.items() if count]
    print(f"\n{counted(sum(search.counts.values()), 'trial')}: {', '.join(counts)}")
    print(f"ended because: {search.stop_reason or search.status}")
    print("\nthree best    accuracy      loss  parameters")
    for line in map(_line, search.top(3)):
        print(line)


def _line(trial: Trial) -> str:
    scalars = trial.get_last_scalar_metrics()["validation"]
    parameters = "  ".join(f"{name}={shown(value)}" for name, value in trial.parameters.items())
    number, accuracy, loss = f"trial {trial.number}", scalars["accuracy"]["last"], scalars["loss"]["last"]
    return f"{number:<12}  {accuracy:8.4f}  {loss:8.4f}  {parameters}{note(trial)}"
