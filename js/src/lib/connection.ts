// Follows the connection of a page to the kernel that made a widget, of which the models get no message. The widget manager
// of JupyterLab tells them only that the kernel is restarted: not that it was shut down, died, was replaced by another one,
// or cannot be reached for a while.

import type { AnyModel } from "@anywidget/types";
import type { ISignal } from "@lumino/signaling";

/** A connection of JupyterLab to a kernel, as far as it is followed. */
export interface KernelConnection {
  statusChanged: ISignal<unknown, string>;
  connectionStatusChanged: ISignal<unknown, string>;
  disposed: ISignal<unknown, unknown>;
  connectionStatus?: string;
  /** Tries some times to connect again, within about two minutes. */
  reconnect?: () => Promise<void>;
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
  get_model?: (id: string) => Promise<HoldingModel>;
  _models?: Record<string, Promise<HoldingModel>>;
}

/** The widget manager of a model; of some hosts it has nothing of this. */
export function managerOf({ widget_manager }: { widget_manager: unknown }): Manager {
  return (widget_manager ?? {}) as Manager;
}

/** The kernel of a widget manager; null where the host does not show its connection. */
export function kernelOf({ kernel }: Manager): KernelConnection | null {
  return kernel?.statusChanged && kernel.connectionStatusChanged && kernel.disposed
    ? (kernel as KernelConnection)
    : null;
}

/** Milliseconds without an answer, as of a dead kernel, after which a control shows the last known value again. */
export const PATIENCE_MS = 10_000;
const ENDED = ["restarting", "autorestarting", "terminating", "dead"];
/**
 * Milliseconds that messages which were kept for the page get to arrive when it is connected again: longer than the widget
 * manager waits for the states of all widgets. It may get older ones than a change that comes with them.
 */
export const ARRIVAL_MS = 5000;
/** Milliseconds after which a connection that JupyterLab has given up is tried again. */
const RETRY_MS = 10_000;
/** Milliseconds without an update after which the kernel is asked: it takes a page that is silent for nine seconds as closed. */
const SILENCE_MS = 12_000;
/** Milliseconds between two questions at most: each one without an answer doubles them. */
const LONGEST_SILENCE_MS = 60_000;

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
 * Calls `act` when a kernel is connected again, and the messages that were kept for the page have arrived. JupyterLab tries
 * seven times to connect, for a minute or two; here it is made to go on with that.
 *
 * @returns ends it
 */
export function onConnectedAgain(
  kernel: Omit<KernelConnection, "statusChanged" | "disposed">,
  act: () => void,
): () => void {
  const { connectionStatusChanged } = kernel;
  let wasLost = false;
  let timer: ReturnType<typeof setTimeout> | undefined;
  const retry = (): void => {
    // Each view of a panel follows the connection, and the first one acts.
    if (kernel.connectionStatus === "disconnected") {
      kernel.reconnect?.().catch(() => {}); // given up once more, which `follow` hears of
    }
  };
  const follow = (_kernel: unknown, status: string): void => {
    clearTimeout(timer);
    if (status !== "connected") {
      wasLost = true;
      if (status === "disconnected") {
        timer = setTimeout(retry, RETRY_MS);
      }
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

/** Tells a panel since when, in milliseconds, its updates have stopped to come; null when they come again. */
export type TellSilence = (since: number | null) => void;

/** The event of a node by which the panel round it hears what a `TellSilence` is told. */
export const SILENCE = "hpo-widgets:silence";

/** For a view of a panel; a bubbling event, as another view shows the words. */
export function silenceAround(node: HTMLElement): TellSilence {
  return (since) =>
    void node.dispatchEvent(new CustomEvent(SILENCE, { bubbles: true, detail: since }));
}

/**
 * Notices by itself that updates of a search which goes on have stopped to come, as not every host tells of a connection
 * that was lost: tells it, and has the kernel send all that was missed.
 *
 * @returns ends it
 */
export function askWhenSilent<Model extends Record<string, unknown>>(
  model: AnyModel<Model>,
  tell: TellSilence,
): () => void {
  const manager = managerOf(model);
  if (manager.get_model === undefined) {
    return () => {};
  }
  let silence = SILENCE_MS;
  let heardAt = Date.now();
  let isSilent = false;
  let timer: ReturnType<typeof setTimeout> | undefined;
  const wait = (): void => {
    clearTimeout(timer);
    if (model.get("goes_on")) {
      timer = setTimeout(ask, silence);
    }
  };
  const ask = async (): Promise<void> => {
    // A saved page, one that has lost its kernel for good, and one that was left, which has no models, miss nothing.
    const own = await manager.get_model?.(model.get("own_id") as string).catch(() => null);
    if (!own?.comm_live) {
      return;
    }
    silence = Math.min(2 * silence, LONGEST_SILENCE_MS);
    wait();
    isSilent = true;
    tell(heardAt);
    if ((manager.kernel?.connectionStatus ?? "connected") === "connected") {
      goOn(model);
    }
  };
  const hear = (): void => {
    silence = SILENCE_MS;
    heardAt = Date.now();
    wait();
    if (isSilent) {
      isSilent = false;
      tell(null);
    }
  };
  model.on("change:sent", hear);
  wait();
  return () => {
    clearTimeout(timer);
    model.off("change:sent", hear);
  };
}

/** Sends what is held back, and has the kernel send all of the model's panel: the page may have missed any change of it. */
export function goOn<Model extends Record<string, unknown>>(model: AnyModel<Model>): void {
  const sent = model.get("sent");
  // Where nothing was ever sent, another model of the panel acknowledges.
  if (typeof sent === "number" && sent > 0) {
    sendWhatIsHeldBack(managerOf(model));
    model.send({ kind: "connected" });
  }
}

/**
 * Has all models send the changes that they hold back. ipywidgets sends no change of a model before the last one was
 * answered, and answers get lost with a connection: the model would be silent for good, and with it the acknowledgements
 * for which the kernel waits. A model that is still being made, or could not be, has no other one wait.
 */
function sendWhatIsHeldBack({ _models = {} }: Manager): void {
  const send = (model: HoldingModel): void => {
    for (let count = model.comm_live ? (model._pending_msgs ?? 0) : 0; count > 0; count--) {
      model._handle_status?.({ content: { execution_state: "idle" } });
    }
  };
  for (const made of Object.values(_models)) {
    made.then(send, () => {});
  }
}
