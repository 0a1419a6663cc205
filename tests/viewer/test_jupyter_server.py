"""The searches of a folder, asked of a real Jupyter server: who may ask, and for what."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import time
import urllib.error
import urllib.request
from pathlib import Path

import pytest

import hpo_widgets
from hpo_widgets.journal import DIRECTORY
from tests.conftest import DEADLINE
from tests.ports import free_port

TOKEN = "secret"


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    """Address of a server whose root has the folder ``work``, and in it something that is no journal."""
    scratch = tmp_path_factory.mktemp("server")
    (scratch / "root" / "work" / DIRECTORY).mkdir(parents=True)
    (scratch / "root" / "work" / DIRECTORY / "broken.sqlite").write_bytes(b"no journal")
    extensions = scratch / "config" / "jupyter_server_config.d"
    extensions.mkdir(parents=True)
    package = Path(hpo_widgets.__file__).parent
    shutil.copy(package.parent / "js" / "server_extension.json", extensions / "hpo_widgets.json")
    port = free_port()
    environment = os.environ | {
        "JUPYTER_CONFIG_DIR": str(scratch / "config"),
        "JUPYTER_DATA_DIR": str(scratch / "data"),
        "JUPYTER_RUNTIME_DIR": str(scratch / "runtime"),
        "JUPYTER_TOKEN": TOKEN,
        "PYTHONPATH": os.pathsep.join(filter(None, [str(package.parent), os.environ.get("PYTHONPATH")])),
    }
    command = [
        sys.executable, "-m", "jupyter_server", "--no-browser", "--allow-root", "--ServerApp.ip=127.0.0.1",
        f"--ServerApp.port={port}", "--ServerApp.port_retries=0", f"--ServerApp.root_dir={scratch / 'root'}",
    ]  # fmt: skip
    with (scratch / "log").open("wb") as log:
        process = subprocess.Popen(command, env=environment, stdout=log, stderr=subprocess.STDOUT)
    address = f"http://127.0.0.1:{port}"
    try:
        end = time.monotonic() + DEADLINE
        while True:
            assert process.poll() is None, (scratch / "log").read_text()
            assert time.monotonic() < end, (scratch / "log").read_text()
            try:
                urllib.request.urlopen(f"{address}/api", timeout=2).close()
                break
            except OSError:
                time.sleep(0.05)
        yield address
    finally:
        process.terminate()
        process.wait()


def ask(server, directory, token=TOKEN):
    """The status of the answer, and what it holds."""
    request = urllib.request.Request(f"{server}/hpo-widgets/searches?directory={directory}")
    if token:
        request.add_header("Authorization", f"token {token}")
    try:
        with urllib.request.urlopen(request, timeout=DEADLINE) as answer:
            return answer.status, json.load(answer)
    except urllib.error.HTTPError as error:
        with error:
            return error.code, error.read()


def test_the_searches_of_a_folder_are_told(server):
    status, found = ask(server, "work")
    assert status == 200
    assert [search["title"] for search in found["searches"]] == ["broken"]
    assert ask(server, "") == (200, {"searches": [], "left_off": 0})


def test_nothing_is_told_to_whom_the_server_does_not_know(server):
    assert ask(server, "work", token="")[0] == 403


@pytest.mark.parametrize("directory", ["..", "work/../..", "work/../../root-other"])
def test_folders_outside_of_the_root_are_not_looked_at(server, directory):
    assert ask(server, directory)[0] == 404


@pytest.mark.parametrize("directory", ["a" * 300, "%ED%A0%80", "%FF"], ids=range(3))
def test_a_name_that_no_folder_can_have_is_not_found(server, directory):
    assert ask(server, directory)[0] in {400, 404}
