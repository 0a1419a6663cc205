import assert from "node:assert/strict";
import { test } from "node:test";
import { Choices } from "./new_search_choices";

const NONE = { kind: "function", text: "" };
const TRAIN = { kind: "function", text: "train" };
const HELPER = { kind: "function", text: "helper" };

function row(name, changes = {}) {
  const values = { kind: "float", low: "", high: "", choices: "", options: null, chosen: [] };
  return { name, ...values, searched: true, required: false, default: null, note: "", ...changes };
}

test("each source has its own, and what was set without one is set of the first one", () => {
  const choices = new Choices();
  choices.turnTo(NONE, "");
  choices.setGoal("max", NONE);
  choices.turnTo(TRAIN, "train");
  assert.equal(choices.present.goal, "max");
  choices.turnTo(HELPER, "helper");
  assert.equal(choices.present.goal, null);
  choices.turnTo(TRAIN, "train");
  assert.equal(choices.present.goal, "max");
});

test("a goal that is set while a restart has taken the function away is that function's", () => {
  const choices = new Choices();
  choices.turnTo(TRAIN, "train");
  choices.setGoal("max", TRAIN);
  choices.turnTo(NONE, "train");
  choices.setGoal("min", NONE);
  // Another one may be defined before it, or in its place.
  choices.turnTo(HELPER, "train");
  assert.equal(choices.present.goal, "min");
  choices.turnTo(TRAIN, "train");
  assert.equal(choices.present.goal, "min");
  choices.turnTo({ kind: "function", text: "third" }, "third");
  assert.equal(choices.present.goal, null);
});

test("a row that was added before it was proposed stands once, as it was set", () => {
  const choices = new Choices();
  choices.turnTo(TRAIN, "train");
  const proposed = [
    row("lr", { low: "0.1" }),
    row("momentum", { low: "0", high: "1", default: "0.9" }),
  ];
  const added = ["momentum", "beta", "lr"].map((name) => ({ row: row(name) }));
  Object.assign(added[0].row, { low: "0.5", high: "0.75" });
  choices.present.added = added;
  assert.deepEqual(choices.settle([]), []);
  assert.equal(choices.present.added.length, 3);

  const momentum = { ...proposed[1], low: "0.5", high: "0.75" };
  // Nothing but its name was set of the other one.
  assert.deepEqual(choices.settle(proposed), [proposed[0], momentum]);
  assert.deepEqual(choices.present.added, [added[1]]);
  assert.deepEqual(choices.settle(proposed)[1], momentum);
});
