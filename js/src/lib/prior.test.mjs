import assert from "node:assert/strict";
import { test } from "node:test";
import { binAt, drawn, faded, isSameShape, middle, raised } from "./prior.ts";

const FLAT = [0, 0, 0, 0, 0];

test("a pointer sets every bin between two places, however fast it goes", () => {
  const after = drawn(FLAT, { across: 0.1, up: 0 }, { across: 0.9, up: 1 }, "curve");
  assert.deepEqual(
    after.map((weight) => Math.round(100 * weight)),
    [0, 25, 50, 75, 100],
  );
  const back = drawn(FLAT, { across: 0.9, up: 1 }, { across: 0.1, up: 0 }, "curve");
  assert.deepEqual(
    back.map((weight) => Math.round(100 * weight)),
    [0, 25, 50, 75, 100],
  );
});

test("a pointer beyond an edge sets what is there, between nothing and all", () => {
  const after = drawn(FLAT, { across: 0.5, up: 0.5 }, { across: 1.4, up: 3 }, "columns");
  assert.equal(after[4], 1);
  assert.deepEqual(after.slice(0, 2), [0, 0]);
  const below = drawn([1, 1], { across: -1, up: -2 }, { across: -1, up: -2 }, "columns");
  assert.deepEqual(below, [0, 1]);
});

test("steps lie where their values are on the track, with the first and the last at its ends", () => {
  assert.deepEqual(
    [0, 1, 2].map((index) => middle(index, 3, "steps")),
    [0, 0.5, 1],
  );
  for (const layout of ["curve", "steps", "columns"]) {
    for (let index = 0; index < 7; index++) {
      assert.equal(binAt(middle(index, 7, layout), 7, layout), index);
    }
  }
});

test("a key raises one step, and in a curve those beside it too", () => {
  assert.deepEqual(raised(FLAT, 2, 0.1, "steps"), [0, 0, 0.1, 0, 0]);
  assert.deepEqual(raised(FLAT, 2, 0.1, "curve"), [0.02, 0.06, 0.1, 0.06, 0.02]);
  assert.deepEqual(raised([0.95, 0.05], 0, 0.1, "columns"), [1, 0.05]);
  assert.deepEqual(raised([0.95, 0.05], 1, -0.1, "columns"), [0.95, 0]);
});

test("what fades becomes even, and never loses a value", () => {
  assert.deepEqual(faded([0, 0.5], 1), [0.005, 0.5]);
  assert.deepEqual(faded([0, 0.5], 0), [0.5, 0.5]);
  const half = faded([0, 0.25, 0.5], 0.5);
  assert.ok(half[0] > 0.005 && half[0] < half[1] && half[1] < half[2]);
});

test("only the shape counts", () => {
  assert.ok(isSameShape([0, 0.2, 0.4], [0.01, 0.5, 1]));
  assert.ok(!isSameShape([0, 0.2, 0.4], [0, 0.6, 1]));
  assert.ok(!isSameShape([0, 1], [0, 1, 1]));
});
