import assert from "node:assert/strict";
import { test } from "node:test";
import { fakeModel, fakePage } from "../lib/fake_page.mjs";
import menu from "./export";

/** Two views of one menu, and how many files the page has saved. */
function rendered(context) {
  context.mock.timers.enable({ apis: ["setTimeout"] });
  const saved = context.mock.method(URL, "createObjectURL", () => "blob:").mock;
  fakePage();
  const files = [{ what: "csv", text: "CSV" }];
  const model = fakeModel({ files, best: "", trials: "all trials", commands: { export: null } });
  const views = [0, 1].map(() => {
    const el = document.createElement("div");
    menu.render({ model, el });
    const button = el.querySelectorAll("button").find(({ textContent }) => textContent === "CSV");
    const outcome = () => el.querySelectorAll(".hpo-muted").at(-1).textContent;
    return { button, outcome };
  });
  const hearFile = (id) =>
    model.hear({ kind: "file", id, name: "a.csv", type: "text/csv", words: "" }, [
      new DataView(new ArrayBuffer(1)),
    ]);
  return { model, views, hearFile, numSaved: () => saved.callCount() };
}

test("a file is saved once, by the view that has asked for it", (context) => {
  const { model, views, hearFile, numSaved } = rendered(context);
  views[0].button.click();
  hearFile("of another page");
  assert.equal(numSaved(), 0);
  hearFile(model.sent[0].id);
  assert.equal(numSaved(), 1);
  assert.deepEqual(
    views.map(({ outcome }) => outcome()),
    ["Saved a.csv", ""],
  );
});

test("a file that cannot be made again is no longer being made", async (context) => {
  const { model, views } = rendered(context);
  for (const place of [0, 1]) {
    views[0].button.click();
    await model.change({ trials: "trials that pass the filter" });
    assert.equal(views[0].outcome(), "Making the file …");
    model.hear({ kind: "problem", id: model.sent[place].id, problem: "csv: no disk" });
    assert.equal(views[0].outcome(), "csv: no disk");
  }
  assert.equal(views[1].outcome(), "");
});
