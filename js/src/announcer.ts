// What is read out to those who do not see it. Of many sentences in a row only the last is, after a while.

import { element, setText } from "./dom";

const ANNOUNCE_EVERY = 5000;

export class Announcer {
  readonly root: HTMLElement = element("div", "hpo-hidden", { "aria-live": "polite" });
  private announced = -ANNOUNCE_EVERY;
  private timer: number | undefined;

  /**
   * @param sentence gives what is true when it is read out
   */
  constructor(private readonly sentence: () => string) {}

  /** Has the sentence read out: at once, unless another was shortly before. */
  announce(): void {
    this.timer ??= window.setTimeout(
      () => {
        this.timer = undefined;
        this.announced = performance.now();
        setText(this.root, this.sentence());
      },
      this.announced + ANNOUNCE_EVERY - performance.now(),
    );
  }

  close(): void {
    window.clearTimeout(this.timer);
  }
}
