// Weights of the bins of a prior, from 0 to 1, and where the bins are.

/** How bins lie on the strip: side by side, as of a curve or of columns, or each round its step, the ends at both ends. */
export type Layout = "curve" | "steps" | "columns";

/** What a pointer is at: shares of the width, and of the height from below. */
export interface Place {
  across: number;
  up: number;
}

const FLOOR = 0.01;
/** What a key does to a bin of a curve, and to those beside it. */
const BRUSH = [1, 0.6, 0.2];
const LEAST = 1e-3;

/** The share of the width at which the middle of a bin is. */
export function middle(index: number, count: number, layout: Layout): number {
  return layout === "steps" ? index / (count - 1) : (index + 0.5) / count;
}

/** The bin at a share of the width. */
export function binAt(across: number, count: number, layout: Layout): number {
  const bin = layout === "steps" ? Math.round(across * (count - 1)) : Math.floor(across * count);
  return Math.min(count - 1, Math.max(0, bin));
}

/** The weights after a pointer has gone straight from one place to another: it sets each bin on its way. */
export function drawn(
  weights: readonly number[],
  from: Place,
  to: Place,
  layout: Layout,
): number[] {
  const count = weights.length;
  const [first, last] = [binAt(from.across, count, layout), binAt(to.across, count, layout)];
  const after = [...weights];
  const direction = Math.sign(last - first);
  for (let index = first; index !== last; index += direction) {
    const way = (middle(index, count, layout) - from.across) / (to.across - from.across);
    after[index] = between(from.up + (to.up - from.up) * Math.min(1, Math.max(0, way)));
  }
  after[last] = between(to.up);
  return after;
}

/** The weights after a key has raised a bin, or lowered it; those beside it follow in a curve. */
export function raised(
  weights: readonly number[],
  index: number,
  by: number,
  layout: Layout,
): number[] {
  const brush = layout === "curve" ? BRUSH : [1];
  return weights.map((weight, other) => {
    const share = brush[Math.abs(other - index)] ?? 0;
    return share === 0 ? weight : between(rounded(weight + share * by));
  });
}

/** What still counts of weights, raised to a power; the greatest stays as high as it is. */
export function faded(weights: readonly number[], exponent: number): number[] {
  const most = Math.max(...weights, FLOOR);
  return weights.map((weight) => most * Math.max(FLOOR, weight / most) ** exponent);
}

/** A weight to three decimals, which are more than anybody can draw. */
export function rounded(weight: number): number {
  return Math.round(1000 * weight) / 1000;
}

/** Whether two lists of weights say the same: only the shape counts. */
export function isSameShape(some: readonly number[], others: readonly number[]): boolean {
  const [most, mostOther] = [Math.max(...some, FLOOR), Math.max(...others, FLOOR)];
  return (
    some.length === others.length &&
    some.every((weight, index) => {
      const other = Math.max(FLOOR, (others[index] as number) / mostOther);
      return Math.abs(Math.max(FLOOR, weight / most) - other) <= LEAST;
    })
  );
}

function between(weight: number): number {
  return Math.min(1, Math.max(0, weight));
}
