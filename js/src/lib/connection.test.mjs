import assert from "node:assert/strict";
import { mock, test } from "node:test";
import { goOn, goOnWhenConnectedAgain, onConnectedAgain, onKernelEnd } from "./connection";
import { connectionNotices } from "./connection_notices";
import { fakeModel, fakePage, tellMutation } from "./fake_page.mjs";
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
  assert.match(away.textContent, /^◌ No connection since \d\d:\d\d: /);
  kernel.connectionStatusChanged.emit("disconnected");
  assert.notEqual(away.textContent, "");
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
