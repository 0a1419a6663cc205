import assert from "node:assert/strict";
import { mock, test } from "node:test";
import { fakePage } from "../lib/fake_page.mjs";
import { typedField } from "./typed_field";

/** A field of the kernel's 60 that a person has opened. */
function opened() {
  fakePage();
  const send = mock.fn();
  const field = typedField("Trials at most", "trials", "", send);
  const paint = (value) => field.paint(`0 of ${value}`, value, null, {});
  paint("60");
  const input = field.root.querySelector("input");
  input.select = () => {};
  field.root.querySelector("button").click();
  const type = (text) => {
    input.value = text;
    input.tell("input");
  };
  const enter = () => input.tell("keydown", { key: "Enter" });
  const leaveWindow = () => input.tell("blur");
  const leave = () => {
    document.activeElement = document.body;
    input.tell("blur");
  };
  const sent = () => send.mock.calls.map(({ arguments: [text] }) => text);
  return { field, paint, type, enter, leave, leaveWindow, sent };
}

test("a number that was only looked at changes nothing that came from elsewhere meanwhile", () => {
  const { field, paint, leave, sent } = opened();
  paint("200");
  leave();
  assert.deepEqual(sent(), []);
  assert.equal(field.root.querySelector(".hpo-typed-form").hidden, true);
});

test("a number that was typed is sent where it is another one than the kernel has now", () => {
  const { paint, type, leave, sent } = opened();
  type("70");
  type("60");
  paint("200");
  leave();
  assert.deepEqual(sent(), ["60"]);
});

test("half of a number is not sent when only the window is left", () => {
  const { field, type, leave, leaveWindow, sent } = opened();
  type("7");
  leaveWindow();
  assert.deepEqual(sent(), []);
  assert.equal(field.root.querySelector(".hpo-typed-form").hidden, false);
  type("70");
  leave();
  assert.deepEqual(sent(), ["70"]);
});

test("Enter asks once, and again when the answer was lost", (context) => {
  context.mock.timers.enable({ apis: ["Date"] });
  const { type, enter, leave, sent } = opened();
  type("70");
  enter();
  enter();
  leave();
  assert.deepEqual(sent(), ["70"]);
  context.mock.timers.tick(10_000);
  enter();
  assert.deepEqual(sent(), ["70", "70"]);
});
