"""`hpo-widgets lab`: JupyterLab opens on a folder, and what is missing is said."""

from __future__ import annotations

import contextlib
import importlib.util
import json
import os
import re
import socket
import subprocess
import sys
import time
import urllib.request
from pathlib import Path

import pytest

from hpo_widgets.cli import main
from tests.ports import free_port

PACKAGE = Path(__file__).resolve().parents[2]


def test_a_folder_that_is_not_there_is_said(capsys):
    assert main(["lab", "nowhere"]) == 2
    assert "hpo-widgets lab: there is no nowhere; give a folder or a notebook" in capsys.readouterr().err


def test_without_jupyterlab_it_is_said_how_to_install_it(monkeypatch, capsys):
    find = importlib.util.find_spec
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None if name == "jupyterlab" else find(name))

    assert main(["lab"]) == 1
    assert "JupyterLab is not installed; install the extra: pip install 'hpo-widgets[lab]'" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("words", "passed"),
    [
        ([], ["."]),
        (["notebooks", "--no-browser"], ["notebooks", "--no-browser"]),
        (["one.ipynb", "--port", "9000", "--allow-root"], ["one.ipynb", "--allow-root", "--port=9000"]),
    ],
)
def test_jupyterlab_gets_the_path_and_the_options(monkeypatch, tmp_path, words, passed):
    Path("notebooks").mkdir()
    Path("one.ipynb").touch()
    started = []
    monkeypatch.setattr(os, "execv", lambda program, arguments: started.append((program, arguments)) or 0)

    assert main(["lab", *words]) == 0

    path, *options = passed
    assert started == [
        (sys.executable, [sys.executable, "-m", "jupyterlab", str((tmp_path / path).resolve()), *options])
    ]


@pytest.mark.slow
def test_jupyterlab_serves_the_folder(tmp_path):
    Path("mine").mkdir()
    Path("mine", "search.ipynb").write_text("{}")
    port = free_port()
    folders = {f"JUPYTER_{kind}_DIR": str(tmp_path / kind) for kind in ("CONFIG", "DATA", "RUNTIME")}
    path = os.pathsep.join(filter(None, [str(PACKAGE), os.environ.get("PYTHONPATH")]))
    server = subprocess.Popen(
        [sys.executable, "-m", "hpo_widgets", "lab", "mine", "--no-browser", "--allow-root", "--port", str(port)],
        env=os.environ | folders | {"PYTHONPATH": path, "JUPYTER_TOKEN": "word"},
        stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip
    try:
        said = ""
        while not re.search(rf"http://127\.0\.0\.1:{port}/lab", said):
            line = server.stderr.readline()
            assert line, said
            said += line
        # It says so before it listens.
        while server.poll() is None:
            with contextlib.suppress(ConnectionRefusedError), socket.create_connection(("127.0.0.1", port), 1):
                break
            time.sleep(0.1)
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/api/contents?token=word", timeout=60) as answer:
            names = [entry["name"] for entry in json.load(answer)["content"]]
    finally:
        server.terminate()
        _, rest = server.communicate(timeout=60)

    assert names == ["search.ipynb"], said + rest
