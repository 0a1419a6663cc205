// Notices the end of the kernel that made a widget. The models get no message of it, and the widget manager of JupyterLab
// tells them only when the kernel is restarted: not when it is shut down, dies, or is replaced by another one.

import type { AnyModel } from "@anywidget/types";
import { element } from "./dom";
import "./kernel_end.css";
import type { Lifetime } from "./lifetime";

interface Signal<Value> {
  connect(slot: (sender: unknown, value: Value) => void): unknown;
  disconnect(slot: (sender: unknown, value: Value) => void): unknown;
}

/** A connection of JupyterLab to a kernel, as far as its end can be told from it. */
export interface KernelConnection {
  statusChanged: Signal<string>;
  disposed: Signal<unknown>;
}

const ENDED = ["restarting", "autorestarting", "terminating", "dead"];

/**
 * Calls `ended` when a kernel restarts, ends or is left.
 *
 * @returns ends it
 */
export function onKernelEnd(kernel: KernelConnection, ended: () => void): () => void {
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
 * Makes the place for words that are read out and shown, by the style sheet, when the kernel of a widget has ended. All
 * widgets of that kernel lose their connection then, as they do when JupyterLab restarts it.
 */
export function kernelEndNotice<Model extends Record<string, unknown>>(
  model: AnyModel<Model>,
  lifetime: Lifetime,
): HTMLElement {
  const manager = model.widget_manager as unknown as {
    kernel?: Partial<KernelConnection> | null;
    disconnect?: () => void;
  };
  const kernel = manager.kernel;
  if (kernel?.statusChanged && kernel.disposed && manager.disconnect) {
    lifetime.atEnd(onKernelEnd(kernel as KernelConnection, () => manager.disconnect?.()));
  }
  return element("div", "hpo-gone", { role: "alert" });
}
