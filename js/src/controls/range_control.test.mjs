import assert from "node:assert/strict";
import { mock, test } from "node:test";
import { fakePage } from "../lib/fake_page.mjs";
import { NUMERIC } from "../lib/numeric_parameter.mjs";
import { RangeControl } from "./range_control";

/** A control of [2, 8] on a track of 1000 pixels from 0 to 10, and what a finger does there. */
function controlOf() {
  fakePage();
  const onChange = mock.fn();
  const control = new RangeControl(NUMERIC, [2, 8], onChange);
  const track = control.root.querySelector(".hpo-track");
  const finger = (pointerId) => (type, clientX) =>
    track.tell(type, { pointerId, clientX, button: 0 });
  const changes = () =>
    onChange.mock.calls.map(({ arguments: [, change, isFinal] }) => [change, isFinal]);
  return { finger, changes };
}

test("a second finger on a range leaves the handle in the hand of the first one", () => {
  const { finger, changes } = controlOf();
  const [first, second] = [finger(1), finger(2)];
  first("pointerdown", 200);
  first("pointermove", 300);
  second("pointerdown", 800);
  second("pointermove", 700);
  second("pointercancel", 700);
  first("pointermove", 400);
  first("pointerup", 400);
  assert.deepEqual(changes().at(-1), [{ lower: 4 }, true]);
});

test("a handle can be pressed again after its pointer was lost", () => {
  const { finger, changes } = controlOf();
  finger(1)("pointerdown", 300);
  finger(1)("lostpointercapture", 300);
  finger(2)("pointerdown", 700);
  finger(2)("pointerup", 700);
  assert.deepEqual(changes().at(-1), [{ upper: 7 }, true]);
});
