"""The unmodified SDK: a script becomes a Task, and a Task is cloned, edited, queued, stopped, failed and found."""

from __future__ import annotations

from dataclasses import dataclass

import pytest
from clearml import Task

from tests.clearml.conftest import run_script
from tests.clearml.recorded import Step, calls, in_foreground, recorded
from tests.clearml.way import Way

# The script of the recorded sequence: arguments, connected values, text, scalars and an artifact.
TEMPLATE = """
import argparse
import json

from clearml import Task

task = Task.init("{project}", "train", reuse_last_task_id=False, auto_connect_frameworks=False)
parser = argparse.ArgumentParser()
parser.add_argument("--epochs", type=int, default=3)
parser.add_argument("--flavour", default="plain")
parser.add_argument("--amplified", action="store_true")
arguments = parser.parse_args()
values = task.connect({{"rate": 0.1, "layers": 2, "kind": "linear", "normed": True}})
logger = task.get_logger()
logger.report_text("rate is " + str(values["rate"]))
for epoch in range(arguments.epochs):
    logger.report_scalar("loss", "validation", values["rate"] + 1 / (epoch + 1), epoch)
    logger.report_scalar("loss", "training", values["layers"] / (epoch + 1), epoch)
logger.report_single_value("size", 17)
task.upload_artifact("summary", {{"rate": values["rate"]}}, wait_on_upload=True)
task.close()
print(json.dumps(task.id))
"""


@dataclass(frozen=True)
class Run:
    """A run of the script: its Task, and the calls that it made."""

    project: str
    task_id: str
    steps: list[Step]

    @property
    def task(self):
        return Task.get_task(task_id=self.task_id)


@pytest.fixture(scope="module")
def trained(new_project, clearml_api, tmp_path_factory):
    """One run of the script to its end."""
    with new_project() as project, Way(clearml_api.url) as made:
        source = TEMPLATE.format(project=project)
        environment = {**clearml_api.environment, **made.environment}
        ended = run_script(source, tmp_path_factory.mktemp("trained"), environment, name="train.py")
        assert ended.returncode == 0, ended.stdout + ended.stderr
        yield Run(project, ended.said, made.steps)


class TestARun:
    def test_ends_completed_with_its_parameters_scalars_and_source(self, trained):
        task = trained.task

        assert task.get_status() == "completed"
        assert task.name == "train"
        assert task.get_project_name() == trained.project
        assert task.get_parameters() == {
            "Args/epochs": "3",
            "Args/flavour": "plain",
            "Args/amplified": "False",
            "General/rate": "0.1",
            "General/layers": "2",
            "General/kind": "linear",
            "General/normed": "True",
        }
        assert task.get_parameters(cast=True)["General/normed"] is True
        assert task.get_last_iteration() == 2
        loss = task.get_last_scalar_metrics()["loss"]
        assert set(loss) == {"validation", "training"}
        assert loss["validation"]["last"] == pytest.approx(0.1 + 1 / 3)
        assert loss["validation"]["min"] == pytest.approx(0.1 + 1 / 3)
        assert loss["validation"]["max"] == pytest.approx(1.1)
        assert task.get_reported_scalars()["loss"]["training"]["y"] == pytest.approx([2, 1, 2 / 3])
        assert task.get_reported_single_value("size") == 17
        assert "rate is 0.1" in "".join(task.get_reported_console_output(number_of_reports=50))
        assert task.artifacts["summary"].get() == {"rate": 0.1}
        # An agent takes a stand-alone script from here.
        assert task.data.script.entry_point == "train.py"
        assert "parser.add_argument" in task.data.script.diff

    def test_makes_the_recorded_calls(self, trained):
        assert calls(trained.steps) == calls(recorded("template"))
        assert in_foreground(trained.steps) == in_foreground(recorded("template"))

    @pytest.mark.slow
    def test_that_raises_ends_failed_with_the_reason(self, script, project):
        source = TEMPLATE.format(project=project)
        source = source.replace("logger = ", "print(json.dumps(task.id)); raise OSError('gone') #")

        ended = script(source, fails=True)

        task = Task.get_task(task_id=ended.said)
        assert task.get_status() == "failed"
        assert "gone" in task.data.status_reason


class TestAClone:
    def test_takes_other_values_and_reports_results_of_its_own(self, trained):
        template = trained.task

        clone = Task.clone(template, name="another rate", parent=template.id)
        clone.set_parameters({**clone.get_parameters(), "General/rate": 0.5})

        assert clone.get_status() == "created"
        assert clone.parent == template.id
        assert clone.get_parameters() == {**template.get_parameters(), "General/rate": "0.5"}
        assert clone.get_last_scalar_metrics() == {}
        assert clone.data.script.diff == template.data.script.diff
        assert template.get_parameters()["General/rate"] == "0.1"
        assert [task.id for task in Task.get_tasks(task_filter={"parent": template.id})] == [clone.id]

    def test_waits_in_a_queue_until_it_is_taken_out(self, template, queue, project, api_client):
        clone = Task.clone(template, name="queued", project=project_id(api_client, project))

        Task.enqueue(clone, queue_name=queue)

        entries = api_client.queues.get_all(name=f"^{queue}$")[0].entries
        assert [entry.task for entry in entries] == [clone.id]
        clone.reload()
        assert clone.get_status() == "queued"

        Task.dequeue(clone)

        clone.reload()
        assert clone.get_status() == "created"
        assert not api_client.queues.get_all(name=f"^{queue}$")[0].entries

    def test_can_be_stopped_restarted_and_archived(self, template, project, api_client):
        clone = Task.clone(template, name="stopped", project=project_id(api_client, project))
        clone.mark_started()
        clone.mark_stopped(status_message="enough")
        clone.reload()
        assert (clone.get_status(), clone.data.status_message) == ("stopped", "enough")

        clone.mark_started()
        clone.mark_completed()
        assert clone.get_status() == "completed"

        clone.set_archived(True)
        clone.reload()
        assert clone.get_archived()


def project_id(client, name):
    return client.projects.create(name=name).id
