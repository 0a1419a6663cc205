// What a person has changed of a range. The rest is left to the kernel, which may know better by then.

import { type Bounds, ENDS } from "./scale";

/** `[low, high]` in values, or the indices of the allowed choices. */
export type Range = readonly number[];

/** What was brushed in a plot: a range, and what it says in words. */
export interface Preview {
  range: Range;
  words: string;
}

/** `lower` or `upper` to the bound of an end that was moved; or the index of a choice to whether it is allowed. */
export type RangeChange = { readonly [part: string]: number | boolean };

/** What has to be changed of `before` to make it `after`. */
export function movedEnds(before: Bounds, after: Bounds): RangeChange {
  const moved = ENDS.map((end, place) => [end, after[place] as number] as const);
  return Object.fromEntries(moved.filter(([, bound], place) => bound !== before[place]));
}

/** A range of numbers with what was changed of it. */
export function withEnds(range: Range, change: RangeChange): Bounds {
  const [low, high] = ENDS.map((end, place) => change[end] ?? range[place]);
  return [low as number, high as number];
}

/** The indices of the allowed choices with what was changed of them. */
export function withChoices(allowed: Range, change: RangeChange): number[] {
  const kept = new Set(allowed);
  for (const [index, isAllowed] of Object.entries(change)) {
    if (isAllowed) {
      kept.add(Number(index));
    } else {
      kept.delete(Number(index));
    }
  }
  return [...kept].sort((a, b) => a - b);
}
