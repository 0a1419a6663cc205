import assert from "node:assert/strict";
import { mock, test } from "node:test";
import { writeCell } from "./write_cell";

function notebook(sources, activeCellIndex) {
  const cells = sources.map((source) => ({
    cell_type: "code",
    source,
    setSource(text) {
      this.source = text;
    },
  }));
  const sharedModel = {
    cells,
    insertCell: (place, cell) => cells.splice(place, 0, cell),
  };
  const content = { activeCellIndex };
  return { panel: { id: "notebook", content }, context: { model: { sharedModel } } };
}

async function written(sources, active, run = false) {
  const app = {
    commands: { execute: mock.fn(async () => undefined) },
    shell: { activateById: mock.fn() },
  };
  const one = notebook(sources, active);
  await writeCell(app, one, "new", run);
  assert.deepEqual(app.shell.activateById.mock.calls[0].arguments, ["notebook"]);
  return {
    cells: one.context.model.sharedModel.cells.map(({ source }) => source),
    active: one.panel.content.activeCellIndex,
    ran: app.commands.execute.mock.calls.map((call) => call.arguments[0]),
  };
}

test("a cell is written below the active one, and becomes the active one", async () => {
  assert.deepEqual(await written(["a", "b"], 0), { cells: ["a", "new", "b"], active: 1, ran: [] });
});

test("without an active one it is the last", async () => {
  assert.deepEqual(await written(["a", "b"], -1), { cells: ["a", "b", "new"], active: 2, ran: [] });
});

test("the only cell of an empty notebook is used", async () => {
  assert.deepEqual(await written([" \n"], 0), { cells: ["new"], active: 0, ran: [] });
});

test("an empty cell between others is left alone", async () => {
  assert.deepEqual(await written(["a", ""], 1), { cells: ["a", "", "new"], active: 2, ran: [] });
});

test("it is run when that is asked for", async () => {
  assert.deepEqual((await written(["a"], 0, true)).ran, ["notebook:run-cell"]);
});
