import assert from "node:assert/strict";
import { test } from "node:test";
import { NUMERIC } from "./numeric_parameter.mjs";
import { format, parse, plain, Scale } from "./scale";

const scale = (more) => new Scale({ ...NUMERIC, ...more });
const log = (more) => scale({ kind: "log", low: 1e-4, high: 1, origin: 1e-4, ...more });
/** As the kernel tells a parameter of whole numbers: with a step, always. */
const whole = (more) => scale({ kind: "int", step: 1, ...more });

test("a value has the share of the track that it has between both ends", () => {
  assert.equal(scale().fraction(2.5), 0.25);
  assert.equal(scale().fraction(-1), 0);
  assert.equal(scale().fraction(11), 1);
  assert.ok(Math.abs(log().fraction(1e-2) - 0.5) < 1e-12);
});

test("a track from the least to the largest number has a middle", () => {
  const widest = scale({ low: -Number.MAX_VALUE, high: Number.MAX_VALUE });
  assert.equal(widest.fraction(0), 0.5);
  assert.equal(Math.abs(widest.value(0.5)), 0);
});

test("a track of one value puts it in the middle", () => {
  assert.equal(scale({ low: 3, high: 3 }).fraction(3), 0.5);
});

test("a place on the track gives a value with no more digits than can be told apart", () => {
  assert.equal(scale().value(0.123456789), 1.23);
  assert.equal(log().value(0.5), 0.01);
  assert.equal(scale().value(-1), 0);
  assert.equal(scale().value(2), 10);
});

test("a place on a narrow track far from zero gives a whole number with all its digits", () => {
  const low = 1234567890000;
  assert.equal(whole({ low, high: low + 200, origin: low }).value(0.615), low + 123);
});

test("values snap to steps, to whole numbers, and to the ends off the steps", () => {
  assert.equal(scale({ step: 0.3 }).snap(0.8), 0.9);
  assert.equal(scale({ step: 3 }).snap(9.9), 9);
  assert.equal(scale({ step: 3 }).snap(10), 10);
  assert.equal(whole().snap(3.4), 3);
  assert.equal(log({ step: 1 }).snap(0.02), 0.01);
});

test("arrow keys move by a step, by one, or by a hundredth of the track", () => {
  assert.equal(scale({ step: 0.5 }).moved(1, 1), 1.5);
  assert.equal(whole().moved(3, -1), 2);
  assert.equal(scale().moved(5, 1), 5.1);
  assert.equal(log({ step: 1 }).moved(0.01, 1), 0.1);
});

test("arrow keys leave out no step on the way from an end that is off the steps", () => {
  assert.equal(scale({ step: 3 }).moved(10, -1), 9);
  assert.equal(scale({ step: 3 }).moved(10, -2), 6);
  assert.equal(scale({ step: 3 }).moved(9, 1), 10);
  assert.equal(scale({ step: 3, high: 11 }).moved(11, -1), 9);
  assert.equal(scale({ high: 1, step: 0.3 }).moved(1, -1), 0.9);
  assert.equal(scale({ low: -1, step: 3 }).moved(-1, 1), 0);
  assert.equal(log({ step: 1, high: 2 }).moved(2, -1), 1);
});

test("arrow keys move what binary arithmetic has put beside its step, and whole numbers of any size", () => {
  assert.equal(scale({ step: 0.1 }).moved(0.1 * 3, -1), 0.2);
  assert.equal(scale({ step: 0.1 }).moved(0.1 * 3, 1), 0.4);
  const wide = whole({ high: 2 ** 53 });
  assert.equal(wide.moved(1234567890123, 1), 1234567890124);
  assert.equal(wide.moved(2 ** 53, -1), 2 ** 53 - 1);
  assert.equal(whole({ high: 2 ** 53, step: 2 }).moved(2 ** 53, -1), 2 ** 53 - 2);
});

test("a handle never passes the other one", () => {
  assert.deepEqual(scale().placed([2, 4], 0, 9), [3.98, 4]);
  assert.deepEqual(scale().placed([2, 4], 1, 0), [2, 2.02]);
  assert.deepEqual(scale({ step: 1 }).placed([2, 4], 0, 9), [4, 4]);
});

test("ends that are nearer than handles can be put, as typed, never move the other way", () => {
  const near = scale({ high: 1 });
  assert.deepEqual(near.placed([0.5, 0.5005], 0, near.moved(0.5, 1)), [0.5, 0.5005]);
  assert.deepEqual(near.placed([0.5, 0.5005], 1, near.moved(0.5005, -1)), [0.5, 0.5005]);
  assert.deepEqual(near.placed([0.5, 0.5005], 0, 0.49), [0.49, 0.5005]);
});

test("few steps are drawn one by one, many as a band", () => {
  assert.deepEqual(whole({ high: 4 }).steps([1, 3]), [0.25, 0.5, 0.75]);
  assert.equal(whole({ high: 1000 }).steps([0, 1000]), null);
  assert.equal(scale().steps([0, 10]), null);
});

test("numbers are written with four digits, scientific where plain digits would be long", () => {
  assert.deepEqual([0.036412, 12345678, 0.00001, 0, -3, 123456, 0.5, 9999.7].map(format), [
    "0.03641",
    "1.235e+7",
    "1e-5",
    "0",
    "-3",
    "123456",
    "0.5",
    "10000",
  ]);
});

test("numbers are read as people write them, and nothing else", () => {
  assert.deepEqual(["1e-3", " .5 ", "-2", "+7."].map(parse), [0.001, 0.5, -2, 7]);
  assert.deepEqual(
    ["", "abc", "0x10", "1_000", "Infinity", "1e999", "1,5"].map(parse),
    Array(7).fill(null),
  );
});

test("for a screen reader numbers are plain decimals, whatever their size", () => {
  assert.deepEqual([1e-8, 1.5e-7, -2.25e-9, 1e21, 1.25e22, 0.001, 12, -3.5].map(plain), [
    "0.00000001",
    "0.00000015",
    "-0.00000000225",
    "1000000000000000000000",
    "12500000000000000000000",
    "0.001",
    "12",
    "-3.5",
  ]);
});
