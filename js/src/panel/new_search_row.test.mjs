import assert from "node:assert/strict";
import { test } from "node:test";
import { asSet } from "./new_search_row";

const ROW = {
  name: "lr",
  kind: "log",
  low: "1e-05",
  high: "0.1",
  choices: "",
  options: null,
  chosen: [],
  searched: true,
  required: false,
  default: "0.001",
  note: "",
};

test("a row that is proposed again is as a person has set it, with what is new about it", () => {
  const again = { ...ROW, low: "1e-06", default: "0.01", note: "new" };
  assert.equal(asSet(again, undefined), again);
  const before = { ...ROW, kind: "float", low: "0.2", high: "0.3", searched: false };
  assert.deepEqual(asSet(again, before), { ...before, default: "0.01", note: "new" });
});

test("options that are chosen by place are chosen anew when there are others", () => {
  const proposed = { ...ROW, kind: "choice", options: ["relu", "tanh"], chosen: [0, 1] };
  assert.deepEqual(asSet(proposed, { ...proposed, chosen: [1] }).chosen, [1]);
  assert.equal(asSet(proposed, { ...proposed, options: ["tanh"], chosen: [0] }), proposed);
  assert.equal(asSet(proposed, ROW), proposed);
});
