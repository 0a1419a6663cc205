import assert from "node:assert/strict";
import { mock, test } from "node:test";
import {
  askWhenSilent,
  goOn,
  goOnWhenConnectedAgain,
  onConnectedAgain,
  onKernelEnd,
  silenceAround,
} from "./connection";
import { connectionNotices } from "./connection_notices";
import { fakeModel, fakePage, tellMutation } from "./fake_page.mjs";
import { repairWhenLate } from "./late_model";
import { Lifetime } from "./lifetime";

test.beforeEach(fakePage);

function fakeSignal() {
  const slots = new Set();
  return {
    slots,
    connect: (slot) => slots.add(slot),
    disconnect: (slot) => slots.delete(slot),
    emit: (value) => {
      for (const slot of slots) slot(null, value);
    },
  };
}

const fakeKernel = () => ({
  statusChanged: fakeSignal(),
  connectionStatusChanged: fakeSignal(),
  disposed: fakeSignal(),
});

test("a kernel ends when it restarts, dies or is left, and not when it works", () => {
  const [kernel, ended] = [fakeKernel(), mock.fn()];
  const forget = onKernelEnd(kernel, ended);
  for (const status of ["busy", "idle", "unknown", "starting"]) kernel.statusChanged.emit(status);
  assert.equal(ended.mock.callCount(), 0);
  for (const status of ["restarting", "autorestarting", "terminating", "dead"]) {
    kernel.statusChanged.emit(status);
  }
  assert.equal(ended.mock.callCount(), 4);
  kernel.disposed.emit();
  assert.equal(ended.mock.callCount(), 5);
  forget();
  assert.equal(kernel.statusChanged.slots.size + kernel.disposed.slots.size, 0);
});

test("the widgets of a kernel that ends lose their connection, as long as one of them is shown", () => {
  const [kernel, disconnect, lifetime] = [fakeKernel(), mock.fn(), new Lifetime()];
  connectionNotices({ widget_manager: { kernel, disconnect } }, lifetime);
  kernel.disposed.emit();
  assert.equal(disconnect.mock.callCount(), 1);
  lifetime.end();
  for (const signal of Object.values(kernel)) assert.equal(signal.slots.size, 0);
});

test("without its kernel nothing that asks it can be reached, and what tells something can be read", async () => {
  const [panel, controls, space, handle, code] = ["div", "div", "div", "button", "button"].map(
    (tag) => document.createElement(tag),
  );
  for (const [node, name] of [
    [panel, "hpo-race-layout"],
    [controls, "hpo-race-buttons"],
    [space, "hpo-space"],
    [code, "hpo-code-button"],
  ]) {
    node.className = name;
  }
  const { gone, away } = connectionNotices({ widget_manager: {} }, new Lifetime());
  space.append(handle);
  panel.append(gone, away, controls, space, code);
  await Promise.resolve();
  const reached = () => [controls.hasAttribute("inert"), handle.getAttribute("tabindex")];
  tellMutation();
  assert.deepEqual(reached(), [false, null]);
  panel.classList.add("jupyter-widgets-disconnected");
  tellMutation();
  assert.deepEqual(reached(), [true, "-1"]);
  for (const node of [gone, space, code]) assert.equal(node.hasAttribute("inert"), false);
  const late = document.createElement("input");
  space.append(late);
  tellMutation();
  assert.equal(late.getAttribute("tabindex"), "-1");
});

test("a host that does not show its kernel gets the places for words too", () => {
  for (const manager of [{}, { kernel: null }, { kernel: {} }]) {
    const { gone, away } = connectionNotices({ widget_manager: manager }, new Lifetime());
    assert.deepEqual([gone.getAttribute("role"), away.getAttribute("role")], ["alert", "status"]);
  }
});

test("a connection that is lost for long is told of until it is back", (context) => {
  context.mock.timers.enable({ apis: ["setTimeout"] });
  const [kernel, lifetime] = [fakeKernel(), new Lifetime()];
  const { away } = connectionNotices({ widget_manager: { kernel } }, lifetime);
  kernel.connectionStatusChanged.emit("connecting");
  context.mock.timers.tick(1900);
  kernel.connectionStatusChanged.emit("connecting"); // it tries again: the time goes on
  assert.equal(away.textContent, "");
  context.mock.timers.tick(200);
  assert.match(away.textContent, /^◌ No connection since \d\d:\d\d\. /);
  kernel.connectionStatusChanged.emit("disconnected");
  assert.notEqual(away.textContent, "");
  kernel.connectionStatusChanged.emit("connected");
  assert.match(away.textContent, /^◌ Connected again: /); // what was missed has not come yet
  context.mock.timers.tick(4900);
  assert.notEqual(away.textContent, "");
  context.mock.timers.tick(5000);
  assert.equal(away.textContent, "");
  kernel.connectionStatusChanged.emit("connecting");
  context.mock.timers.tick(1000); // so short that nothing was said of it
  kernel.connectionStatusChanged.emit("connected");
  assert.equal(away.textContent, "");
  lifetime.end();
});

test("the messages that were kept for a page have arrived before it acts on being connected again", (context) => {
  context.mock.timers.enable({ apis: ["setTimeout"] });
  const [kernel, act] = [fakeKernel(), mock.fn()];
  const end = onConnectedAgain(kernel, act);
  kernel.connectionStatusChanged.emit("connected"); // for the first time
  context.mock.timers.tick(60_000);
  kernel.connectionStatusChanged.emit("connecting");
  kernel.connectionStatusChanged.emit("connected");
  context.mock.timers.tick(1000);
  kernel.connectionStatusChanged.emit("connecting"); // lost again
  context.mock.timers.tick(60_000);
  assert.equal(act.mock.callCount(), 0);
  kernel.connectionStatusChanged.emit("connected");
  context.mock.timers.tick(5000);
  assert.equal(act.mock.callCount(), 1);
  end();
  assert.equal(kernel.connectionStatusChanged.slots.size, 0);
});

test("a connection that was given up is tried again, by one of those who follow it", (context) => {
  context.mock.timers.enable({ apis: ["setTimeout"] });
  const kernel = fakeKernel();
  const become = (status) => {
    kernel.connectionStatus = status;
    kernel.connectionStatusChanged.emit(status);
  };
  kernel.reconnect = mock.fn(async () => {
    become("connecting");
    throw new Error("Kernel connection disconnected");
  });
  const ends = [1, 2].map(() => onConnectedAgain(kernel, () => {}));
  become("connecting");
  context.mock.timers.tick(600_000);
  assert.equal(kernel.reconnect.mock.callCount(), 0);
  for (const times of [1, 2]) {
    become("disconnected");
    context.mock.timers.tick(60_000);
    assert.equal(kernel.reconnect.mock.callCount(), times);
  }
  for (const end of ends) end();
});

test("after a lost connection what models hold back is sent, and the kernel is asked for the rest", async () => {
  // As ipywidgets: a change waits for the answer to the last one.
  const holding = {
    comm_live: true,
    _pending_msgs: 1,
    held: ["seen"],
    sent: [],
    _handle_status(message) {
      if (message.content.execution_state === "idle") {
        this._pending_msgs -= 1;
        const held = this.held.splice(0);
        this.sent.push(...held);
        this._pending_msgs += held.length;
      }
    },
  };
  const idle = { comm_live: true, _pending_msgs: 0, _handle_status: mock.fn() };
  const dead = { comm_live: false, _pending_msgs: 1, _handle_status: mock.fn() };
  const model = fakeModel({ sent: 3, seen: 2 });
  model.widget_manager = {
    _models: { a: Promise.resolve(holding), b: Promise.resolve(idle), c: Promise.resolve(dead) },
  };
  goOn(model);
  await new Promise(setImmediate);
  assert.deepEqual(holding.sent, ["seen"]);
  assert.equal(holding._pending_msgs, 1); // for the answer to what was sent now
  for (const one of [idle, dead]) assert.equal(one._handle_status.mock.callCount(), 0);
  assert.deepEqual(model.sent, [{ kind: "connected" }]);
});

test("a model that is never made, or could not be, has no other one hold back its changes", async () => {
  for (const make of [() => new Promise(() => {}), () => Promise.reject(new Error("not found"))]) {
    const holding = { comm_live: true, _pending_msgs: 1, _handle_status: mock.fn() };
    const model = fakeModel({ sent: 3, seen: 2 });
    model.widget_manager = { _models: { other: make(), holding: Promise.resolve(holding) } };
    goOn(model);
    await new Promise(setImmediate);
    assert.equal(holding._handle_status.mock.callCount(), 1);
  }
});

test("a model that acknowledges nothing asks for nothing", () => {
  const model = fakeModel({ sent: 0, seen: 0 });
  goOn(model);
  assert.deepEqual(model.sent, []);
});

test("a kernel that has restarted is not asked for what it does not know", (context) => {
  context.mock.timers.enable({ apis: ["setTimeout"] });
  const [kernel, model] = [fakeKernel(), fakeModel({ sent: 3, seen: 2 })];
  model.widget_manager = { kernel };
  const end = goOnWhenConnectedAgain(model);
  kernel.statusChanged.emit("restarting");
  kernel.connectionStatusChanged.emit("connecting");
  kernel.connectionStatusChanged.emit("connected");
  context.mock.timers.tick(60_000);
  assert.deepEqual(model.sent, []);
  end();
  for (const signal of Object.values(kernel)) assert.equal(signal.slots.size, 0);
});

/** A model of a search that goes on, whose page is not told of its connection. */
function untold(state = {}, own = { comm_live: true }) {
  const model = fakeModel({ sent: 3, seen: 3, goes_on: true, own_id: "own", ...state });
  model.widget_manager = { get_model: async () => own };
  return model;
}

test("a silence of a search that goes on is told of, and asked for what was missed ever less often", async (context) => {
  context.mock.timers.enable({ apis: ["setTimeout", "Date"] });
  const pass = async (seconds) => {
    for (let second = 0; second < seconds; second++) {
      context.mock.timers.tick(1000);
      await Promise.resolve();
      await Promise.resolve();
    }
  };
  const [model, tell] = [untold(), mock.fn()];
  const end = askWhenSilent(model, tell);
  await pass(8);
  await model.change({ sent: 4 });
  await pass(11);
  assert.deepEqual(model.sent, []);
  await pass(1);
  assert.deepEqual(model.sent, [{ kind: "connected" }]);
  assert.deepEqual(tell.mock.calls.at(-1).arguments, [8000]);
  await pass(600);
  assert.ok(model.sent.length > 5 && model.sent.length < 15);
  await model.change({ sent: 9 });
  assert.deepEqual(tell.mock.calls.at(-1).arguments, [null]);
  end();
  const asked = model.sent.length;
  await pass(600);
  assert.equal(model.sent.length, asked);
});

for (const [what, model] of [
  ["a search that has ended", untold({ goes_on: false })],
  ["a saved page", untold({}, { comm_live: false })],
]) {
  test(`the silence of ${what} says nothing`, async (context) => {
    context.mock.timers.enable({ apis: ["setTimeout"] });
    const tell = mock.fn();
    askWhenSilent(model, tell);
    context.mock.timers.tick(60_000);
    await Promise.resolve();
    await Promise.resolve();
    assert.equal(tell.mock.callCount(), 0);
    assert.deepEqual(model.sent, []);
  });
}

test("a page that was left while it waited asks nothing, and complains of nothing", async (context) => {
  context.mock.timers.enable({ apis: ["setTimeout"] });
  const [model, tell] = [untold(), mock.fn()];
  model.widget_manager.get_model = async () => {
    throw new Error("widget model not found");
  };
  const complained = mock.fn();
  process.once("unhandledRejection", complained);
  askWhenSilent(model, tell);
  repairWhenLate(model);
  context.mock.timers.tick(12_000);
  await new Promise(setImmediate);
  process.off("unhandledRejection", complained);
  assert.equal(complained.mock.callCount(), 0);
  assert.equal(tell.mock.callCount(), 0);
  assert.deepEqual(model.sent, []);
});

test("while there is no connection nothing is asked that would wait for it", async (context) => {
  context.mock.timers.enable({ apis: ["setTimeout"] });
  const [model, tell] = [untold(), mock.fn()];
  model.widget_manager.kernel = { connectionStatus: "connecting" };
  askWhenSilent(model, tell);
  context.mock.timers.tick(12_000);
  await Promise.resolve();
  await Promise.resolve();
  assert.equal(tell.mock.callCount(), 1);
  assert.deepEqual(model.sent, []);
});

test("a silence is told of in the panel", async () => {
  const panel = document.createElement("div");
  panel.className = "hpo-layout";
  const { away } = connectionNotices({ widget_manager: {} }, new Lifetime());
  panel.append(away);
  await Promise.resolve();
  const tell = silenceAround(panel); // events of this page do not bubble
  tell(Date.now());
  assert.match(away.textContent, /^◌ Nothing from the kernel since \d\d:\d\d\. /);
  tell(null);
  assert.equal(away.textContent, "");
});
