"""A Jupyter server of the tests' own, with the settings that everybody begins with and no news box over the page."""

from __future__ import annotations

import contextlib
import os
import shutil
import subprocess
import sys
import time
import urllib.request
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import pytest

import hpo_widgets
from tests.browser.notebook import PATIENCE, Lab
from tests.ports import free_port

if TYPE_CHECKING:
    from collections.abc import Iterator


_OF_SERVERS = (
    "--allow-root", "--ServerApp.ip=127.0.0.1", "--ServerApp.port={port}", "--ServerApp.port_retries=0",
    "--IdentityProvider.token=", "--ServerApp.password=", "--ServerApp.disable_check_xsrf=True",
    "--ServerApp.root_dir={root}",
    # A language server in the environment, such as a type checker's, would speak up in dialogs.
    "--LanguageServerManager.autodetect=False",
)  # fmt: skip


class _App(NamedTuple):
    """The module that is run and its options, where a notebook is opened, and what answers once it runs."""

    module: str
    options: tuple[str, ...]
    opens: str
    answers: str = "api"


_APPS = {
    "lab": _App("jupyterlab", (*_OF_SERVERS, "--LabApp.expose_app_in_browser=True"), "lab/tree"),
    "notebook": _App("notebook", (*_OF_SERVERS, "--JupyterNotebookApp.expose_app_in_browser=True"), "notebooks"),
    "voila": _App(
        "voila",
        (
            "--Voila.ip=127.0.0.1",
            "--port={port}",
            "--Voila.port_retries=0",
            "--show_tracebacks=True",
            "{root}",
        ),
        "voila/render",
        "voila/tree",
    ),
}


@contextlib.contextmanager
def serve(kind: str, scratch: Path) -> Iterator[Lab]:
    """Run JupyterLab (``"lab"``), Notebook 7 (``"notebook"``) or Voilà (``"voila"``) as long as the context lasts.

    The JupyterLab extension is the one that the checkout has built: what an editable installation brought is a copy.
    """
    app = _APPS[kind]
    root = scratch / "notebooks"
    root.mkdir()
    quiet = scratch / "settings/@jupyterlab/apputils-extension/notification.jupyterlab-settings"
    quiet.parent.mkdir(parents=True)
    quiet.write_text('{"fetchNews": "false", "checkForUpdates": false}')
    package = Path(hpo_widgets.__file__).parent
    extensions = scratch / "share" / "labextensions"
    extensions.mkdir(parents=True)
    # Voilà follows no link out of the folder.
    shutil.copytree(package / "labextension", extensions / "hpo-widgets")
    configured = scratch / "config" / "jupyter_server_config.d"
    configured.mkdir(parents=True)
    shutil.copy(package.parent / "js" / "server_extension.json", configured / "hpo_widgets.json")
    # Each page that is loaded would have the server ask node whether JupyterLab is to be built again.
    settled = scratch / "config" / "labconfig" / "page_config.json"
    settled.parent.mkdir()
    settled.write_text('{"buildCheck": false}')
    port = free_port()
    environment = os.environ | {
        "JUPYTER_CONFIG_DIR": str(scratch / "config"),
        "JUPYTER_DATA_DIR": str(scratch / "data"),
        # Before the environment's own folders.
        "JUPYTER_PATH": os.pathsep.join(filter(None, [str(extensions.parent), os.environ.get("JUPYTER_PATH")])),
        "JUPYTER_RUNTIME_DIR": str(scratch / "runtime"),
        "JUPYTERLAB_SETTINGS_DIR": str(scratch / "settings"),
        "JUPYTERLAB_WORKSPACES_DIR": str(scratch / "workspaces"),
        "IPYTHONDIR": str(scratch / "ipython"),
        "PYTHONPATH": os.pathsep.join(filter(None, [str(package.parent), os.environ.get("PYTHONPATH")])),
    }
    options = [option.format(port=port, root=root) for option in app.options]
    command = [sys.executable, "-m", app.module, "--no-browser", *options]
    base = f"http://127.0.0.1:{port}"
    log = scratch / "server.log"
    with log.open("wb") as output:
        server = subprocess.Popen(command, env=environment, stdout=output, stderr=subprocess.STDOUT)
        try:
            _await_answer(server, f"{base}/{app.answers}", log)
            yield Lab(base, root, app.opens)
        finally:
            server.terminate()
            try:
                server.wait(20)
            except subprocess.TimeoutExpired:
                server.kill()
                server.wait()


def _await_answer(server: subprocess.Popen[bytes], address: str, log: Path) -> None:
    deadline = time.monotonic() + PATIENCE
    while time.monotonic() < deadline:
        if server.poll() is not None:
            pytest.fail(f"the server ended at its start:\n{log.read_text()}", pytrace=False)
        with contextlib.suppress(OSError), urllib.request.urlopen(address, timeout=2):
            return
        time.sleep(0.1)
    pytest.fail(f"the server did not answer within {PATIENCE} s:\n{log.read_text()}", pytrace=False)
