import assert from "node:assert/strict";
import { test } from "node:test";
import { fakeModel, fakePage } from "../lib/fake_page.mjs";
import space from "./space";

const NAMES = ["constructor", "toString", "valueOf", "__proto__"];

/** As JSON has it, where `__proto__` is a name like others. */
const byName = (value) => JSON.parse(`{${NAMES.map((name) => `"${name}": ${value}`)}}`);

function rendered(parameters, ranges, constraint = "") {
  const el = fakePage();
  const model = fakeModel({
    parameters,
    constraint,
    ranges,
    commands: {},
    answered: 0,
    answer: {},
    priors: {},
    prior_exponents: {},
    histograms: {},
    preview: {},
    undo_labels: {},
    best: {},
    widen_suggestions: [],
    advised: {},
    recent_samples: [],
  });
  space().render({ model, el });
  return { el, model };
}

test("a number may have the name of what every object has", async () => {
  const spec = { label: "", needs: "", kind: "float", declared: [0, 10], low: 0, high: 10 };
  const more = { limit_low: null, limit_high: null, step: null, origin: 0, base: 10, bins: 32 };
  const specs = NAMES.map((name) => ({ ...spec, ...more, name }));
  const { el, model } = rendered(specs, byName("[2, 8]"));
  const texts = () => el.querySelectorAll(".hpo-field").map(({ value }) => value);
  assert.deepEqual(
    texts(),
    NAMES.flatMap(() => ["2", "8"]),
  );
  assert.equal(el.querySelectorAll(".hpo-has-prior").length, 0);
  await model.change({ ranges: byName("[3, 8]"), advised: byName("[4, 8]") });
  assert.deepEqual(
    texts(),
    NAMES.flatMap(() => ["3", "8"]),
  );
});

test("a choice may have the name of what every object has", () => {
  const specs = NAMES.map((name) => ({
    name,
    label: "",
    needs: "",
    kind: "choice",
    choices: ["a", "b"],
  }));
  const { el } = rendered(specs, byName("[1]"));
  const boxes = el.querySelectorAll("input").filter(({ checked }) => checked !== undefined);
  assert.deepEqual(
    boxes.map(({ checked }) => checked),
    NAMES.flatMap(() => [false, true]),
  );
});

test("a change is undone by the keys of any keyboard, whatever its letters are", () => {
  const spec = { label: "", needs: "", kind: "choice", choices: ["a", "b"], name: "x" };
  const { el, model } = rendered([spec], { x: [1] });
  const press = (key, code, more) =>
    el.querySelector(".hpo-space").tell("keydown", { key, code, ctrlKey: true, ...more });
  press("z", "KeyY"); // German
  press("я", "KeyZ");
  press("Я", "KeyZ", { shiftKey: true });
  press("υ", "KeyY");
  press(";", "KeyZ"); // Dvorak
  press("à", "KeyZ"); // bépo
  assert.deepEqual(
    model.sent.map(({ kind }) => kind),
    ["undo", "undo", "redo", "redo"],
  );
});

test("Ctrl+Z takes back what the kernel does not know yet, and sends nothing for it", async () => {
  const spec = { label: "", needs: "", kind: "choice", choices: ["a", "b"], name: "x" };
  const { el, model } = rendered([spec], { x: [0, 1] });
  const [box] = el.querySelectorAll("input").filter(({ checked }) => checked !== undefined);
  const undo = () =>
    el.querySelector(".hpo-space").tell("keydown", { key: "z", code: "KeyZ", ctrlKey: true });
  for (const reason of ["There is no change of ranges to undo.", null]) {
    await model.change({ commands: { undo: reason } });
    box.click();
    assert.equal(box.checked, false);
    undo();
    assert.equal(box.checked, true);
    assert.deepEqual(model.sent, []);
  }
  undo();
  assert.deepEqual(model.sent, [{ kind: "undo" }]);
});

test("Ctrl+Z undoes a change in a field that has the bound as it is, and there only", () => {
  const spec = { name: "lr", label: "lr", needs: "", kind: "float", declared: [0, 10] };
  const more = { limit_low: null, limit_high: null, step: null, origin: 0, base: 10, bins: 32 };
  const { el, model } = rendered([{ ...spec, ...more, low: 0, high: 10 }], { lr: [2, 8] });
  const [field] = el.querySelectorAll(".hpo-field");
  const undo = () => field.tell("keydown", { key: "z", code: "KeyZ", ctrlKey: true });
  field.focus();
  field.value = "2.5";
  undo(); // the browser takes back what was typed
  assert.deepEqual(model.sent, []);
  field.value = "2";
  undo();
  assert.deepEqual(model.sent, [{ kind: "undo" }]);
});

test("a new choice is typed, refused at its field, and is beside the others once the kernel has it", async () => {
  const spec = { label: "kind", needs: "", kind: "choice", choices: ["a", "b"], takes_more: true };
  const { el, model } = rendered([{ ...spec, name: "kind" }], { kind: [0] });
  const [button] = el.querySelectorAll("button").filter((one) => one.textContent === "+");
  const [field] = el
    .querySelectorAll("input")
    .filter((one) => one.getAttribute("aria-label") === "New choice of kind");
  const [first] = el.querySelectorAll("input").filter(({ checked }) => checked !== undefined);
  const problem = () => el.querySelector(".hpo-problem").textContent;
  const enter = (text) => {
    field.value = text;
    field.tell("input");
    field.tell("keydown", { key: "Enter" });
  };
  button.click();
  assert.deepEqual([button.hidden, field.hidden, document.activeElement], [true, false, field]);
  enter(" a ");
  field.tell("keydown", { key: "Enter" }); // once more, before the answer
  const [{ id, ...sent }, ...others] = model.sent;
  assert.deepEqual(sent, { kind: "type", name: "kind", text: "a" });
  assert.deepEqual(others, []);
  await model.change({ answer: { id: "of another page", problem: "no" } });
  assert.equal(problem(), "");
  await model.change({ answer: { id, problem: "'a' is there already" } });
  assert.equal(problem(), "'a' is there already");
  assert.equal(field.getAttribute("aria-invalid"), "true");
  assert.equal(field.getAttribute("aria-describedby"), el.querySelector(".hpo-problem").id);
  enter("resnet");
  await model.change({ answer: { id: model.sent[1].id, problem: "" } });
  assert.deepEqual([button.hidden, field.hidden, problem()], [false, true, ""]);
  assert.equal(document.activeElement, button);
  await model.change({
    parameters: [{ ...spec, name: "kind", choices: ["a", "b", "resnet"] }],
    ranges: { kind: [0, 2] },
  });
  const boxes = el.querySelectorAll("input").filter(({ checked }) => checked !== undefined);
  assert.deepEqual(
    boxes.map(({ checked }) => checked),
    [true, false, true],
  );
  assert.equal(boxes[0], first); // the control is the same, with the focus where it was
  assert.equal(document.activeElement, button);
  button.click();
  field.tell("keydown", { key: "Escape" });
  assert.equal(document.activeElement, button);
  await model.change({ commands: { add_choices: "the search is only viewed" } });
  button.click();
  assert.deepEqual(
    [field.hidden, button.getAttribute("title")],
    [true, "the search is only viewed"],
  );
});

test("a search among many parameters that finds none says so", () => {
  const names = Array.from({ length: 13 }, (_, index) => `x${index}`);
  const spec = { label: "", needs: "", kind: "choice", choices: ["a", "b"] };
  const { el } = rendered(
    names.map((name) => ({ ...spec, name })),
    Object.fromEntries(names.map((name) => [name, [0, 1]])),
  );
  const filter = el.querySelector(".hpo-filter");
  const found = (text) => {
    filter.value = text;
    filter.tell("input");
    const shown = el.querySelectorAll(".hpo-parameter").filter(({ hidden }) => !hidden);
    return [shown.length, el.querySelector(".hpo-muted").textContent];
  };
  assert.deepEqual(found("x12"), [1, ""]);
  assert.deepEqual(found("z"), [0, "No parameter has this in its name."]);
  assert.deepEqual(found(" "), [13, ""]);
});

test("a constraint of the search is told as text, and nothing where there is none", () => {
  const line = (constraint) => rendered([], {}, constraint).el.querySelector(".hpo-constraint");
  assert.equal(line("<b>(x)").textContent, "Only points for which <b>(x) is true");
  assert.equal(line("<b>(x)").hidden, false);
  assert.equal(line("").hidden, true);
});
