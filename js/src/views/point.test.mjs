import assert from "node:assert/strict";
import { test } from "node:test";
import { fakeModel, fakePage } from "../lib/fake_page.mjs";
import point from "./point";

const FIELD = { label: "", kind: "float", choices: null, value: "1", may_be_empty: false };

/** Two panels, or other frames, that show the form of one search, in one page. */
function rendered(className = "hpo-layout") {
  const body = fakePage();
  const model = fakeModel({
    fields: [],
    objectives: [],
    sentence: "",
    refusal: "",
    commands: {},
    answer: {},
  });
  const panels = [0, 1].map(() => {
    const panel = document.createElement("div");
    panel.className = className;
    body.append(panel);
    point.render({ model, el: panel });
    return panel;
  });
  return { model, panels };
}

test("the form takes the focus only in the panel that has it", async () => {
  const { model, panels } = rendered();
  await model.change({ fields: [{ ...FIELD, name: "x" }] });
  assert.equal(document.activeElement.tagName, "body");
  await model.change({ fields: [] });
  panels[1].focus();
  await model.change({ fields: [{ ...FIELD, name: "x" }] });
  assert.equal(document.activeElement, panels[1].querySelector("input"));
  await model.change({ fields: [] });
  assert.equal(document.activeElement, panels[1]);
});

test("a value that is right is not called wrong for the name of its parameter", async () => {
  const { model, panels } = rendered();
  await model.change({ fields: ["constructor", "x"].map((name) => ({ ...FIELD, name })) });
  panels[0].querySelector("form").tell("submit");
  await model.change({ answer: { id: model.sent[0].id, fields: { x: "Type a number." } } });
  const problems = panels[0].querySelectorAll(".hpo-problem");
  assert.deepEqual(
    problems.map(({ textContent }) => textContent),
    ["", "Type a number."],
  );
});

test("a point is queued once, and again when the answer was lost", async (context) => {
  context.mock.timers.enable({ apis: ["Date"] });
  const { model, panels } = rendered();
  await model.change({ fields: [{ ...FIELD, name: "x" }] });
  const form = panels[0].querySelector("form");
  form.tell("submit");
  form.tell("submit");
  assert.equal(model.sent.length, 1);
  context.mock.timers.tick(10_000);
  form.tell("submit");
  assert.equal(model.sent.length, 2);
});

test("without a panel the next form takes the focus that the one before had", async () => {
  const { model, panels } = rendered("hpo-race-layout");
  for (const value of ["1", "2", "3"]) {
    await model.change({ fields: [{ ...FIELD, name: "x", value }] });
    const input = panels[1].querySelector("input");
    if (value === "1") {
      input.focus();
    }
    assert.equal(document.activeElement, input);
    await model.change({ fields: [] });
    document.body.focus(); // as a browser does when what has the focus is removed
  }
});

test("Cancel and Escape bring back what was offered, though the same is offered again", async () => {
  const { model, panels } = rendered("hpo-race-layout");
  await model.change({ fields: [{ ...FIELD, name: "x" }] });
  const [form] = panels[0].querySelectorAll("form");
  const [input] = form.querySelectorAll("input");
  const ways = [
    () => form.querySelectorAll("button")[1].click(),
    () => input.tell("keydown", { key: "Escape" }),
  ];
  for (const giveUp of ways) {
    input.value = "many";
    form.tell("submit");
    const { id } = model.sent.at(-1);
    await model.change({ answer: { id, fields: { x: "Type a number." }, problem: "No." } });
    assert.equal(input.getAttribute("aria-invalid"), "true");
    giveUp();
    assert.deepEqual(model.sent.at(-1), { kind: "cancel" });
    assert.equal(input.value, "1");
    assert.equal(input.getAttribute("aria-invalid"), null);
    assert.deepEqual(
      form.querySelectorAll(".hpo-problem, .hpo-bad").map(({ textContent }) => textContent),
      ["", ""],
    );
  }
});

test("what is typed is told to the kernel, before it is queued", async () => {
  const { model, panels } = rendered();
  await model.change({ fields: ["x", "y"].map((name) => ({ ...FIELD, name })) });
  const [form] = panels[0].querySelectorAll("form");
  form.querySelectorAll("input")[1].value = "2.5";
  form.tell("input");
  assert.deepEqual(model.sent, [{ kind: "edit", values: { x: "1", y: "2.5" } }]);
});

test("a result is recorded with the point, by the button or Enter, and what is wrong is said at it", async () => {
  const { model, panels } = rendered();
  await model.change({ objectives: ["loss", "size"], fields: [{ ...FIELD, name: "x" }] });
  const [form] = panels[0].querySelectorAll("form");
  const [x, loss, size] = form.querySelectorAll("input");
  loss.value = "0.5";
  loss.tell("input");
  assert.deepEqual(model.sent, []);
  loss.tell("keydown", { key: "Enter" });
  const { id } = model.sent[0];
  assert.deepEqual(model.sent, [{ kind: "record", id, values: { x: "1" }, results: ["0.5", ""] }]);
  await model.change({ answer: { id, results: { 1: "Type a number." } } });
  assert.equal(document.activeElement, size);
  assert.equal(size.getAttribute("aria-invalid"), "true");
  assert.equal(x.getAttribute("aria-invalid"), null);
  size.value = "3";
  form.querySelectorAll("button")[2].click();
  assert.deepEqual(model.sent[1].results, ["0.5", "3"]);
});

test("where no result can be recorded there is no field for it", async () => {
  const { model, panels } = rendered();
  const known = panels[0].querySelector(".hpo-point-known");
  await model.change({ fields: [{ ...FIELD, name: "x" }] });
  assert.equal(known.hidden, true);
  await model.change({ objectives: ["loss"], fields: [{ ...FIELD, name: "y" }] });
  assert.equal(known.hidden, false);
  await model.change({ commands: { add_trial: "each trial is a Task" } });
  assert.equal(known.hidden, true);
});

test("a choice that is added while a form is open is offered there, and what was typed stays", async () => {
  const { model, panels } = rendered();
  const kind = { ...FIELD, name: "kind", kind: "choice", value: "1" };
  const fields = (choices) => [
    { ...FIELD, name: "x", may_be_empty: false },
    { ...kind, choices },
    { ...kind, name: "more", choices, may_be_empty: true },
  ];
  await model.change({ fields: fields(["a", "b"]) });
  const [form] = panels[0].querySelectorAll("form");
  const input = form.querySelector("input");
  input.value = "0.25";
  await model.change({ fields: fields(["a", "b", "resnet"]) });
  assert.equal(form.querySelector("input"), input);
  const selects = form.querySelectorAll("select");
  assert.deepEqual(
    selects.map((one) => one.children.map((option) => option.textContent)),
    [
      ["a", "b", "resnet"],
      ["–", "a", "b", "resnet"],
    ],
  );
  selects[0].value = "2";
  form.tell("submit");
  assert.deepEqual(model.sent[0].values, { x: "0.25", kind: "2", more: "1" });
});

test("a refusal of the constraint is told before a press, and what a press has told goes with the next edit", async () => {
  const { model, panels } = rendered();
  const [form] = panels[0].querySelectorAll("form");
  const problem = () => form.querySelector(".hpo-bad").textContent;
  await model.change({
    fields: [{ ...FIELD, name: "x" }],
    refusal: "The constraint f(x) refuses.",
  });
  assert.equal(problem(), "The constraint f(x) refuses.");
  form.tell("submit");
  await model.change({ answer: { id: model.sent[0].id, problem: "It was proposed before." } });
  assert.equal(problem(), "It was proposed before.");
  form.tell("input");
  await model.change({ refusal: "" });
  assert.equal(problem(), "");
});
