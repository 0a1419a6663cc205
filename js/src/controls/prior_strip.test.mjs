import assert from "node:assert/strict";
import { mock, test } from "node:test";
import { fakePage } from "../lib/fake_page.mjs";
import { PriorStrip } from "./prior_strip";

test("a second finger on a strip leaves the stroke to the first one", () => {
  fakePage();
  const onPrior = mock.fn();
  const bins = { count: 4, layout: "columns", name: String };
  const strip = new PriorStrip({ name: "x", label: "x" }, bins, onPrior, () => {});
  const area = strip.root.querySelector(".hpo-prior-area");
  const finger = (pointerId) => (type, clientX, clientY) =>
    area.tell(type, { pointerId, clientX, clientY, button: 0 });
  const [first, second] = [finger(1), finger(2)];
  // The strip is 1000 pixels wide, and 100 high between edges of 3.
  first("pointerdown", 100, 53);
  second("pointerdown", 900, 3);
  second("pointercancel", 900, 3);
  first("pointermove", 300, 3);
  first("pointerup", 300, 3);
  const [, { weights }, isFinal] = onPrior.mock.calls.at(-1).arguments;
  assert.deepEqual({ weights, isFinal }, { weights: [0.563, 1, 0, 0], isFinal: true });
});
