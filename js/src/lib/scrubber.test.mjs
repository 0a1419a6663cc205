import assert from "node:assert/strict";
import { test } from "node:test";
import { positionAfter } from "./scrubber";

test("a key leads a hundredth or a tenth of the whole on, and to both ends", () => {
  assert.equal(positionAfter("ArrowRight", 50, 200), 52);
  assert.equal(positionAfter("ArrowLeft", 50, 200), 48);
  assert.equal(positionAfter("PageUp", 50, 200), 70);
  assert.equal(positionAfter("PageDown", 50, 200), 30);
  assert.equal(positionAfter("Home", 50, 200), 0);
  assert.equal(positionAfter("End", 50, 200), 200);
});

test("no key leads beyond an end, and others lead nowhere", () => {
  assert.equal(positionAfter("ArrowLeft", 1, 200), 0);
  assert.equal(positionAfter("PageUp", 199, 200), 200);
  assert.equal(positionAfter("a", 50, 200), null);
});
