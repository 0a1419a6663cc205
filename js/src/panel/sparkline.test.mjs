import assert from "node:assert/strict";
import { test } from "node:test";
import { sparkline } from "./sparkline";

const SIZE = { width: 104, height: 24, margin: 2 };

test("the best value goes down in steps to the lower edge when it is minimised", () => {
  const steps = [
    [0, 4],
    [5, 2],
  ];
  assert.deepEqual(sparkline(steps, 11, SIZE), {
    shape: "M2 2H52V22H102",
    end: { x: 102, y: 22 },
  });
});

test("it goes up to the upper edge when it is maximised", () => {
  const steps = [
    [0, 2],
    [10, 4],
  ];
  assert.equal(sparkline(steps, 11, SIZE).shape, "M2 22H102V2H102");
});

test("values that are far apart stand on a logarithmic scale", () => {
  const steps = [
    [0, 1000],
    [1, 1],
    [2, 0.001],
  ];
  assert.equal(sparkline(steps, 3, SIZE).shape, "M2 2H52V12H102V22H102");
});

test("one value is a line in the middle, and none is nothing", () => {
  assert.deepEqual(sparkline([[0, 0.5]], 1, SIZE), {
    shape: "M102 12H102",
    end: { x: 102, y: 12 },
  });
  assert.equal(sparkline([[0, 0.5]], 3, SIZE).shape, "M2 12H102");
  assert.equal(sparkline([], 5, SIZE), null);
});

test("what is not finite is left out", () => {
  assert.equal(
    sparkline(
      [
        [0, Number.NaN],
        [1, 3],
      ],
      1,
      SIZE,
    ).shape,
    "M102 12H102",
  );
});
