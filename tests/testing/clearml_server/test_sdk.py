"""The unmodified SDK works on the in-memory server, in a process of its own."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

SCRIPT = """
import sys

from clearml import OutputModel, Task
from clearml.backend_api.session.client import APIClient

task = Task.init("lab/hpo", "train", auto_connect_frameworks=False, reuse_last_task_id=False)
task.connect({"lr": 0.1, "layers": 3, "bn": True})
for step in range(4):
    task.get_logger().report_scalar("loss", "val", 1 / (step + 1), step)
task.get_logger().report_single_value("final", 2.5)
task.upload_artifact("summary of: a", {"a": 1}, wait_on_upload=True)
task.get_logger().report_scatter2d("plot", "points", scatter=[[0, 1], [1, 2]], iteration=0)
with open("model.txt", "w") as file:
    file.write("weights")
model = OutputModel(task=task, name="a model", framework="custom")
model.update_weights("model.txt", upload_uri=sys.argv[1], auto_delete_file=False, async_enable=False)
task.close()

done = Task.get_task(task.id)
assert done.get_status() == "completed"
assert done.get_last_scalar_metrics()["loss"]["val"] == {"last": 0.25, "min": 0.25, "max": 1.0}
assert [round(y, 6) for y in done.get_reported_scalars()["loss"]["val"]["y"]] == [1.0, 0.5, 0.333333, 0.25]
assert done.get_reported_single_values() == {"final": 2.5}
assert done.artifacts["summary of: a"].get() == {"a": 1}
assert [plot["metric"] for plot in done.get_reported_plots()] == ["plot"]
(kept,) = done.models["output"]
with open(kept.get_weights(force_download=True)) as file:
    assert (kept.name, file.read()) == ("a model", "weights")

APIClient().queues.create(name="lab")
copy = Task.clone(task.id, name="copy", parent=task.id)
copy.set_parameters({"General/lr": 0.5, "General/layers": 4})
Task.enqueue(copy, queue_name="lab")
assert Task.query_tasks(task_filter={"status": ["queued"], "parent": task.id}) == [copy.id]
assert copy.get_parameters() == {"General/lr": "0.5", "General/layers": "4"}
Task.dequeue(copy)
copy.mark_started(force=True)
copy.mark_stopped(status_message="enough")
copy.reload()
assert (copy.get_status(), copy.data.status_message) == ("stopped", "enough")
copy.delete()
assert Task.query_tasks(task_filter={"parent": task.id}) == []
print("WORKS")
"""


@pytest.mark.slow
def test_a_task_is_made_reported_cloned_queued_and_deleted_through_the_sdk(server, tmp_path):
    configuration = tmp_path / "clearml.conf"
    configuration.write_text("api {}\nsdk { development { report_use_subprocess: false } }\n")
    environment = {name: value for name, value in os.environ.items() if not name.startswith(("CLEARML_", "TRAINS_"))}
    environment |= server.environment()
    environment |= {"CLEARML_CONFIG_FILE": str(configuration), "CLEARML_CACHE_DIR": str(tmp_path / "cache")}
    done = subprocess.run(
        [sys.executable, "-c", SCRIPT, server.files_url],
        cwd=tmp_path,
        env=environment,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert "WORKS" in done.stdout, done.stdout + done.stderr
    assert server.log.count("tasks.create") == 1
    # A queue's name in place of its id is the one thing that is refused, and normal.
    assert {entry.endpoint for entry in server.log if entry.status != 200} == {"queues.get_by_id"}
