// Follows the connection of a page to the kernel that made a widget, of which the models get no message. The widget manager
// of JupyterLab tells them only that the kernel is restarted: not that it was shut down, died, was replaced by another one,
// or cannot be reached for a while.

import type { AnyModel } from "@anywidget/types";

interface Signal<Value> {
  connect(slot: (sender: unknown, value: Value) => void): unknown;
  disconnect(slot: (sender: unknown, value: Value) => void): unknown;
}

/** A connection of JupyterLab to a kernel, as far as it is followed. */
export interface KernelConnection {
  statusChanged: Signal<string>;
  connectionStatusChanged: Signal<string>;
  disposed: Signal<unknown>;
}

/** A model of ipywidgets, as far as its changes may be held back. */
interface HoldingModel {
  comm_live?: boolean;
  _pending_msgs?: number;
  _handle_status?: (message: { content: { execution_state: string } }) => void;
}

/** What is used of the widget manager, as far as a host has it. */
export interface Manager {
  kernel?: Partial<KernelConnection> | null;
  disconnect?: () => void;
  _models?: Record<string, Promise<HoldingModel>>;
}

/** The widget manager of a model; of some hosts it has nothing of this. */
export function managerOf({ widget_manager }: { widget_manager: unknown }): Manager {
  return (widget_manager ?? {}) as Manager;
}

/** The kernel of a widget manager; null where the host does not show its connection. */
export function kernelOf({ kernel }: Manager): KernelConnection | null {
  const { statusChanged, connectionStatusChanged, disposed } = kernel ?? {};
  return statusChanged && connectionStatusChanged && disposed
    ? { statusChanged, connectionStatusChanged, disposed }
    : null;
}

const ENDED = ["restarting", "autorestarting", "terminating", "dead"];
/**
 * Milliseconds that messages which were kept for the page get to arrive when it is connected again: longer than the widget
 * manager waits for the states of all widgets. It may get older ones than a change that comes with them.
 */
const ARRIVAL_MS = 5000;

/**
 * Calls `ended` when a kernel restarts, ends or is left.
 *
 * @returns ends it
 */
export function onKernelEnd(
  kernel: Pick<KernelConnection, "statusChanged" | "disposed">,
  ended: () => void,
): () => void {
  const onStatus = (_kernel: unknown, status: string): void => {
    if (ENDED.includes(status)) {
      ended();
    }
  };
  kernel.statusChanged.connect(onStatus);
  kernel.disposed.connect(ended);
  return () => {
    kernel.statusChanged.disconnect(onStatus);
    kernel.disposed.disconnect(ended);
  };
}

/**
 * Calls `act` when a kernel is connected again, and the messages that were kept for the page have arrived.
 *
 * @returns ends it
 */
export function onConnectedAgain(
  { connectionStatusChanged }: Pick<KernelConnection, "connectionStatusChanged">,
  act: () => void,
): () => void {
  let wasLost = false;
  let timer: ReturnType<typeof setTimeout> | undefined;
  const follow = (_kernel: unknown, status: string): void => {
    clearTimeout(timer);
    if (status !== "connected") {
      wasLost = true;
    } else if (wasLost) {
      wasLost = false;
      timer = setTimeout(act, ARRIVAL_MS);
    }
  };
  connectionStatusChanged.connect(follow);
  return () => {
    clearTimeout(timer);
    connectionStatusChanged.disconnect(follow);
  };
}

/**
 * Has a model that acknowledges go on after its connection was lost, as long as its kernel lives.
 *
 * @returns ends it
 */
export function goOnWhenConnectedAgain<Model extends Record<string, unknown>>(
  model: AnyModel<Model>,
): () => void {
  const kernel = kernelOf(managerOf(model));
  if (kernel === null) {
    return () => {};
  }
  const forget = onConnectedAgain(kernel, () => goOn(model));
  // A kernel that has restarted is connected again, too, and knows nothing of the model.
  const forgetEnd = onKernelEnd(kernel, forget);
  return () => {
    forget();
    forgetEnd();
  };
}

/** Sends what is held back, and has the kernel send all of the model's panel: the page may have missed any change of it. */
export function goOn<Model extends Record<string, unknown>>(model: AnyModel<Model>): void {
  const sent = model.get("sent");
  // Where nothing was ever sent, another model of the panel acknowledges.
  if (typeof sent === "number" && sent > 0) {
    void sendWhatIsHeldBack(managerOf(model));
    model.send({ kind: "connected" });
  }
}

/**
 * Has all models send the changes that they hold back. ipywidgets sends no change of a model before the last one was
 * answered, and answers get lost with a connection: the model would be silent for good, and with it the acknowledgements
 * for which the kernel waits.
 */
async function sendWhatIsHeldBack({ _models = {} }: Manager): Promise<void> {
  for (const model of await Promise.all(Object.values(_models))) {
    for (let count = model.comm_live ? (model._pending_msgs ?? 0) : 0; count > 0; count--) {
      model._handle_status?.({ content: { execution_state: "idle" } });
    }
  }
}
