// Words of a view on its connection to the kernel: that it has ended, and that there is none for a while; and what cannot be
// pressed any more then.

import type { AnyModel } from "@anywidget/types";
import { ARRIVAL_MS, kernelOf, managerOf, onKernelEnd, SILENCE } from "./connection";
import "./connection_notices.css";
import { element, setAttribute, setText } from "./dom";
import { CONTROLS } from "./focus";
import type { Lifetime } from "./lifetime";
import { whenInPanel } from "./panel";

/** Milliseconds after which it is said that there is no connection: most come back before. */
const SHORT_MS = 2000;
/** Milliseconds that what was missed may take to arrive, after it was asked for. */
const ANSWER_MS = 2000;
const BACK = "◌ Connected again: what was missed follows within seconds.";

/** The class that ipywidgets gives to what has lost its kernel. */
const GONE = "jupyter-widgets-disconnected";
/** What does nothing but ask the kernel; a table of numbers that is open can still be closed. */
const ASKING = [
  ".hpo-controls",
  ".hpo-wait",
  ".hpo-replay-buttons",
  ".hpo-race-buttons",
  ".hpo-filter-bar",
  ".hpo-box",
  ".hpo-point",
  ".hpo-export",
  ".hpo-table-foot",
  ".hpo-table td button",
  ".hpo-details-asking",
  ".hpo-looks-head .widget-dropdown",
  ".hpo-plot-host .jupyter-button",
  ".hpo-plot-host .widget-dropdown",
  ".hpo-plot-host .widget-checkbox",
  ".hpo-plot-host .widget-select-multiple",
  '.hpo-numbers-head > [aria-expanded="false"]',
  '.hpo-numbers-head > [aria-expanded="true"] + button',
].join(", ");
/** What can still be read, with controls in it that ask the kernel. */
const TELLING = [
  ".hpo-status-head",
  ".hpo-status-body",
  ".hpo-space",
  ".hpo-advice",
  ".hpo-earlier",
  ".hpo-replay-line",
  ".hpo-table thead",
  ".hpo-remarks",
].join(", ");

/** Once a panel has lost its kernel, the keyboard reaches nothing in it that would ask the kernel for something. */
function quietWhenGone(panel: HTMLElement, lifetime: Lifetime): void {
  const quiet = (): void => {
    for (const node of panel.querySelectorAll<HTMLElement>(ASKING)) {
      setAttribute(node, "inert", "");
    }
    for (const node of panel.querySelectorAll<HTMLElement>(TELLING)) {
      node.classList.add("hpo-quiet");
      for (const control of node.querySelectorAll<HTMLElement>(CONTROLS)) {
        setAttribute(control, "tabindex", "-1");
      }
    }
  };
  const changes = new MutationObserver(() => {
    if (panel.classList.contains(GONE)) {
      quiet();
      // What is opened and closed from here on is of the page alone, and seldom.
      changes.observe(panel, {
        childList: true,
        subtree: true,
        attributeFilter: ["aria-expanded"],
      });
    }
  });
  changes.observe(panel, { attributeFilter: ["class"] });
  lifetime.atEnd(() => changes.disconnect());
}

function awayWords(since: string): string {
  return `◌ No connection since ${since}. The panel is as of then; what you press is done when the connection is back.`;
}

function silentWords(since: string): string {
  return `◌ Nothing from the kernel since ${since}. The panel is as of then.`;
}

function timeOfDay(at: number): string {
  return new Date(at).toTimeString().slice(0, "hh:mm".length);
}

/** What is said of something that is shown again by its cell, once its kernel has ended. */
export function runAgainWords(what: string): string {
  return `✕ Not connected any more: the kernel of this ${what} has ended. Run its cell again.`;
}

/**
 * Makes the places for words on the connection. One is shown, by the style sheet, when the kernel has ended: all its widgets
 * lose their connection then, as they do when JupyterLab restarts it. What it says is up to the caller. The other one says
 * that what is seen is not of now: the kernel cannot be reached, what was missed has not come yet, or nothing comes.
 */
export function connectionNotices<Model extends Record<string, unknown>>(
  model: AnyModel<Model>,
  lifetime: Lifetime,
): { gone: HTMLElement; away: HTMLElement } {
  const gone = element("div", "hpo-gone", { role: "alert" });
  const away = element("div", "hpo-away", { role: "status" });
  const manager = managerOf(model);
  const kernel = kernelOf(manager);
  let lostSince: string | null = null;
  let isBack = false;
  let silentSince: string | null = null;
  const say = (): void =>
    setText(
      away,
      lostSince !== null
        ? awayWords(lostSince)
        : isBack
          ? BACK
          : silentSince !== null
            ? silentWords(silentSince)
            : "",
    );
  whenInPanel(
    away,
    lifetime,
    (panel) => {
      quietWhenGone(panel, lifetime);
      panel.addEventListener(
        SILENCE,
        (event) => {
          const { detail } = event as CustomEvent<number | null>;
          silentSince = detail === null ? null : timeOfDay(detail);
          say();
        },
        { signal: lifetime.signal },
      );
    },
    ".hpo-layout, .hpo-race-layout",
  );
  if (kernel !== null) {
    lifetime.atEnd(onKernelEnd(kernel, () => manager.disconnect?.()));
    let isLost = false;
    let cancel = (): void => {};
    const follow = (_kernel: unknown, status: string): void => {
      if (status === "connected") {
        cancel();
        isBack = lostSince !== null;
        isLost = false;
        lostSince = null;
        say();
        cancel = lifetime.after(ARRIVAL_MS + ANSWER_MS, () => {
          isBack = false;
          say();
        });
      } else if (!isLost) {
        cancel();
        isLost = true;
        const since = timeOfDay(Date.now());
        cancel = lifetime.after(SHORT_MS, () => {
          lostSince = since;
          say();
        });
      }
    };
    kernel.connectionStatusChanged.connect(follow);
    lifetime.atEnd(() => kernel.connectionStatusChanged.disconnect(follow));
  }
  return { gone, away };
}
