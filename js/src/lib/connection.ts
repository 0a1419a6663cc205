// Follows the connection of a page to the kernel that made a widget, of which the models get no message. The widget manager
// of JupyterLab tells them only that the kernel is restarted: not that it was shut down, died, was replaced by another one,
// or cannot be reached for a while.

import type { AnyModel } from "@anywidget/types";
import { element, setText } from "./dom";
import "./connection.css";
import type { Lifetime } from "./lifetime";

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

interface Manager {
  kernel?: Partial<KernelConnection> | null;
  disconnect?: () => void;
  _models?: Record<string, Promise<HoldingModel>>;
}

const ENDED = ["restarting", "autorestarting", "terminating", "dead"];
/** Milliseconds after which it is said that there is no connection: most come back before. */
const SHORT_MS = 2000;
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

function awayWords(since: string): string {
  return `◌ No connection since ${since}: what is seen is of then, and what is pressed is done when it is back.`;
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

/** Has a model that acknowledges go on after its connection was lost, as long as a view of it and its kernel live. */
export function goOnWhenConnectedAgain<Model extends Record<string, unknown>>(
  model: AnyModel<Model>,
  lifetime: Lifetime,
): void {
  const manager = model.widget_manager as unknown as Manager | undefined;
  const { statusChanged, connectionStatusChanged, disposed } = manager?.kernel ?? {};
  if (statusChanged && connectionStatusChanged && disposed) {
    const forget = onConnectedAgain({ connectionStatusChanged }, () => goOn(model));
    lifetime.atEnd(forget);
    // A kernel that has restarted is connected again, too, and knows nothing of the model.
    lifetime.atEnd(onKernelEnd({ statusChanged, disposed }, forget));
  }
}

/** Sends what is held back, and has the kernel send all of the model's panel: the page may have missed any change of it. */
export function goOn<Model extends Record<string, unknown>>(model: AnyModel<Model>): void {
  const sent = model.get("sent");
  // Where nothing was ever sent, another model of the panel acknowledges.
  if (typeof sent === "number" && sent > 0) {
    void sendWhatIsHeldBack(model);
    model.send({ kind: "connected" });
  }
}

/**
 * Has all models send the changes that they hold back. ipywidgets sends no change of a model before the last one was
 * answered, and answers get lost with a connection: the model would be silent for good, and with it the acknowledgements
 * for which the kernel waits.
 */
async function sendWhatIsHeldBack({
  widget_manager,
}: Pick<AnyModel, "widget_manager">): Promise<void> {
  const { _models = {} } = widget_manager as unknown as Manager;
  for (const model of await Promise.all(Object.values(_models))) {
    for (let count = model.comm_live ? (model._pending_msgs ?? 0) : 0; count > 0; count--) {
      model._handle_status?.({ content: { execution_state: "idle" } });
    }
  }
}

/**
 * Makes the places for words on the connection. One is shown, by the style sheet, when the kernel has ended: all its widgets
 * lose their connection then, as they do when JupyterLab restarts it. What it says is up to the caller. The other one says
 * that the kernel cannot be reached now; when it can be again, all widgets go on.
 */
export function connectionNotices<Model extends Record<string, unknown>>(
  model: AnyModel<Model>,
  lifetime: Lifetime,
): { gone: HTMLElement; away: HTMLElement } {
  const gone = element("div", "hpo-gone", { role: "alert" });
  const away = element("div", "hpo-away", { role: "status" });
  const manager = model.widget_manager as unknown as Manager;
  const { statusChanged, connectionStatusChanged, disposed } = manager.kernel ?? {};
  if (statusChanged && connectionStatusChanged && disposed) {
    lifetime.atEnd(onKernelEnd({ statusChanged, disposed }, () => manager.disconnect?.()));
    let isLost = false;
    let cancel = (): void => {};
    const follow = (_kernel: unknown, status: string): void => {
      if (status === "connected") {
        cancel();
        isLost = false;
        setText(away, "");
      } else if (!isLost) {
        cancel();
        isLost = true;
        const since = new Date().toTimeString().slice(0, "hh:mm".length);
        cancel = lifetime.after(SHORT_MS, () => setText(away, awayWords(since)));
      }
    };
    connectionStatusChanged.connect(follow);
    lifetime.atEnd(() => connectionStatusChanged.disconnect(follow));
  }
  return { gone, away };
}
