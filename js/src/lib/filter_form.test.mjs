import assert from "node:assert/strict";
import { test } from "node:test";
import { conditionOf, fieldsOf, keyOf, leftInWords, topics } from "./filter_form";

const NAMES = [
  { name: "top_k", label: "top_k", choices: null },
  { name: "a/lr", label: "lr", choices: null },
  { name: "c", label: "c", choices: ["relu", "tanh"] },
];
const STATES = ["completed", "failed"];
const fields = (key, chips = []) => fieldsOf(key, NAMES, STATES, ["a", "b"], 3, chips);

test("a parameter of any name has a key of its own", () => {
  const keys = topics(NAMES, ["a"], []).map(({ key }) => key);
  assert.equal(new Set(keys).size, keys.length);
  for (const key of keys) {
    assert.equal(keyOf(conditionOf(key)), key);
  }
  assert.deepEqual(conditionOf("within:a/lr"), { condition: "within", name: "a/lr" });
  assert.deepEqual(conditionOf("top_k"), { condition: "top_k", name: "" });
});

test("each condition has its fields", () => {
  assert.deepEqual(fields("top_k"), { kind: "number", text: "10" });
  assert.deepEqual(fields("inside"), { kind: "none" });
  assert.deepEqual(fields("states").values, STATES);
  assert.deepEqual(fields("tags").values, ["a", "b"]);
  assert.deepEqual(fields("epochs").labels, ["1", "2", "3"]);
  assert.deepEqual(fields("epochs").values, [0, 1, 2]);
  assert.deepEqual(fields("within:c").values, [0, 1]);
  assert.deepEqual(fields("within:a/lr"), { kind: "bounds", texts: ["", ""] });
});

test("a condition that is there fills its fields", () => {
  const chip = (condition, name, value) => ({ condition, name, text: "", value });
  assert.equal(fields("top_k", [chip("top_k", "", 50)]).text, "50");
  assert.deepEqual(fields("states", [chip("states", "", ["failed"])]).checked, ["failed"]);
  assert.deepEqual(fields("within:c", [chip("within", "c", [1])]).checked, [1]);
  assert.deepEqual(fields("within:a/lr", [chip("within", "a/lr", [null, 0.5])]).texts, ["", "0.5"]);
  assert.equal(fields("top_k", [chip("within", "top_k", [1, 2])]).text, "10");
});

test("the number left is told only where there is a filter", () => {
  assert.equal(leftInWords([37, 120]), "37 of 120 left");
  assert.equal(leftInWords([]), "");
});

test("tags are offered where trials have some, or are asked for by some", () => {
  const chips = [{ condition: "tags", name: "", text: "", value: ["gone", "b"] }];
  const keys = (tags, asked = []) => topics([], tags, asked).map(({ key }) => key);
  assert.equal(keys([]).includes("tags"), false);
  assert.equal(keys(["a"]).includes("tags"), true);
  assert.equal(keys([], chips).includes("tags"), true);
  // What is asked for stays when another tag is added.
  assert.deepEqual(fields("tags", chips).values, ["a", "b", "gone"]);
});
