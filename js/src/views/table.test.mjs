import assert from "node:assert/strict";
import { mock, test } from "node:test";
import { fakeModel, fakePage } from "../lib/fake_page.mjs";
import table from "./table";

/** The table of 60 trials, of which one is drawn. */
function rendered() {
  const el = fakePage();
  const model = fakeModel({
    ...{ columns: [{ kind: "trial", label: "trial", name: "trial" }], order: [0], selected: [] },
    ...{ top_k: 10, shows_all: true, is_filtered: false, sorting: {}, page: 0, page_rows: 25 },
    ...{ num_rows: 60, hidden: [], note: "", commands: {}, together: {} },
    row_0: { number: 8, cells: ["#8"], seconds: null, error: "", mark: "" },
  });
  table.render({ model, el });
  return { el, model };
}

test("a page that is turned is told, and the number of rows is not told with each trial", async (context) => {
  context.mock.timers.enable({ apis: ["setTimeout"] });
  const { el, model } = rendered();
  const told = async (more) => {
    await model.change(more);
    context.mock.timers.tick(5000); // nothing is told more often
    const live = el
      .querySelectorAll("[aria-live], [role]")
      .filter((node) => node.getAttribute("aria-live") ?? node.getAttribute("role") === "status");
    return live.map(({ textContent }) => textContent).join();
  };
  assert.equal(await told({ num_rows: 61 }), "");
  assert.equal(el.querySelector(".hpo-number").textContent, "rows 1–25 of 61");
  assert.equal(await told({ page: 1 }), "rows 26–50 of 61");
  assert.equal(await told({ num_rows: 62 }), "rows 26–50 of 61");
  assert.equal(
    await told({ is_filtered: true, num_rows: 30 }),
    "rows 26–30 of 30, same filter as the plots",
  );
  assert.equal(await told({ shows_all: false }), "top 10, same filter as the plots");
});

test("several selected trials are left out with one press, and taken back with another", async () => {
  const { el, model } = rendered();
  await model.change({ selected: [8, 3], together: { command: "leave_out", count: 2 } });
  const button = el
    .querySelectorAll("button")
    .find(({ textContent }) => textContent.endsWith("selected"));
  assert.deepEqual([button.hidden, button.textContent], [false, "Leave out 2 selected"]);
  button.click();
  await model.change({ together: { command: "take_back", count: 2 } });
  assert.equal(button.textContent, "Take back 2 selected");
  button.click(2); // of a double click
  button.click();
  assert.deepEqual(model.sent, [
    { kind: "leave_out", numbers: [8, 3] },
    { kind: "take_back", numbers: [8, 3] },
  ]);
  await model.change({ commands: { take_back: "This search is only watched." } });
  button.click();
  assert.equal(model.sent.length, 2);
  await model.change({ together: {} });
  assert.equal(button.hidden, true);
});

test("Tab leads to the first row until somebody goes to another, and then to that", async () => {
  const { el, model } = rendered();
  const led = () =>
    el
      .querySelectorAll("tbody tr")
      .filter((line) => line.getAttribute("tabindex") === "0")
      .map((line) => line.dataset.number);
  const row = (number) => ({ number, cells: [`#${number}`], seconds: null, error: "", mark: "" });
  await model.change({ order: [1, 0], row_1: row(9) });
  assert.deepEqual(led(), ["9"]);
  el.querySelector("tbody tr").tell("focusin");
  await model.change({ order: [2, 1, 0], row_2: row(10) });
  assert.deepEqual(led(), ["9"]);
  await model.change({ order: [2, 0] });
  assert.deepEqual(led(), ["10"]);
});

test("a press with Shift in a row selects no text, and one without may", () => {
  const { el } = rendered();
  const preventDefault = mock.fn();
  for (const shiftKey of [false, true]) {
    el.querySelector("td, tbody th").tell("mousedown", { shiftKey, preventDefault });
    assert.equal(preventDefault.mock.callCount(), Number(shiftKey));
  }
});
