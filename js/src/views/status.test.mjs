import assert from "node:assert/strict";
import { test } from "node:test";
import { PriorStrip } from "../controls/prior_strip";
import { fakeModel, fakePage } from "../lib/fake_page.mjs";
import status from "./status";

/** The status in a panel. */
async function rendered(more = {}) {
  const panel = document.createElement("div");
  panel.className = "hpo-layout";
  const model = fakeModel({
    ...{
      title: "",
      task: null,
      status: "running",
      pill: {},
      is_view: false,
      facts: [],
      strategy: "",
    },
    ...{ budgets: [], counts: [], best: null, has_front: false, forecast: "", next_poll: "" },
    ...{
      sentence: "",
      since_end: "",
      notices: [],
      workers: 1,
      jobs: null,
      raise_to: null,
      commands: {},
    },
    ...{ answer: {}, num_failed_points: 0, ...more },
  });
  status.render({ model, el: panel });
  await Promise.resolve();
  return { panel, model };
}

test("a double click dismisses one notice only", async () => {
  fakePage();
  const notices = ["a", "b"].map((text) => ({ at: "12:00", text, count: 1 }));
  const { panel, model } = await rendered({ notices });
  const [first, second] = panel.querySelectorAll(".hpo-dismiss");
  first.click(1);
  second.click(2);
  assert.deepEqual(model.sent, [{ kind: "dismiss", text: "a" }]);
});

test("what may run since the end stands beside the reason of the end", async () => {
  fakePage();
  const { panel, model } = await rendered({ sentence: "all 4 trials of the budget were used" });
  await model.change({ since_end: "the budget is 6 trials now" });
  const words = panel.querySelector(".hpo-ending").children.map((node) => node.textContent);
  assert.deepEqual(words, [
    "all 4 trials of the budget were used",
    "the budget is 6 trials now",
    "",
  ]);
});

test("Escape gives up a stroke on a strip, and only without one the selection", async () => {
  fakePage();
  const { panel, model } = await rendered();
  const bins = { count: 4, layout: "columns", name: String };
  const strip = new PriorStrip(
    { name: "x", label: "x" },
    bins,
    () => {},
    () => {},
  );
  panel.append(strip.root);
  const area = strip.root.querySelector(".hpo-prior-area");
  area.tell("pointerdown", { pointerId: 1, clientX: 100, clientY: 50, button: 0 });
  area.tell("keydown", { key: "Escape" });
  assert.deepEqual(model.sent, []);
  area.tell("keydown", { key: "Escape" });
  assert.deepEqual(model.sent, [{ kind: "deselect" }]);
});

test("a notice that is dismissed leaves the focus to the next one, and the last one to another control", async () => {
  const body = fakePage();
  const notices = ["a", "b"].map((text) => ({ at: "12:00", text, count: 1 }));
  const { panel, model } = await rendered({ notices });
  body.append(panel);
  const [first, second] = panel.querySelectorAll(".hpo-dismiss");
  first.focus();
  await model.change({ notices: notices.slice(1) });
  assert.equal(document.activeElement, second);
  await model.change({ notices: [] });
  assert.ok(panel.querySelector(".hpo-status").contains(document.activeElement));
});

test("Escape leaves the selection alone in a field, and where an input method has it", async () => {
  fakePage();
  const { panel, model } = await rendered();
  const note = document.createElement("textarea");
  const plot = document.createElement("div");
  panel.append(note, plot);
  note.tell("keydown", { key: "Escape" });
  plot.tell("keydown", { key: "Escape", isComposing: true });
  assert.deepEqual(model.sent, []);
  plot.tell("keydown", { key: "Escape" });
  assert.deepEqual(model.sent, [{ kind: "deselect" }]);
});

test("the Task of the search is a link where its page is known, and else text that opens the search elsewhere", async () => {
  fakePage();
  const id = "0a1b2c3d4e5f60718293a4b5c6d7e8f9";
  const { panel, model } = await rendered({ task: { id, page: "https://app.example/0a1b" } });
  const task = panel.querySelector(".hpo-own-task");
  const shown = () => [task.hidden, task.textContent, task.getAttribute("href")];
  assert.deepEqual(shown(), [false, "Task ↗", "https://app.example/0a1b"]);
  await model.change({ task: { id, page: "" } });
  assert.deepEqual(shown(), [false, `Task ${id}`, null]);
  await model.change({ task: { id, page: "javascript:alert(1)" } });
  assert.deepEqual(shown(), [false, `Task ${id}`, null]);
  await model.change({ task: null });
  assert.deepEqual(shown(), [true, "", null]);
});

test("failed points are offered to be run again as long as there are some, once for a double click", async () => {
  const body = fakePage();
  const { panel, model } = await rendered({
    counts: [{ label: "completed", number: 3, is_bad: false }],
  });
  body.append(panel);
  const button = panel.querySelector(".hpo-retry-failed");
  assert.equal(button.hidden, true);
  await model.change({ num_failed_points: 1 });
  assert.equal(button.hidden, false);
  assert.equal(button.textContent, "retry 1 point");
  await model.change({ num_failed_points: 40 });
  assert.equal(button.textContent, "retry 40 points");
  button.focus();
  button.click(1);
  button.click(2);
  assert.deepEqual(model.sent, [{ kind: "retry_failed" }]);
  await model.change({ num_failed_points: 0 });
  assert.ok(panel.querySelector(".hpo-status").contains(document.activeElement));
  assert.equal(button.textContent, "");
  await model.change({ num_failed_points: 2, commands: { retry_failed: "this is a view" } });
  assert.equal(button.getAttribute("title"), "this is a view");
  button.click(1);
  assert.equal(model.sent.length, 1);
});
