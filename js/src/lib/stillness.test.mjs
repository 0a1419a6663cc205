import assert from "node:assert/strict";
import { mock, test } from "node:test";
import { Lifetime } from "./lifetime";
import { Stillness } from "./stillness";

/** A page, the place that is looked at in it, and what is called when a wait ends. */
function pageOf() {
  globalThis.window = new EventTarget();
  mock.timers.enable({ apis: ["setTimeout"] });
  let now = 0;
  mock.method(performance, "now", () => now);
  const [lifetime, target, onEnd] = [new Lifetime(), new EventTarget(), mock.fn()];
  const tell = (on, type, { x = 0, buttons = 0 } = {}) =>
    on.dispatchEvent(Object.assign(new Event(type), { clientX: x, clientY: 0, buttons }));
  const pass = (milliseconds) => {
    now += milliseconds;
    mock.timers.tick(milliseconds);
  };
  return { lifetime, target, onEnd, tell, pass, stillness: new Stillness(lifetime, target, onEnd) };
}

test.afterEach(() => {
  mock.timers.reset();
  mock.restoreAll();
});

test("what would move waits for the end of a press, however it moves, and for what its click does", () => {
  const { target, onEnd, tell, pass, stillness } = pageOf();
  assert.equal(stillness.isNeeded(), false);
  tell(target, "pointerdown", { buttons: 1 });
  tell(target, "pointermove", { x: 5, buttons: 1 });
  assert.equal(stillness.isNeeded(), true);
  pass(20_000);
  assert.equal(stillness.isNeeded(), true);
  tell(window, "pointerup");
  assert.equal(onEnd.mock.callCount(), 0);
  pass(0);
  assert.equal(onEnd.mock.callCount(), 1);
  assert.equal(stillness.isNeeded(), false);
});

test("a press whose end is not told ends when the pointer moves again, or after a minute", () => {
  const { target, onEnd, tell, pass, stillness } = pageOf();
  tell(target, "pointerdown", { buttons: 1 });
  tell(target, "pointermove", { x: 5 });
  assert.equal(stillness.isNeeded(), true);
  pass(1000);
  assert.equal(onEnd.mock.callCount(), 1);
  tell(target, "pointerdown", { buttons: 1 });
  assert.equal(stillness.isNeeded(), true);
  pass(60_000);
  assert.equal(onEnd.mock.callCount(), 2);
});

test("what waits already waits for a press that begins then, and no longer than for its untold end", () => {
  const { target, onEnd, tell, pass, stillness } = pageOf();
  tell(target, "pointermove", { x: 1 });
  assert.equal(stillness.isNeeded(), true);
  pass(900);
  tell(target, "pointerdown", { x: 1, buttons: 1 });
  pass(10_000);
  assert.equal(onEnd.mock.callCount(), 0);
  tell(target, "pointermove", { x: 2 });
  pass(1000);
  assert.equal(onEnd.mock.callCount(), 1);
});

test("a pointer that has moved is waited for, one under which something moves is not", () => {
  const { target, onEnd, tell, pass, stillness } = pageOf();
  tell(target, "pointermove", { x: 1 });
  pass(900);
  tell(target, "pointermove", { x: 1 });
  assert.equal(stillness.isNeeded(), true);
  pass(100);
  assert.equal(onEnd.mock.callCount(), 1);
  tell(target, "pointermove", { x: 2 });
  assert.equal(stillness.isNeeded(), true);
  tell(target, "pointerleave");
  assert.equal(onEnd.mock.callCount(), 2);
});

test("a view that was removed is not called any more", () => {
  const { lifetime, target, onEnd, tell, pass, stillness } = pageOf();
  tell(target, "pointerdown", { buttons: 1 });
  assert.equal(stillness.isNeeded(), true);
  lifetime.end();
  pass(60_000);
  tell(window, "pointerup");
  assert.equal(onEnd.mock.callCount(), 0);
});
