// What is read out to those who do not see it. Of many sentences in a row only the last is, after a while.

import { element } from "./dom";
import type { Lifetime } from "./lifetime";

const ANNOUNCE_EVERY = 5000;

export class Announcer {
  readonly root: HTMLElement = element("div", "hpo-hidden", { "aria-live": "polite" });
  private announced = -ANNOUNCE_EVERY;
  private isPending = false;

  /**
   * @param lifetime of the view: a removed one announces nothing more
   * @param sentence gives what is true when it is read out
   */
  constructor(
    private readonly lifetime: Lifetime,
    private readonly sentence: () => string,
  ) {}

  /** Has the sentence read out: at once, unless another was shortly before. */
  announce(): void {
    if (this.isPending) {
      return;
    }
    this.isPending = true;
    this.lifetime.after(Math.max(0, this.announced + ANNOUNCE_EVERY - performance.now()), () => {
      this.isPending = false;
      this.announced = performance.now();
      // A sentence that is there already is only read out as a new text.
      this.root.replaceChildren(this.sentence());
    });
  }
}
