import assert from "node:assert/strict";
import { test } from "node:test";
import { movedEnds, withChoices, withEnds } from "./range_change";

test("only the ends that were moved are part of a change", () => {
  assert.deepEqual(movedEnds([0, 1], [0, 0.5]), { upper: 0.5 });
  assert.deepEqual(movedEnds([0, 1], [0.25, 0.5]), { lower: 0.25, upper: 0.5 });
  assert.deepEqual(movedEnds([0, 1], [0, 1]), {});
});

test("an end that was not moved stays as the kernel has it, also where the other one is 0", () => {
  assert.deepEqual(withEnds([0.1, 0.5], { lower: 0 }), [0, 0.5]);
  assert.deepEqual(withEnds([0.1, 0.5], {}), [0.1, 0.5]);
});

test("choices that were not touched stay as the kernel has them, in their order", () => {
  assert.deepEqual(withChoices([10, 2, 3], { 2: false, 1: true }), [1, 3, 10]);
  assert.deepEqual(withChoices([0, 1], { 1: true, 2: false }), [0, 1]);
});
