// What a view has to end when it is removed: its painting, timers, and listeners beyond its own nodes.

import type { AnyModel } from "@anywidget/types";
import { askWhenSilent, goOnWhenConnectedAgain, type TellSilence } from "./connection";
import { keepFocus } from "./focus";

/** Number of updates that the kernel sends before it waits for an acknowledgement; the same as in the kernel. */
const MOST_UNSEEN = 2;
/** Milliseconds without a further update, after which the last one is acknowledged, too. */
const QUIET_MS = 250;

/** Tells the kernel that the update that came last is on the page, so that it may send the next one. */
function acknowledge<Model extends Record<string, unknown>>(model: AnyModel<Model>): void {
  const sent = model.get("sent");
  if (typeof sent === "number" && sent !== model.get("seen")) {
    // Every model of this package has these two traits; see `Acknowledging`.
    (model as unknown as AnyModel<{ seen: number }>).set("seen", sent);
    model.save_changes();
  }
}

function numUnseen<Model extends Record<string, unknown>>(model: AnyModel<Model>): number {
  const [sent, seen] = [model.get("sent"), model.get("seen")];
  return typeof sent === "number" && typeof seen === "number" ? sent - seen : 0;
}

export class Lifetime {
  private readonly controller = new AbortController();
  private readonly timers = new Set<ReturnType<typeof setTimeout>>();

  /** Ends listeners: `target.addEventListener(type, listener, { signal })`. */
  readonly signal: AbortSignal = this.controller.signal;

  /**
   * Paints now and after every change of the model, and acknowledges updates: the first one, every second one, and the
   * last one. Several changes in a row, such as the traits of one update of the kernel, are painted once.
   *
   * @param tellSilence is told when updates of a search that goes on stop to come, and when they come again
   */
  paintOnChange<Model extends Record<string, unknown>>(
    model: AnyModel<Model>,
    paint: () => void,
    tellSilence: TellSilence = () => {},
  ): void {
    let isScheduled = false;
    let putOff = (): void => {};
    const schedule = (): void => {
      if (!isScheduled) {
        isScheduled = true;
        queueMicrotask(() => {
          isScheduled = false;
          if (!this.signal.aborted) {
            keepFocus(paint);
            putOff();
            const unseen = numUnseen(model);
            if (unseen >= MOST_UNSEEN) {
              acknowledge(model);
            } else if (unseen !== 0) {
              putOff = this.after(QUIET_MS, () => acknowledge(model));
            }
          }
        });
      }
    };
    model.on("change", schedule);
    this.atEnd(() => model.off("change", schedule));
    this.atEnd(goOnWhenConnectedAgain(model));
    this.atEnd(askWhenSilent(model, tellSilence));
    paint();
    acknowledge(model);
  }

  /** Calls `receive` with each message of the kernel to the model. */
  onMessage<Model extends Record<string, unknown>>(
    model: AnyModel<Model>,
    receive: (message: unknown, buffers: DataView[]) => void,
  ): void {
    model.on("msg:custom", receive);
    this.atEnd(() => model.off("msg:custom", receive));
  }

  /** Calls `act` after some milliseconds, unless the view is removed or the returned function called before. */
  after(milliseconds: number, act: () => void): () => void {
    const timer = setTimeout(() => {
      this.timers.delete(timer);
      act();
    }, milliseconds);
    this.timers.add(timer);
    return () => {
      clearTimeout(timer);
      this.timers.delete(timer);
    };
  }

  /** Calls `act` when the view is removed. */
  atEnd(act: () => void): void {
    this.signal.addEventListener("abort", act, { once: true });
  }

  /** The view is removed. */
  readonly end = (): void => {
    this.controller.abort();
    for (const timer of this.timers) {
      clearTimeout(timer);
    }
    this.timers.clear();
  };
}
