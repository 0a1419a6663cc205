// Words of a view on its connection to the kernel: that it has ended, and that there is none for a while.

import type { AnyModel } from "@anywidget/types";
import { kernelOf, managerOf, onKernelEnd } from "./connection";
import "./connection_notices.css";
import { element, setText } from "./dom";
import type { Lifetime } from "./lifetime";

/** Milliseconds after which it is said that there is no connection: most come back before. */
const SHORT_MS = 2000;

function awayWords(since: string): string {
  return `◌ No connection since ${since}: what is seen is of then, and what is pressed is done when it is back.`;
}

/** What is said of something that is shown again by its cell, once its kernel has ended. */
export function runAgainWords(what: string): string {
  return `✕ Not connected any more: the kernel of this ${what} has ended. Run its cell again.`;
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
  const manager = managerOf(model);
  const kernel = kernelOf(manager);
  if (kernel !== null) {
    lifetime.atEnd(onKernelEnd(kernel, () => manager.disconnect?.()));
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
    kernel.connectionStatusChanged.connect(follow);
    lifetime.atEnd(() => kernel.connectionStatusChanged.disconnect(follow));
  }
  return { gone, away };
}
