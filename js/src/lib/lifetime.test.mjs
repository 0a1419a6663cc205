import assert from "node:assert/strict";
import { mock, test } from "node:test";
import { fakeModel, fakePage } from "./fake_page.mjs";
import { Lifetime } from "./lifetime";

test.beforeEach(fakePage);

test("a view is painted at once, and once for all changes in a row", async () => {
  const [model, lifetime, paint] = [fakeModel({}), new Lifetime(), mock.fn()];
  lifetime.paintOnChange(model, paint);
  assert.equal(paint.mock.callCount(), 1);
  model.change();
  model.change();
  await Promise.resolve();
  assert.equal(paint.mock.callCount(), 2);
});

test("a removed view listens to nothing and is painted no more", async () => {
  const [model, lifetime, paint] = [fakeModel({}), new Lifetime(), mock.fn()];
  lifetime.paintOnChange(model, paint);
  model.change();
  lifetime.end();
  await Promise.resolve();
  assert.equal(paint.mock.callCount(), 1);
  assert.equal(model.numListeners(), 0);
});

test("timers end with the view, or when they are cancelled", (context) => {
  context.mock.timers.enable({ apis: ["setTimeout"] });
  const [lifetime, kept, cancelled, ended] = [new Lifetime(), mock.fn(), mock.fn(), mock.fn()];
  lifetime.after(100, kept);
  lifetime.after(100, cancelled)();
  context.mock.timers.tick(100);
  lifetime.after(100, ended);
  lifetime.end();
  context.mock.timers.tick(1000);
  assert.deepEqual(
    [kept, cancelled, ended].map((act) => act.mock.callCount()),
    [1, 0, 0],
  );
});

test("what is done at the end is done once, and may set no timer that outlives it", (context) => {
  context.mock.timers.enable({ apis: ["setTimeout"] });
  const [lifetime, late] = [new Lifetime(), mock.fn()];
  const last = mock.fn(() => lifetime.after(10, late));
  lifetime.atEnd(last);
  lifetime.end();
  lifetime.end();
  context.mock.timers.tick(1000);
  assert.equal(last.mock.callCount(), 1);
  assert.equal(late.mock.callCount(), 0);
});

test("listeners beyond the view's own nodes end with it", () => {
  const [target, lifetime, heard] = [new EventTarget(), new Lifetime(), mock.fn()];
  target.addEventListener("pagehide", heard, { signal: lifetime.signal });
  target.dispatchEvent(new Event("pagehide"));
  lifetime.end();
  target.dispatchEvent(new Event("pagehide"));
  assert.equal(heard.mock.callCount(), 1);
});

test("a view acknowledges the first update, every second one and the last, and a removed view none", async (context) => {
  context.mock.timers.enable({ apis: ["setTimeout"] });
  const state = { sent: 3, seen: 1 };
  const [model, lifetime] = [fakeModel(state), new Lifetime()];
  model.save_changes = mock.fn();
  const send = async () => {
    state.sent += 1;
    model.change();
    await Promise.resolve();
  };
  lifetime.paintOnChange(model, () => {});
  assert.equal(state.seen, 3);
  model.change();
  await Promise.resolve();
  assert.equal(model.save_changes.mock.callCount(), 1);
  await send();
  assert.equal(state.seen, 3);
  await send();
  assert.equal(state.seen, 5);
  await send();
  assert.equal(state.seen, 5);
  context.mock.timers.tick(1000);
  assert.equal(state.seen, 6);
  assert.equal(model.save_changes.mock.callCount(), 3);
  await send();
  lifetime.end();
  await send();
  context.mock.timers.tick(1000);
  assert.equal(state.seen, 6);
});
