import assert from "node:assert/strict";
import { mock, test } from "node:test";
import { Differences, lastUpTo, PageReplay } from "./page_replay";

const MOMENTS = {
  positions: [0, 10, 20, 40],
  tabs: "tabs",
  traits: [
    {
      model: "status",
      name: "count",
      tab: null,
      since: [0, 1, 3],
      values: [0, 1, 3],
      buffers: [[], [], []],
    },
    {
      model: "dots",
      name: "x",
      tab: 0,
      since: [0, 2],
      values: ["a", "b"],
      buffers: [[], ["bytes"]],
    },
    { model: "bars", name: "y", tab: 1, since: [2, 3], values: ["c", "d"], buffers: [[], []] },
  ],
};

const only = (states) =>
  Object.fromEntries(Object.entries(states).map(([model, { state }]) => [model, state]));

test("the last number up to another one", () => {
  assert.deepEqual(
    [-1, 0, 5, 10, 99].map((most) => lastUpTo([0, 10, 20], most)),
    [-1, 0, 0, 1, 2],
  );
  assert.equal(lastUpTo([], 1), -1);
});

test("only what is seen and has changed is set, and what is hidden when its tab is looked at", () => {
  const differences = new Differences(MOMENTS);

  assert.deepEqual(only(differences.take(1, 0)), { status: { count: 1 }, dots: { x: "a" } });
  assert.deepEqual(differences.take(1, 0), {});
  assert.deepEqual(only(differences.take(2, 1)), { bars: { y: "c" } });
  assert.deepEqual(differences.take(2, 0).dots, { state: { x: "b" }, buffers: ["bytes"] });
  assert.deepEqual(only(differences.take(3, 0)), { status: { count: 3 } });
});

/** A page whose paints come when the test says so. */
function page() {
  const shown = [];
  const bar = {};
  let next = null;
  let resolve = null;
  return {
    shown,
    bar,
    tab: () => 0,
    say: (traits) => Object.assign(bar, traits),
    show: (states) => {
      shown.push(only(states));
      return new Promise((done) => {
        resolve = done;
      });
    },
    atNextPaint: (act) => {
      next = act;
    },
    paint: (now) => {
      const act = next;
      next = null;
      act?.(now);
    },
    isWaiting: () => next !== null,
    isDone: async () => {
      resolve?.();
      await new Promise((done) => setImmediate(done));
    },
  };
}

test("it stands at the end, and plays from the beginning at its speed until the end", async () => {
  const seen = page();
  const replay = new PageReplay(MOMENTS, seen, 10);
  replay.hear({ kind: "play", on: true });
  assert.deepEqual(seen.bar, { position: 0, is_playing: true });
  await seen.isDone();
  seen.paint(5000);
  seen.paint(5900);
  assert.equal(seen.bar.position, 9);
  await seen.isDone();
  assert.deepEqual(seen.shown, [{ status: { count: 0 }, dots: { x: "a" } }]);
  replay.hear({ kind: "speed", speed: 100 });
  seen.paint(6000);
  assert.equal(seen.bar.position, 19);
  await seen.isDone();
  assert.deepEqual(seen.shown.at(-1), { status: { count: 1 } });
  seen.paint(9000);
  assert.deepEqual(seen.bar, { position: 40, is_playing: false, speed: 100 });
  assert.equal(seen.isWaiting(), false);
});

test("while one moment is being shown, of those that come only the last one is", async () => {
  const seen = page();
  const replay = new PageReplay(MOMENTS, seen, 10);
  for (const [id, position] of [0, 12, 25, 11].entries()) {
    replay.hear({ kind: "seek", position, id });
  }
  assert.deepEqual(seen.bar, { position: 11, answered: 3 });
  assert.equal(seen.shown.length, 1);
  await seen.isDone();
  assert.deepEqual(seen.shown.slice(1), [{ status: { count: 1 } }]);
});

test("a pause holds it where it is", () => {
  const seen = page();
  const replay = new PageReplay(MOMENTS, seen, 10);
  replay.hear({ kind: "play", on: true });
  seen.paint(0);
  seen.paint(500);
  replay.hear({ kind: "play", on: false });
  seen.paint(900);
  assert.deepEqual(seen.bar, { position: 5, is_playing: false });
  replay.hear({ kind: "play", on: true });
  seen.paint(7000);
  seen.paint(7100);
  assert.equal(seen.bar.position, 6);
});

test("a moment that cannot be shown holds up no later one", async () => {
  const told = mock.fn();
  globalThis.reportError = told;
  const seen = page();
  const { show } = seen;
  seen.show = async (states) => {
    await show(states);
    if (seen.shown.length === 1) {
      throw new Error("no such widget");
    }
  };
  const replay = new PageReplay(MOMENTS, seen, 10);
  replay.hear({ kind: "seek", position: 0, id: 0 });
  replay.hear({ kind: "seek", position: 12, id: 1 });
  await seen.isDone();
  assert.deepEqual(seen.shown.slice(1), [{ status: { count: 1 } }]);
  await seen.isDone();
  replay.hear({ kind: "seek", position: 40, id: 2 });
  assert.deepEqual(seen.shown.at(-1), { status: { count: 3 }, dots: { x: "b" } });
  assert.equal(told.mock.callCount(), 1);
});
