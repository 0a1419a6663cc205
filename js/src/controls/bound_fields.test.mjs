import assert from "node:assert/strict";
import { test } from "node:test";
import { fakePage } from "../lib/fake_page.mjs";
import { NUMERIC } from "../lib/numeric_parameter.mjs";
import { Scale } from "../lib/scale";
import { BoundFields, problemOf } from "./bound_fields";

const problem = (value, bounds, more) =>
  problemOf(value, bounds, new Scale({ ...NUMERIC, ...more }));

const LOG = { kind: "log", low: 0.1, origin: 0.1 };

test("bounds that make sense have no problem, also beyond the track", () => {
  assert.equal(problem(2, [2, 4]), null);
  assert.equal(problem(20, [2, 20]), null);
});

test("a bound passes no limit", () => {
  assert.equal(problem(-1, [-1, 4], { limit_low: 0 }), "The limit is 0.");
  assert.equal(problem(11, [1, 11], { limit_high: 10.5 }), "The limit is 10.5.");
  assert.equal(problem(1e300, [1, 1e300], { limit_high: 10.5 }), "The limit is 10.5.");
});

test("the lower bound stays below the upper one; steps may leave one value", () => {
  assert.match(problem(5, [5, 4]), /below the upper/);
  assert.match(problem(4, [4, 4]), /below the upper/);
  assert.match(problem(1e-5, [1e-4, 1e-5], LOG), /below the upper/);
  assert.match(problem(7, [7, 6], { kind: "int" }), /below the upper/);
  assert.equal(problem(4, [4, 4], { step: 1 }), null);
});

test("kinds have rules of their own", () => {
  assert.match(problem(1.5, [1.5, 4], { kind: "int" }), /whole number/);
  assert.match(problem(0, [0, 4], LOG), /above 0/);
  assert.match(problem(-1, [-1, 4], LOG), /above 0/);
  assert.match(problem(4.1, [4.1, 4.2], { step: 1 }), /No step/);
});

test("a field is wider where its bound has many letters, and as wide while it is typed in", () => {
  fakePage();
  const scale = new Scale({ ...NUMERIC, kind: "int", low: -9e15, high: 9e15 });
  const fields = new BoundFields(scale, [-9007199254740, 1048576], () => {});
  fields.paint(scale, [-9007199254740, 1048576], null);
  const [low, high] = fields.root.querySelectorAll("input");
  assert.equal(low.value, "-9.007e+12");
  const isLong = (field) => field.classList.contains("hpo-long");
  assert.deepEqual([low, high].map(isLong), [true, false]);
  high.focus();
  high.tell("focus");
  assert.equal(high.value, "1048576");
  assert.ok(!isLong(high));
});

test("a whole number has all its digits while it is in the focus, and is not changed by that", () => {
  fakePage();
  const told = [];
  const scale = new Scale({ ...NUMERIC, kind: "int", low: 0, high: 2e9 });
  const fields = new BoundFields(scale, [1048576, 2e9], (bounds) => told.push(bounds));
  const paint = (bounds) => fields.paint(scale, bounds, null);
  paint([1048576, 2e9]);
  const [low] = fields.root.querySelectorAll("input");
  assert.equal(low.value, "1.049e+6");
  low.focus();
  low.tell("focus");
  assert.equal(low.value, "1048576");
  paint([1048577, 2e9]);
  assert.equal(low.value, "1048577");
  low.tell("change");
  document.activeElement = document.body;
  low.tell("blur");
  assert.equal(low.value, "1.049e+6");
  assert.deepEqual(told, []);
  low.focus();
  low.tell("focus");
  low.value = "1048599";
  low.tell("change");
  assert.deepEqual(told, [[1048599, 2e9]]);
});

test("what is typed stays though the search goes on, also in a shadow tree", () => {
  fakePage();
  const fields = new BoundFields(new Scale(NUMERIC), [2, 4], () => undefined);
  const [low] = fields.root.querySelectorAll("input");
  low.focus();
  low.value = "3";
  const paint = () => fields.paint(new Scale(NUMERIC), [2, 4], null);
  paint();
  assert.equal(low.value, "3");
  // As in marimo: the document knows the host only.
  document.activeElement = { shadowRoot: { activeElement: low } };
  paint();
  assert.equal(low.value, "3");
  document.activeElement = document.body;
  paint();
  assert.equal(low.value, "2");
});
