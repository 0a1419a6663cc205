import assert from "node:assert/strict";
import { test } from "node:test";
import { fakeModel, fakePage } from "../lib/fake_page.mjs";
import details from "./details";

const NOTHING = { sentence: "", times: [], parameters: [], scalars: [], curves: [], as_dict: "" };
const SHOWN = { ...NOTHING, page: "", note: "", tags: ["odd"], log: "", traceback: "" };

test("what is pressed is meant for the trial that is painted", async () => {
  const body = fakePage();
  const model = fakeModel({ ...SHOWN, number: 0, state: "failed", commands: {} });
  details.render({ model, el: body });
  const buttons = body.querySelectorAll("button");
  const press = (text) => buttons.find((button) => button.textContent.startsWith(text)).click();
  const painted = model.change({ number: 1 });
  for (const text of ["Retry", "Try a variation", "odd"]) {
    press(text);
  }
  await painted;
  press("Retry");
  assert.deepEqual(
    model.sent.map(({ kind, number }) => [kind, number]),
    [
      ["retry", 0],
      ["vary", 0],
      ["tag", 0],
      ["retry", 1],
    ],
  );
});

test("a double click stops a trial, and does not run it again by the button that has come in the place of Stop", async () => {
  const body = fakePage();
  const model = fakeModel({ ...SHOWN, number: 0, state: "running", commands: {} });
  details.render({ model, el: body });
  const button = (text) =>
    body.querySelectorAll("button").find((one) => one.textContent.startsWith(text));
  button("Stop").click();
  button("Stop").click(2);
  await model.change({ state: "aborted" });
  button("Retry").click(2);
  assert.deepEqual(
    model.sent.map(({ kind }) => kind),
    ["stop"],
  );
});

test("what is copied is the trial that is painted", async (context) => {
  const copied = [];
  const clipboard = { writeText: async (text) => copied.push(text) };
  Object.defineProperty(globalThis, "navigator", { value: { clipboard }, configurable: true });
  context.after(() => delete globalThis.navigator);
  const body = fakePage();
  const commands = {};
  const model = fakeModel({ ...SHOWN, number: 0, state: "failed", commands, as_dict: "{'x': 0}" });
  const end = details.render({ model, el: body });
  context.after(end);
  const copy = body
    .querySelectorAll("button")
    .find((button) => button.textContent.startsWith("Copy"));
  await Promise.resolve();
  const painted = model.change({ number: 1, as_dict: "{'x': 1}" });
  copy.click();
  await painted;
  copy.click();
  assert.deepEqual(copied, ["{'x': 0}", "{'x': 1}"]);
});

test("a tag that is removed leaves the focus to the next one, and at last to the field", async () => {
  const body = fakePage();
  const model = fakeModel({ ...SHOWN, tags: ["a", "b"], number: 0, state: "failed", commands: {} });
  details.render({ model, el: body });
  const [first, second] = body.querySelectorAll(".hpo-tag");
  first.focus();
  await model.change({ tags: ["b", "c"] });
  assert.equal(document.activeElement, second);
  await model.change({ tags: [] });
  assert.equal(document.activeElement, body.querySelector("input"));
});

/** The details of a trial with a note in its field, which is not in the model yet. */
function withNote(text) {
  const body = fakePage();
  const model = fakeModel({ ...SHOWN, number: 0, state: "completed", commands: {} });
  details.render({ model, el: body });
  const note = body.querySelector("textarea");
  note.value = text;
  return { model, note };
}

test("a note that is being written is sent when the page is closed", () => {
  const { model } = withNote("stable");
  window.dispatchEvent(new Event("pagehide"));
  window.dispatchEvent(new Event("pagehide"));
  assert.deepEqual(model.sent, [{ kind: "note", number: 0, note: "stable" }]);
});

test("a note that was sent stays until the kernel has another one, whatever else is told meanwhile", async () => {
  const { model, note } = withNote("stable");
  note.tell("change");
  await model.change({ log: "epoch 1" });
  assert.equal(note.value, "stable");
  await model.change({ note: "of another page" });
  assert.equal(note.value, "of another page");
  note.value = "again";
  note.tell("change");
  await model.change({ number: 1, note: "of another page" });
  assert.equal(note.value, "of another page");
});

test("a note that was only looked at shows what came from elsewhere meanwhile, one that was typed stays", async () => {
  const { model, note } = withNote("");
  const leave = () => {
    document.activeElement = document.body;
    note.tell("blur");
  };
  note.focus();
  await model.change({ note: "of another page" });
  assert.equal(note.value, "");
  leave();
  assert.equal(note.value, "of another page");
  note.focus();
  note.value = "stable";
  note.tell("change");
  leave();
  assert.equal(note.value, "stable");
});

test("no more can be typed than the kernel takes", () => {
  const { note } = withNote("");
  assert.equal(note.getAttribute("maxlength"), "4000");
  assert.equal(document.body.querySelector("input").getAttribute("maxlength"), "60");
});
