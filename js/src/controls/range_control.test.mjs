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
  const fields = control.root.querySelectorAll(".hpo-field");
  const type = (end, text) => {
    fields[end].value = text;
    fields[end].tell("change");
  };
  const shown = () => fields.map((field) => [field.value, field.getAttribute("aria-invalid")]);
  const problem = () => control.root.querySelector(".hpo-problem").textContent;
  return { control, track, finger, changes, type, shown, problem };
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

test("a range is typed beyond its own end, in either order, as one change", () => {
  for (const [first, second] of [
    [0, 1],
    [1, 0],
  ]) {
    const { changes, type, shown, problem } = controlOf();
    const texts = first === 0 ? ["20", "30"] : ["0.5", "1"];
    type(first, texts[first]);
    assert.match(problem(), /below the upper/);
    type(second, texts[second]);
    assert.deepEqual(changes(), [[{ lower: Number(texts[0]), upper: Number(texts[1]) }, true]]);
    assert.deepEqual(
      shown(),
      texts.map((text) => [text, null]),
    );
    assert.equal(problem(), "");
  }
});

test("what is refused in one field stays there while the other one is taken", () => {
  const { changes, type, shown, problem } = controlOf();
  type(0, "few");
  type(1, "9");
  assert.deepEqual(changes(), [[{ upper: 9 }, true]]);
  assert.deepEqual(shown(), [
    ["few", "true"],
    ["9", null],
  ]);
  assert.match(problem(), /Type a number/);
  type(1, "many");
  type(1, "9");
  assert.deepEqual(shown()[0], ["few", "true"]);
  assert.match(problem(), /Type a number/);
});

test("what is not a number is said and not sent", () => {
  for (const text of ["small", "", "  ", "NaN", "Infinity", "1e999", "0x10", "0,05", "<b>1</b>"]) {
    const { changes, type, shown, problem } = controlOf();
    type(1, text);
    assert.match(problem(), /Type a number/, text);
    assert.deepEqual(shown()[1], [text, "true"]);
    assert.deepEqual(changes(), []);
  }
});

test("a handle follows no pointer whose release a menu has taken, and a press for a menu takes none", () => {
  const { track, changes } = controlOf();
  const at = (clientX, more) => ({ pointerId: 1, clientX, button: 0, ...more });
  track.tell("pointerdown", at(300, { ctrlKey: true }));
  track.tell("pointermove", at(400, { buttons: 1 }));
  assert.deepEqual(changes(), []);
  track.tell("pointerdown", at(200));
  track.tell("pointermove", at(300, { buttons: 0 }));
  track.tell("pointerup", at(300));
  assert.deepEqual(
    changes().filter(([, isFinal]) => isFinal),
    [],
  );
});

test("what is moved is not taken where the range may not be changed any more", () => {
  const { control, finger, changes, shown } = controlOf();
  finger(1)("pointerdown", 200);
  finger(1)("pointermove", 400);
  control.update(NUMERIC, [2, 8], "The search is read only.");
  finger(1)("pointerup", 400);
  assert.deepEqual(
    changes().filter(([, isFinal]) => isFinal),
    [],
  );
  assert.equal(shown()[0][0], "2");
});
