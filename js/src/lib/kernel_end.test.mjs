import assert from "node:assert/strict";
import { mock, test } from "node:test";
import { fakePage } from "./fake_page.mjs";
import { kernelEndNotice, onKernelEnd } from "./kernel_end";
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

const fakeKernel = () => ({ statusChanged: fakeSignal(), disposed: fakeSignal() });

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
  kernelEndNotice({ widget_manager: { kernel, disconnect } }, lifetime);
  kernel.disposed.emit();
  assert.equal(disconnect.mock.callCount(), 1);
  lifetime.end();
  assert.equal(kernel.statusChanged.slots.size + kernel.disposed.slots.size, 0);
});

test("a host that does not show its kernel gets the notice too", () => {
  for (const manager of [{}, { kernel: null }, { kernel: {} }]) {
    const notice = kernelEndNotice({ widget_manager: manager }, new Lifetime());
    assert.equal(notice.getAttribute("role"), "alert");
  }
});
