// Where the ends of an interval are drawn.

import assert from "node:assert/strict";
import { test } from "node:test";
import { across } from "./series";

test("a share lies between the margins, even chances in the middle", () => {
  assert.equal(across(0), 6);
  assert.equal(across(0.5), 35);
  assert.equal(across(1), 64);
});

test("what is no share is drawn at the ends", () => {
  assert.equal(across(-1), 6);
  assert.equal(across(2), 64);
});
