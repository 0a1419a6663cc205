// A replay in a saved page: the page holds what changes between some moments of a search, and goes from one to another
// without a kernel. The bar is that of a panel (views/replay.ts); its messages are answered here.

/** A trait that is not the same at all moments. */
type ChangingTrait = {
  model: string;
  name: string;
  /** Index of the only tab that shows its model; null where no tab or several tabs show it. */
  tab: number | null;
  /** The places of the moments since which it has each of its values, rising. */
  since: number[];
  values: unknown[];
  /** The binary parts of each value, as in a saved state of widgets. */
  buffers: SavedBuffer[][];
};

type SavedBuffer = { encoding: string; path: (string | number)[]; data: string };

export type Moments = {
  /** Seconds of the search at each moment, rising. */
  positions: number[];
  /** Model id of the tabs. */
  tabs: string;
  traits: ChangingTrait[];
};

/** States of some models, as a widget manager takes them. */
type States = Record<string, { state: Record<string, unknown>; buffers: SavedBuffer[] }>;

/** Returns the place of the last number that is not above `most` in rising numbers; -1 where all are. */
export function lastUpTo(numbers: readonly number[], most: number): number {
  let [low, high] = [0, numbers.length];
  while (low < high) {
    const middle = (low + high) >> 1;
    if ((numbers[middle] as number) <= most) {
      low = middle + 1;
    } else {
      high = middle;
    }
  }
  return low - 1;
}

/** Finds the traits to set so that widgets show a moment: those that are seen and have another value now. */
export class Differences {
  /** Index of the value that each trait has now; at first the last one, as the page is saved at the end. */
  private readonly shown: number[];

  constructor(private readonly moments: Moments) {
    this.shown = moments.traits.map((trait) => trait.since.length - 1);
  }

  /** Returns the traits to set for a moment while a tab is shown, and takes them as set from then on. */
  take(place: number, tab: number | null): States {
    const states: States = {};
    this.moments.traits.forEach((trait, index) => {
      if (trait.tab !== null && trait.tab !== tab) {
        return;
      }
      // A trait whose first value came later has that value before, too: nothing shows it then.
      const wanted = Math.max(0, lastUpTo(trait.since, place));
      if (wanted !== this.shown[index]) {
        this.shown[index] = wanted;
        states[trait.model] ??= { state: {}, buffers: [] };
        const model = states[trait.model] as States[string];
        model.state[trait.name] = trait.values[wanted];
        model.buffers.push(...(trait.buffers[wanted] ?? []));
      }
    });
    return states;
  }
}

/** What the page lets a replay do. */
export type Page = {
  /** Shows what is set; answers when it is. */
  show: (states: States) => Promise<unknown>;
  /** The place of the tab that is looked at; null where there is none. */
  tab: () => number | null;
  /** Sets traits of the bar. */
  say: (bar: Record<string, unknown>) => void;
  /** Calls once, at the next time that the page is painted, with the milliseconds since some moment. */
  atNextPaint: (act: (now: number) => void) => void;
};

/** Answers the messages of the bar: plays, pauses, and goes to a moment. At first it stands at the end. */
export class PageReplay {
  private readonly differences: Differences;
  private readonly duration: number;
  private position: number;
  private speed: number;
  private isPlaying = false;
  /** Milliseconds at the last paint while it plays; null before the first. */
  private paintedAt: number | null = null;
  private isShowing = false;
  private isStale = false;

  constructor(
    private readonly moments: Moments,
    private readonly page: Page,
    speed: number,
  ) {
    this.differences = new Differences(moments);
    this.duration = moments.positions.at(-1) ?? 0;
    this.position = this.duration;
    this.speed = speed;
  }

  /** Handles a message of the bar; see `ReplayBar`. */
  hear(said: Record<string, unknown>): void {
    if (said.kind === "seek" && typeof said.position === "number") {
      this.goTo(said.position, { answered: said.id });
    } else if (said.kind === "speed" && typeof said.speed === "number") {
      this.speed = said.speed;
      this.page.say({ speed: this.speed });
    } else if (said.kind === "play") {
      this.play(said.on === true);
    }
  }

  /** Shows the moment in the tab that is looked at now. */
  showTab(): void {
    void this.show();
  }

  private play(on: boolean): void {
    if (on === this.isPlaying) {
      return;
    }
    this.isPlaying = on;
    this.paintedAt = null;
    if (on && this.position >= this.duration) {
      this.goTo(0);
    }
    this.page.say({ is_playing: on });
    if (on) {
      this.page.atNextPaint(this.goOn);
    }
  }

  private readonly goOn = (now: number): void => {
    if (!this.isPlaying) {
      return;
    }
    const seconds = this.paintedAt === null ? 0 : (now - this.paintedAt) / 1000;
    this.paintedAt = now;
    this.goTo(this.position + seconds * this.speed);
    if (this.position >= this.duration) {
      this.play(false);
    } else {
      this.page.atNextPaint(this.goOn);
    }
  };

  private goTo(position: number, more: Record<string, unknown> = {}): void {
    this.position = Math.min(this.duration, Math.max(0, position));
    this.page.say({ position: this.position, ...more });
    void this.show();
  }

  /** Shows the last moment up to the position; of calls that come while it does so, only the last one counts. */
  private async show(): Promise<void> {
    this.isStale = true;
    if (this.isShowing) {
      return;
    }
    this.isShowing = true;
    while (this.isStale) {
      this.isStale = false;
      const place = Math.max(0, lastUpTo(this.moments.positions, this.position));
      const states = this.differences.take(place, this.page.tab());
      try {
        if (Object.keys(states).length > 0) {
          await this.page.show(states);
        }
      } catch (error) {
        // One part of one moment is not as it was; what comes after it is shown all the same.
        reportError(error);
      }
    }
    this.isShowing = false;
  }
}
