import assert from "node:assert/strict";
import { test } from "node:test";
import { nextSorting, rowsOfPage, sortedRows, withoutColumns } from "./table_order";

const columns = [
  { kind: "trial", label: "trial", name: "trial" },
  { kind: "number", label: "loss", name: "loss" },
  { kind: "text", label: "solver", name: "solver" },
  { kind: "seconds", label: "time", name: "time" },
];
const row = (number, loss, solver, seconds) => ({
  number,
  cells: [`#${number}`, loss, solver, "?"],
  seconds,
  error: "",
  mark: "",
});
const rows = () => [
  row(10, "0.5", "adam", 60),
  row(2, "1e-5", "sgd", 9),
  row(7, "–", "–", null),
  row(1, "∞", "adam", 100),
];
const order = (name, isDescending = false) =>
  sortedRows(rows(), columns, { name, isDescending }).map((one) => one.number);

test("a heading sorts up, then down, then by rank again", () => {
  const up = nextSorting(null, "loss");
  const down = nextSorting(up, "loss");
  assert.deepEqual(up, { name: "loss", isDescending: false });
  assert.deepEqual(down, { name: "loss", isDescending: true });
  assert.equal(nextSorting(down, "loss"), null);
  assert.deepEqual(nextSorting(down, "time"), { name: "time", isDescending: false });
});

test("rows stand by their rank while no column sorts, and when the column is gone", () => {
  const ranked = [10, 2, 7, 1];
  assert.deepEqual(
    sortedRows(rows(), columns, null).map((one) => one.number),
    ranked,
  );
  assert.deepEqual(order("gone"), ranked);
});

test("trials and numbers sort by value, not by their text", () => {
  assert.deepEqual(order("trial"), [1, 2, 7, 10]);
  assert.deepEqual(order("loss"), [2, 10, 1, 7]);
  assert.deepEqual(order("time"), [2, 10, 1, 7]);
});

test("what a row does not have comes last in both directions", () => {
  assert.deepEqual(order("loss", true), [1, 10, 2, 7]);
  assert.deepEqual(order("time", true), [1, 10, 2, 7]);
  assert.deepEqual(order("solver", true), [2, 10, 1, 7]);
});

test("rows that look alike keep their rank", () => {
  assert.deepEqual(order("solver"), [10, 1, 2, 7]);
});

test("hidden columns take their cells with them, and the trial's own stays", () => {
  const seen = withoutColumns(rows(), columns, ["trial", "loss"]);
  assert.deepEqual(
    seen.columns.map((column) => column.name),
    ["trial", "solver", "time"],
  );
  assert.deepEqual(seen.rows[0].cells, ["#10", "adam", "?"]);
});

test("a page tells its rows from 1 on", () => {
  assert.equal(rowsOfPage(0, 25, 37), "rows 1–25 of 37");
  assert.equal(rowsOfPage(1, 25, 37), "rows 26–37 of 37");
  assert.equal(rowsOfPage(0, 25, 0), "no rows");
});
