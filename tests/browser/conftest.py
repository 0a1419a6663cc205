"""A real JupyterLab under a real Chromium: one server a session, one page a test."""

from __future__ import annotations

import contextlib
import itertools
import json
import os
import pathlib
import shutil
import socket
import subprocess
import sys
import time
import urllib.request
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import nbformat
import pytest
from playwright.sync_api import sync_playwright

import hpo_widgets

if TYPE_CHECKING:
    from collections.abc import Iterator

    from playwright.sync_api import Browser, Locator, Page

ARTEFACTS = pathlib.Path(__file__).parents[1] / "artefacts"
CHROMIUM_NAMES = ("chromium", "chromium-browser", "google-chrome")
CHROMIUM_ARGUMENTS = (
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)
SERVER_DEADLINE = 60
_COUNTER = itertools.count()
# What the browser says that is no fault of the page: requests that were not let out of this machine.
HARMLESS = ("net::ERR_FAILED", "Failed to load resource")


def chromium() -> str:
    """Path of the browser; without one the browser tests fail, they are never skipped."""
    given = os.environ.get("HPO_WIDGETS_CHROMIUM")
    found = given or next(filter(None, map(shutil.which, CHROMIUM_NAMES)), None)
    if not found or not pathlib.Path(found).is_file():
        pytest.fail(
            f"the browser tests need Chromium ({given or 'none found'}): `apt-get install chromium`, "
            "or set HPO_WIDGETS_CHROMIUM to the path of one",
            pytrace=False,
        )
    return found


@dataclass
class Lab:
    """A running JupyterLab.

    Attributes
    ----------
    base
        Its address.
    root
        The folder that it serves.
    """

    base: str
    root: pathlib.Path


@pytest.fixture(scope="session")
def lab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lab]:
    """One JupyterLab for all browser tests, with settings of its own and no news box over the page."""
    scratch = tmp_path_factory.mktemp("lab")
    root = scratch / "notebooks"
    root.mkdir()
    quiet = scratch / "settings/@jupyterlab/apputils-extension/notification.jupyterlab-settings"
    quiet.parent.mkdir(parents=True)
    quiet.write_text('{"fetchNews": "false", "checkForUpdates": false}')
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    package = str(pathlib.Path(hpo_widgets.__file__).parents[1])
    environment = os.environ | {
        "JUPYTER_CONFIG_DIR": str(scratch / "config"),
        "JUPYTER_DATA_DIR": str(scratch / "data"),
        "JUPYTER_RUNTIME_DIR": str(scratch / "runtime"),
        "JUPYTERLAB_SETTINGS_DIR": str(scratch / "settings"),
        "JUPYTERLAB_WORKSPACES_DIR": str(scratch / "workspaces"),
        "IPYTHONDIR": str(scratch / "ipython"),
        "PYTHONPATH": os.pathsep.join(filter(None, [package, os.environ.get("PYTHONPATH")])),
    }
    command = [
        sys.executable, "-m", "jupyterlab", "--no-browser", "--allow-root",
        "--ServerApp.ip=127.0.0.1", f"--ServerApp.port={port}", "--ServerApp.port_retries=0",
        "--IdentityProvider.token=", "--ServerApp.password=", "--ServerApp.disable_check_xsrf=True",
        f"--ServerApp.root_dir={root}", "--LabApp.expose_app_in_browser=True",
    ]  # fmt: skip
    base = f"http://127.0.0.1:{port}"
    log = scratch / "server.log"
    with log.open("wb") as output:
        server = subprocess.Popen(command, env=environment, stdout=output, stderr=subprocess.STDOUT)
        try:
            _await_answer(server, base, log)
            yield Lab(base, root)
        finally:
            server.terminate()
            try:
                server.wait(20)
            except subprocess.TimeoutExpired:
                server.kill()
                server.wait()


def _await_answer(server: subprocess.Popen[bytes], base: str, log: pathlib.Path) -> None:
    deadline = time.monotonic() + SERVER_DEADLINE
    while time.monotonic() < deadline:
        if server.poll() is not None:
            pytest.fail(f"JupyterLab ended at its start:\n{log.read_text()}", pytrace=False)
        with contextlib.suppress(OSError), urllib.request.urlopen(f"{base}/api", timeout=2):
            return
        time.sleep(0.1)
    pytest.fail(f"JupyterLab did not answer within {SERVER_DEADLINE} s:\n{log.read_text()}", pytrace=False)


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    """One Chromium for all browser tests."""
    path = chromium()
    with sync_playwright() as playwright:
        running = playwright.chromium.launch(executable_path=path, args=list(CHROMIUM_ARGUMENTS))
        yield running
        running.close()


@dataclass
class Notebook:
    """A notebook open in a page of JupyterLab.

    Attributes
    ----------
    page
        The page.
    lab
        The server.
    console_errors
        What the browser complained of.
    """

    page: Page
    lab: Lab
    console_errors: list[str] = field(default_factory=list)

    def open(self, *cells: str) -> None:
        """Write a notebook of code cells and open it; nothing runs yet."""
        # A name of its own: pages that open the same file share its kernel.
        name = f"test-{next(_COUNTER)}.ipynb"
        notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(cell) for cell in cells])
        notebook.metadata["kernelspec"] = {"name": "python3", "display_name": "Python 3", "language": "python"}
        nbformat.write(notebook, self.lab.root / name)
        self.open_file(name)

    def open_file(self, name: str) -> None:
        """Open a notebook that is in the server's folder."""
        self.page.goto(f"{self.lab.base}/lab/tree/{name}?reset")
        self.page.wait_for_selector(".jp-Notebook .jp-Cell", timeout=60_000)
        self.page.evaluate(
            """async () => {
              const app = window.jupyterapp;
              await app.restored;
              await app.shell.currentWidget.sessionContext.ready;
            }"""
        )

    def run_all(self) -> None:
        """Run all cells, and wait until they have run."""
        self.command("notebook:run-all-cells")

    def start_all(self) -> None:
        """Have all cells run, without waiting."""
        self.page.evaluate("() => { void window.jupyterapp.commands.execute('notebook:run-all-cells'); }")

    def command(self, name: str, **arguments: object) -> None:
        """Run one of JupyterLab's commands."""
        self.page.evaluate(
            "([name, arguments]) => window.jupyterapp.commands.execute(name, arguments).then(() => undefined)",
            [name, arguments],
        )

    def use_theme(self, *, dark: bool) -> None:
        """Change to Lab's dark or light theme and wait until it is there."""
        self.command("apputils:change-theme", theme="JupyterLab Dark" if dark else "JupyterLab Light")
        self.page.wait_for_selector(f"body[data-jp-theme-light={'false' if dark else 'true'}]", state="attached")

    def kernel(self, expression: str) -> Any:
        """Value of an expression in the kernel, by way of JSON; waits for a running cell."""
        reply = self.page.evaluate(
            """async code => {
              // Not the current widget: that may be a view of an output.
              const notebook = [...window.jupyterapp.shell.widgets('main')].find(widget => widget.sessionContext);
              const { kernel } = notebook.sessionContext.session;
              const future = kernel.requestExecute({code: '', silent: true, user_expressions: {it: code}});
              return (await future.done).content.user_expressions.it;
            }""",
            f"__import__('json').dumps({expression})",
        )
        assert reply["status"] == "ok", reply
        # The value arrives as the repr of a JSON string.
        return json.loads(__import__("ast").literal_eval(reply["data"]["text/plain"]))

    def wait_kernel(self, expression: str, deadline: float = 30.0) -> Any:
        """Ask the kernel until an expression is true."""
        end = time.monotonic() + deadline
        while not (value := self.kernel(expression)):
            assert time.monotonic() < end, f"{expression} did not become true within {deadline} s"
            self.page.wait_for_timeout(50)
        return value

    def panel(self) -> Locator:
        """The panel in the output of a cell."""
        return self.page.locator(".jp-OutputArea .hpo-panel").first

    def screenshot(self, name: str, of: Locator | None = None) -> pathlib.Path:
        """Keep a picture for a person to look at; it decides nothing."""
        ARTEFACTS.mkdir(exist_ok=True)
        path = ARTEFACTS / f"{name}.png"
        if of is not None:
            of.evaluate(WHEN_AT_REST)
        (of or self.page).screenshot(path=path)
        return path

    def complaints(self) -> list[str]:
        """What the browser complained of, without what cannot be helped."""
        return [error for error in self.console_errors if not any(word in error for word in HARMLESS)]


# A figure is laid out some time after its size has changed; a panel that never rests is shown as it is.
WHEN_AT_REST = """
async node => {
  for (let before = '', looks = 0; before !== node.innerHTML && looks < 20; looks++) {
    before = node.innerHTML;
    await new Promise(done => setTimeout(done, 100));
  }
}
"""


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Any:
    """Let the page's fixture know whether its test failed."""
    report = yield
    if report.when == "call":
        item.stash[_HAS_FAILED] = report.failed
    return report


_HAS_FAILED = pytest.StashKey[bool]()


@contextlib.contextmanager
def open_page(lab: Lab, browser: Browser) -> Iterator[Notebook]:
    """Open a page of JupyterLab for as long as the context lasts; what it complains of is kept."""
    context = browser.new_context(viewport={"width": 1400, "height": 1000})
    page = context.new_page()
    opened = Notebook(page, lab)
    page.on("console", lambda said: opened.console_errors.append(said.text) if said.type == "error" else None)
    page.on("pageerror", lambda error: opened.console_errors.append(str(error)))
    page.route(lambda address: "127.0.0.1" not in address, lambda route: route.abort())
    yield opened
    with contextlib.suppress(Exception):  # a page that has crashed has no kernel to shut down
        opened.command("kernelmenu:shutdown")
    context.close()


@pytest.fixture
def notebook(lab: Lab, browser: Browser) -> Iterator[Notebook]:
    """Give a page of JupyterLab of the test's own."""
    with open_page(lab, browser) as opened:
        yield opened


@pytest.fixture(scope="module")
def shared_notebook(lab: Lab, browser: Browser) -> Iterator[Notebook]:
    """Give one page of JupyterLab to all tests of a module: opening one takes longer than most tests."""
    with open_page(lab, browser) as opened:
        yield opened


@pytest.fixture(autouse=True)
def _keep_a_picture_of_a_failure(request: pytest.FixtureRequest) -> Iterator[None]:
    # Asked for before the test, so that they are torn down after the picture.
    pages = [request.getfixturevalue(name) for name in ("notebook", "shared_notebook") if name in request.fixturenames]
    yield
    if request.node.stash.get(_HAS_FAILED, False):
        for page in pages:
            page.screenshot(f"failed-{request.node.name}")
