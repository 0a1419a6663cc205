import assert from "node:assert/strict";
import { test } from "node:test";
import { binOf } from "./rug";

test("digits are levels under earlier ranges, letters under the present ones", () => {
  assert.deepEqual(binOf("1"), { level: 1, isPresent: false });
  assert.deepEqual(binOf("8"), { level: 8, isPresent: false });
  assert.deepEqual(binOf("a"), { level: 1, isPresent: true });
  assert.deepEqual(binOf("h"), { level: 8, isPresent: true });
});

test("x marks bins in which all trials failed", () => {
  assert.deepEqual(binOf("x"), { level: 0, isPresent: false });
  assert.deepEqual(binOf("X"), { level: 0, isPresent: true });
});

test("everything else is an empty bin", () => {
  assert.deepEqual([" ", "0", "9", "i", "Z"].map(binOf), Array(5).fill(null));
});
