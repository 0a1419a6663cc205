// All searches that panels of this page announce: followed at the pace that was chosen, forgotten with their kernel.

import type { DOMWidgetModel, DOMWidgetView, IWidgetManager } from "@jupyter-widgets/base";
import { type Beacon, type BeaconState, hear } from "../lib/announcement";
import { goOn } from "../lib/connection";
import { type Entry, entryOf, type Origin } from "./entries";

/** A kernel as far as the list needs it. */
export interface KernelWatch {
  readonly id: string;
  readonly isBusy: boolean;
  readonly isAway: boolean;
  /**
   * Calls `changed` when the kernel becomes busy or idle, or its connection is lost, `ended` once, when it restarts, ends or is left, and
   * `connectedAgain` after its connection was lost.
   *
   * @returns ends it
   */
  watch(changed: () => void, ended: () => void, connectedAgain: () => void): () => void;
}

interface Known {
  kernel: KernelWatch;
  /** Ends what listens to the beacon. */
  forget: () => void;
}

export class Searches {
  private readonly known = new Map<Beacon, Known>();
  private readonly watches = new Map<string, { kernel: KernelWatch; end: () => void }>();
  private readonly listeners = new Set<() => void>();
  private readonly endHearing: () => void;
  private isScheduled = false;

  /** Updates of each search in a second, at most. */
  pace = 2;

  /**
   * @param kernelOf finds the kernel of a panel; null: it has none
   * @param pathOf gives the path of the notebook that a kernel belongs to, empty where there is none
   */
  constructor(
    private readonly kernelOf: (beacon: Beacon) => KernelWatch | null,
    private readonly pathOf: (kernel: string) => string,
    page: EventTarget = window,
  ) {
    this.endHearing = hear(
      (beacon) => this.add(beacon),
      (beacon) => this.remove(beacon),
      page,
    );
  }

  /** All searches as they are now; one that several panels show comes several times. */
  get entries(): Entry[] {
    return [...this.known.entries()].map(([beacon, { kernel }]) => this.entry(beacon, kernel));
  }

  /** The beacon of an entry, as long as it is there. */
  private beaconOf(entry: Entry): Beacon | undefined {
    return [...this.known.keys()].find((beacon) => beacon.get("target") === entry.target);
  }

  /** Makes a view of the panel of an entry; null where that has gone meanwhile. */
  async viewOf(entry: Entry): Promise<DOMWidgetView | null> {
    const manager = this.beaconOf(entry)?.widget_manager as unknown as IWidgetManager | undefined;
    const model = await manager?.get_model(entry.target).catch(() => null);
    return manager && model ? manager.create_view(model as DOMWidgetModel) : null;
  }

  /** Asks a search for something; the answer comes as a change of its state. */
  command(entry: Entry, name: string): void {
    this.beaconOf(entry)?.send({ kind: "command", name });
  }

  /**
   * Calls `changed` after each change, once for several in a row.
   *
   * @returns ends it
   */
  onChange(changed: () => void): () => void {
    this.listeners.add(changed);
    return () => this.listeners.delete(changed);
  }

  /** Has everybody look again: something beside the searches has changed, such as the name of a notebook. */
  readonly changed = (): void => {
    if (!this.isScheduled) {
      this.isScheduled = true;
      queueMicrotask(() => {
        this.isScheduled = false;
        for (const listener of this.listeners) {
          listener();
        }
      });
    }
  };

  dispose(): void {
    this.endHearing();
    for (const beacon of [...this.known.keys()]) {
      this.remove(beacon);
    }
    this.listeners.clear();
  }

  private entry(beacon: Beacon, kernel: KernelWatch): Entry {
    const origin: Origin = {
      kernel: kernel.id,
      path: this.pathOf(kernel.id),
      isBusy: kernel.isBusy,
      isAway: kernel.isAway,
    };
    return entryOf((name: keyof BeaconState) => beacon.get(name), origin);
  }

  private add(beacon: Beacon): void {
    const found = this.known.has(beacon) ? null : this.kernelOf(beacon);
    if (found === null) {
      return;
    }
    // One that is watched knows whether it is busy.
    const kernel = this.watches.get(found.id)?.kernel ?? found;
    let timer: ReturnType<typeof setTimeout> | undefined;
    const acknowledge = (): void => {
      timer = undefined;
      if (beacon.get("seen") !== beacon.get("sent")) {
        beacon.set("seen", beacon.get("sent"));
        beacon.save_changes();
      }
    };
    // The kernel sends the next update when this one is acknowledged.
    const onSent = (): void => {
      timer ??= setTimeout(acknowledge, 1000 / this.pace);
    };
    beacon.on("change", this.changed);
    beacon.on("change:sent", onSent);
    this.known.set(beacon, {
      kernel,
      forget: () => {
        clearTimeout(timer);
        beacon.off("change", this.changed);
        beacon.off("change:sent", onSent);
      },
    });
    if (!this.watches.has(kernel.id)) {
      const end = kernel.watch(
        this.changed,
        () => this.removeKernel(kernel.id),
        () => this.beaconsOf(kernel.id).forEach(goOn),
      );
      this.watches.set(kernel.id, { kernel, end });
    }
    beacon.send({ kind: "follow" });
    acknowledge();
    this.changed();
  }

  private remove(beacon: Beacon): void {
    const known = this.known.get(beacon);
    if (known === undefined) {
      return;
    }
    known.forget();
    this.known.delete(beacon);
    const { id } = known.kernel;
    if (![...this.known.values()].some(({ kernel }) => kernel.id === id)) {
      this.watches.get(id)?.end();
      this.watches.delete(id);
    }
    this.changed();
  }

  /** A kernel that has restarted knows nothing of its searches any more, and nobody withdraws them. */
  private removeKernel(id: string): void {
    for (const beacon of this.beaconsOf(id)) {
      this.remove(beacon);
    }
  }

  private beaconsOf(id: string): Beacon[] {
    return [...this.known].filter(([, { kernel }]) => kernel.id === id).map(([beacon]) => beacon);
  }
}
