// What would move under a pointer waits while the pointer is pressed, and for a moment after it has moved: a press means
// what lies under it.

import type { Lifetime } from "./lifetime";

const STILL_MS = 1000;
/** A press whose end is not told, as outside of the window, ends when the pointer moves there again, or after this. */
const UNTOLD_PRESS_ENDS_MS = 60_000;

export class Stillness {
  private until = 0;
  private pointed = "";
  private endWaiting: (() => void) | null = null;

  /**
   * @param target on which a pointer is looked at
   * @param onEnd is called when what was put off can be done
   */
  constructor(
    private readonly lifetime: Lifetime,
    target: EventTarget,
    private readonly onEnd: () => void,
  ) {
    const { signal } = lifetime;
    for (const type of ["pointermove", "pointerdown"]) {
      target.addEventListener(type, (event) => this.hold(event as PointerEvent), { signal });
    }
    target.addEventListener("pointerleave", () => this.end(), { signal });
    for (const type of ["pointerup", "pointercancel"]) {
      // Later, as the click comes after the release.
      window.addEventListener(type, () => lifetime.after(0, () => this.end()), { signal });
    }
  }

  /** Whether to put off what would move; `onEnd` is called later then. */
  isNeeded(): boolean {
    this.endWaiting?.();
    this.endWaiting = null;
    const rest = this.until - performance.now();
    if (rest > 0) {
      this.endWaiting = this.lifetime.after(rest, () => this.end());
    }
    return rest > 0;
  }

  private hold(event: PointerEvent): void {
    const at = `${event.clientX} ${event.clientY}`;
    // A browser reports a move of the pointer, too, when only the page moves under a pointer at rest.
    if (event.type === "pointerdown" || at !== this.pointed) {
      this.pointed = at;
      this.until = performance.now() + (event.buttons === 0 ? STILL_MS : UNTOLD_PRESS_ENDS_MS);
      if (this.endWaiting) {
        this.isNeeded(); // what waits, waits for this
      }
    }
  }

  private end(): void {
    this.until = 0;
    if (this.endWaiting) {
      this.endWaiting();
      this.endWaiting = null;
      this.onEnd();
    }
  }
}
