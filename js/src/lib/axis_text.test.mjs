import assert from "node:assert/strict";
import { test } from "node:test";
import { shortName } from "./axis_text";

test("a name keeps its start, and what tells it from one that begins alike", () => {
  const names = ["encoder_first_rate_multiplier", "encoder_first_rate_warmup"];
  assert.equal(shortName("encoder", 7, []), "encoder");
  assert.equal(shortName(names[0], 12, names.slice(0, 1)), "encoder_fir…");
  assert.deepEqual(
    names.map((name) => shortName(name, 12, names)),
    ["enco…multip…", "enco…warmup"],
  );
});
