// Where a key leads on a scrubber. A browser's own steps are those of numbers, one second of an hour or of a week.

const STEP = 0.01;
const LEAP = 0.1;

/** Steps of the whole, by key. */
const STEPS: Readonly<Record<string, number>> = {
  ArrowRight: STEP,
  ArrowUp: STEP,
  ArrowLeft: -STEP,
  ArrowDown: -STEP,
  PageUp: LEAP,
  PageDown: -LEAP,
};

/** Returns the place that a key leads to, from 0 to `whole`; null for one that leads nowhere. */
export function positionAfter(key: string, position: number, whole: number): number | null {
  if (key === "Home") {
    return 0;
  }
  if (key === "End") {
    return whole;
  }
  const step = STEPS[key];
  return step === undefined ? null : Math.min(whole, Math.max(0, position + step * whole));
}
