// The best value so far as a small drawing: steps from trial to trial.

type Step = readonly [trial: number, value: number];

const LARGE_RATIO = 100;

interface Sparkline {
  /** The shape of a path. */
  shape: string;
  /** Where the best value stands. */
  end: { x: number; y: number };
}

/**
 * @param steps trial number and value, each time that the best value improved
 * @param numTrials trials so far: the last level reaches to them
 * @param size of the drawing in pixels, and how much of it stays free at each side
 * @returns null before the first value
 */
export function sparkline(
  steps: readonly Step[],
  numTrials: number,
  size: { width: number; height: number; margin: number },
): Sparkline | null {
  const known = steps.filter(([, value]) => Number.isFinite(value));
  const [first, last] = [known[0], known.at(-1)];
  if (first === undefined || last === undefined) {
    return null;
  }
  const { width, height, margin } = size;
  const level = levels(known.map(([, value]) => value));
  const most = Math.max(numTrials - 1, last[0]);
  const x = (trial: number): number =>
    round(margin + (width - 2 * margin) * (most > 0 ? trial / most : 1));
  // The first value and the best at opposite edges, whichever of them is larger.
  const [from, to] = [level(first[1]), level(last[1])];
  const isDown = first[1] >= last[1];
  const share = (value: number): number =>
    from === to ? 0.5 : (level(value) - from) / (to - from);
  const y = (value: number): number =>
    round(margin + (height - 2 * margin) * (isDown ? share(value) : 1 - share(value)));
  const moves = known.map(([trial, value], index) =>
    index === 0 ? `M${x(trial)} ${y(value)}` : `H${x(trial)}V${y(value)}`,
  );
  return { shape: `${moves.join("")}H${x(most)}`, end: { x: x(most), y: y(last[1]) } };
}

/** On a logarithmic scale where values are positive and far apart. */
function levels(values: readonly number[]): (value: number) => number {
  const [least, most] = [Math.min(...values), Math.max(...values)];
  return least > 0 && most / least > LARGE_RATIO ? Math.log : (value) => value;
}

function round(value: number): number {
  return Math.round(value * 10) / 10;
}
