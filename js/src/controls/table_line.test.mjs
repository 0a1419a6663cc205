import assert from "node:assert/strict";
import { test } from "node:test";
import { roomForDecimals, widthOfDecimals } from "./table_line";

test("the decimal points of a column stand below each other", () => {
  const texts = ["0.0192", "3", "1.96e-4", "–", "282.8", "1e-8"];
  const columns = [{ kind: "number" }, { kind: "text" }];
  const [room, none] = roomForDecimals(
    texts.map((text) => ({ cells: [text, "0.25"] })),
    columns,
  );
  assert.equal(none, 0);
  assert.equal(room, widthOfDecimals("1.96e-4"));
  // What stands from the point on, and the padding after it, are as wide in each row.
  for (const [text, decimals] of [
    ["0.0192", 4.5],
    ["3", 0],
    ["–", 0],
    ["282.8", 1.5],
    ["1e-8", 2.57],
  ]) {
    assert.equal(widthOfDecimals(text), decimals);
  }
});
