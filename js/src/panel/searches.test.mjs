import assert from "node:assert/strict";
import { mock, test } from "node:test";
import { announce } from "../lib/announcement";
import { fakeModel } from "../lib/fake_page.mjs";
import { Searches } from "./searches";

const fakeBeacon = (state) =>
  fakeModel({ sent: 0, seen: 0, title: "a", search_id: "a-1", kernel: "k", ...state });

function fakeKernel(id) {
  const watching = { changed: [], ended: [], connectedAgain: [] };
  return {
    id,
    isBusy: false,
    isAway: false,
    watching,
    watch(changed, ended, connectedAgain) {
      watching.changed.push(changed);
      watching.ended.push(ended);
      watching.connectedAgain.push(connectedAgain);
      return () => {
        watching.changed = [];
        watching.ended = [];
      };
    },
  };
}

function setUp(page = new EventTarget()) {
  const kernels = { k: fakeKernel("k"), other: fakeKernel("other") };
  const searches = new Searches(
    (beacon) => kernels[beacon.get("kernel")] ?? null,
    (kernel) => `${kernel}.ipynb`,
    page,
  );
  const names = () => searches.entries.map(({ title }) => title);
  return { page, kernels, searches, names };
}

test("a panel is heard of whether it was announced before the list was there or after", () => {
  const page = new EventTarget();
  announce(fakeBeacon({ title: "before" }), page);
  const { searches, names } = setUp(page);
  announce(fakeBeacon({ title: "after" }), page);
  assert.deepEqual(names(), ["before", "after"]);
  assert.equal(searches.entries[0].origin.path, "k.ipynb");
});

test("a panel that is announced is followed once, and withdrawn it is gone with all that listens", () => {
  const { page, names } = setUp();
  const beacon = fakeBeacon();
  const withdraw = announce(beacon, page);
  page.dispatchEvent(new Event("hpo-widgets:asked"));
  assert.deepEqual(beacon.sent, [{ kind: "follow" }]);
  withdraw();
  assert.deepEqual(names(), []);
  assert.equal(beacon.numListeners(), 0);
});

test("updates are acknowledged at the chosen pace", (context) => {
  context.mock.timers.enable({ apis: ["setTimeout"] });
  const { page, searches } = setUp();
  searches.pace = 4;
  const beacon = fakeBeacon({ sent: 3 });
  beacon.save_changes = mock.fn();
  announce(beacon, page);
  assert.equal(beacon.get("seen"), 3);
  beacon.change({ sent: 4 });
  context.mock.timers.tick(249);
  assert.equal(beacon.get("seen"), 3);
  context.mock.timers.tick(1);
  assert.equal(beacon.get("seen"), 4);
  assert.equal(beacon.save_changes.mock.callCount(), 2);
});

test("several changes in a row are told once", async () => {
  const { page, searches } = setUp();
  const beacon = fakeBeacon();
  announce(beacon, page);
  await Promise.resolve();
  const changed = mock.fn();
  const end = searches.onChange(changed);
  beacon.change({ status: "running" });
  beacon.change({ ended: 3 });
  await Promise.resolve();
  assert.equal(changed.mock.callCount(), 1);
  end();
  beacon.change({ ended: 4 });
  await Promise.resolve();
  assert.equal(changed.mock.callCount(), 1);
});

test("a kernel that restarts takes its searches with it, and those of others stay", () => {
  const { page, kernels, names } = setUp();
  announce(fakeBeacon({ title: "gone" }), page);
  announce(fakeBeacon({ title: "stays", kernel: "other" }), page);
  kernels.k.watching.ended[0]();
  assert.deepEqual(names(), ["stays"]);
  // What its cells make when they are run again is heard of, and watched anew.
  announce(fakeBeacon({ title: "again" }), page);
  assert.deepEqual(names(), ["stays", "again"]);
  assert.equal(kernels.k.watching.ended.length, 1);
});

test("after a lost connection the kernel is asked for the present state of its searches", () => {
  const { page, kernels } = setUp();
  const [here, elsewhere] = [fakeBeacon({ sent: 2 }), fakeBeacon({ sent: 2, kernel: "other" })];
  for (const beacon of [here, elsewhere]) {
    announce(beacon, page);
    beacon.sent.length = 0;
  }
  kernels.k.watching.connectedAgain[0]();
  assert.deepEqual(here.sent, [{ kind: "connected" }]);
  assert.deepEqual(elsewhere.sent, []);
});

test("a panel without a kernel is left alone", () => {
  const { page, names } = setUp();
  const beacon = fakeBeacon({ kernel: "none" });
  announce(beacon, page);
  assert.deepEqual([names(), beacon.sent], [[], []]);
});

test("a command goes to the search of the entry", () => {
  const { page, searches } = setUp();
  const [first, second] = [fakeBeacon({ target: "1" }), fakeBeacon({ target: "2" })];
  announce(first, page);
  announce(second, page);
  searches.command(searches.entries[1], "stop");
  assert.deepEqual(first.sent.length, 1);
  assert.deepEqual(second.sent.at(-1), { kind: "command", name: "stop" });
});

test("the panel of an entry has a view, and none where it has gone, which is no error", async () => {
  const { page, searches } = setUp();
  const beacon = fakeBeacon({ target: "1" });
  const withdraw = announce(beacon, page);
  const [entry] = searches.entries;
  const create_view = async (model) => `view of ${model}`;
  beacon.widget_manager = { get_model: async (id) => `panel ${id}`, create_view };
  assert.equal(await searches.viewOf(entry), "view of panel 1");
  const get_model = () => Promise.reject(new Error("widget model not found"));
  beacon.widget_manager = { get_model, create_view };
  assert.equal(await searches.viewOf(entry), null);
  withdraw();
  assert.equal(await searches.viewOf(entry), null);
});

test("a list that is done with listens to nothing", (context) => {
  context.mock.timers.enable({ apis: ["setTimeout"] });
  const { page, searches, kernels } = setUp();
  const beacon = fakeBeacon();
  announce(beacon, page);
  beacon.change({ sent: 1 });
  searches.dispose();
  context.mock.timers.tick(1000);
  assert.equal(beacon.get("seen"), 0);
  assert.equal(beacon.numListeners(), 0);
  assert.deepEqual(kernels.k.watching.ended, []);
  const late = fakeBeacon();
  announce(late, page);
  assert.deepEqual(late.sent, []);
});

test("all searches of a kernel know whether it is busy from the one that is watched", () => {
  const page = new EventTarget();
  const made = [];
  const searches = new Searches(
    () => {
      made.push(fakeKernel("k"));
      return made.at(-1);
    },
    () => "",
    page,
  );
  announce(fakeBeacon({ title: "first" }), page);
  announce(fakeBeacon({ title: "second" }), page);
  Object.assign(made[0], { isBusy: true, isAway: true });
  for (const { origin } of searches.entries) {
    assert.deepEqual([origin.isBusy, origin.isAway], [true, true]);
  }
});
