import assert from "node:assert/strict";
import { mock, test } from "node:test";
import { fakePage } from "../lib/fake_page.mjs";
import { PriorStrip } from "./prior_strip";

const BINS = { count: 4, layout: "columns", name: String };
const TOUCH = { pointerId: 1, clientX: 100, clientY: 3, button: 0 };

/** A strip in a page of the tests' own, where it is drawn, and what hears of a prior. */
function drawnStrip() {
  fakePage();
  const onPrior = mock.fn();
  const strip = new PriorStrip({ name: "x", label: "x" }, BINS, onPrior, () => {});
  return { strip, area: strip.root.querySelector(".hpo-prior-area"), onPrior };
}

test("a second finger on a strip leaves the stroke to the first one", () => {
  const { area, onPrior } = drawnStrip();
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

test("a stroke during which a reason not to draw has come leaves what the kernel has", () => {
  const { strip, area, onPrior } = drawnStrip();
  strip.toggle.click();
  const state = { weights: null, exponent: 1, histogram: "", range: [0, 1], reason: null };
  strip.update(BINS, state);
  area.tell("pointerdown", TOUCH);
  strip.update(BINS, { ...state, reason: "The search has ended." });
  area.tell("pointerup", TOUCH);
  assert.equal(onPrior.mock.callCount(), 0);
  assert.match(area.getAttribute("aria-valuetext"), /: 0 %$/);
});

test("a stroke goes on with no pointer whose release a menu has taken, and none begins by a press for a menu", () => {
  const { strip, area, onPrior } = drawnStrip();
  strip.toggle.click();
  area.tell("pointerdown", { ...TOUCH, ctrlKey: true });
  area.tell("pointerup", TOUCH);
  area.tell("pointerdown", TOUCH);
  area.tell("pointermove", { ...TOUCH, buttons: 0 });
  area.tell("pointerup", TOUCH);
  assert.equal(onPrior.mock.callCount(), 0);
  assert.match(area.getAttribute("aria-valuetext"), /: 0 %$/);
});

test("a stroke that is given up leaves what the kernel has said meanwhile", () => {
  const { strip, area, onPrior } = drawnStrip();
  strip.toggle.click();
  const state = { weights: [1, 0, 0, 0], exponent: 1, histogram: "", range: [0, 1], reason: null };
  strip.update(BINS, state);
  area.tell("pointerdown", TOUCH);
  const later = { ...BINS, name: (index) => `later ${index}` };
  strip.update(later, { ...state, weights: [0.5, 1, 0, 0] });
  area.tell("pointercancel", TOUCH);
  assert.equal(area.getAttribute("aria-valuetext"), "later 0: 50 %");
  assert.equal(onPrior.mock.callCount(), 0);
});

test("a strip closes when its parameter has a single value left", () => {
  const { strip } = drawnStrip();
  const state = { weights: [1, 0, 0, 0], exponent: 1, histogram: "", range: [0, 1], reason: null };
  strip.update({ ...BINS, layout: "steps" }, state);
  strip.toggle.click();
  strip.update({ ...BINS, layout: "steps", count: 1 }, { ...state, weights: [1] });
  assert.ok(strip.root.hidden);
  assert.equal(strip.toggle.getAttribute("aria-expanded"), "false");
  const paths = strip.root.querySelectorAll("path").map((path) => path.getAttribute("d"));
  assert.doesNotMatch(paths.join(), /NaN/);
});
