"""A kernel of a page that is the ClearML server of its notebook, too, and may play the agents."""

SERVER = """
import os, threading
from pathlib import Path

settings = Path("clearml-settings/default")
settings.mkdir(parents=True, exist_ok=True)
(settings / "sdk.conf").write_text("development { report_use_subprocess: false }")

from hpo_widgets.testing.clearml_server import ClearmlServer

server = ClearmlServer()
server.__enter__()
os.environ.update(server.environment(), CLEARML_CONFIG_PATH=str(settings.parent.resolve()))

from clearml.backend_api.session.client import APIClient
from tests.clearml.sdk_worker import SdkWorker

client = APIClient()
client.queues.create(name="agents")
hand = SdkWorker(client, "agents")
"""
"""The beginning of a module that the notebook imports; ``hand`` does by hand what agents do."""
