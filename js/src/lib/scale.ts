// Where a value sits on its track, and which values a handle may take. Everything speaks values,
// never exponents.

type NumericKind = "float" | "log" | "int";

export interface NumericSpec {
  name: string;
  label: string;
  /** With what it is part of a point; empty: always. */
  needs: string;
  /** Whether no point has it now, as the ranges exclude what it comes with. */
  is_unused?: boolean;
  kind: NumericKind;
  /** The range that was declared; another one may reach beyond it. */
  declared: [number, number];
  /** Ends of the track. */
  low: number;
  high: number;
  /** Hard bounds that no range may pass; null where there is none. */
  limit_low: number | null;
  limit_high: number | null;
  /** Distance of allowed values, in exponents of `base` for a logarithmic parameter; null: any. */
  step: number | null;
  /** The value from which steps count. */
  origin: number;
  base: number;
  /** Bins of the track in which a prior is drawn; as many as there are steps, where these are few. */
  bins: number;
}

export type Bounds = readonly [number, number];

/** An end of a range, as its place in `Bounds`. */
export type Ending = 0 | 1;
export const ENDS = ["lower", "upper"] as const;

/** Least distance of two handles on a track without steps, as a share of the track. */
const LEAST_GAP = 0.002;
/** Steps closer than this on a track of the panel's width run into each other. */
const MOST_STEPS = 40;
const NOISE = 1e-9;
/** Significant digits of a number that are surely right after some binary arithmetic. */
const DIGITS = 12;
/** Handles move in steps of this share of the track by arrow keys. */
const KEY_SHARE = 0.01;

export class Scale {
  constructor(readonly spec: NumericSpec) {}

  private forward(value: number): number {
    return this.spec.kind === "log" ? Math.log10(Math.max(value, Number.MIN_VALUE)) : value;
  }

  private backward(place: number): number {
    return this.spec.kind === "log" ? 10 ** place : place;
  }

  /** Share of the track, 0 at its low end and 1 at its high end. */
  fraction(value: number): number {
    // Halved first: the width of a track may overflow a number.
    const low = this.forward(this.spec.low) / 2;
    const high = this.forward(this.spec.high) / 2;
    const share = high > low ? (this.forward(value) / 2 - low) / (high - low) : 0.5;
    return Math.min(1, Math.max(0, share));
  }

  private at(fraction: number): number {
    const low = this.forward(this.spec.low);
    const high = this.forward(this.spec.high);
    const span = high - low;
    return this.backward(
      Number.isFinite(span) ? low + fraction * span : low * (1 - fraction) + high * fraction,
    );
  }

  /** The value at a share of the track, with as many digits as a part of `count` equal ones deserves. */
  near(fraction: number, count: number): number {
    const value = this.at(fraction);
    return this.snap(round(value, Math.abs(this.at(fraction + 0.5 / count) - value)));
  }

  /**
   * Shares of the track at which a range has values, each; null where they are too many to tell
   * apart or where there are no steps.
   */
  steps(bounds: Bounds): number[] | null {
    const { kind, step, base, origin } = this.spec;
    const distance = step ?? (kind === "int" ? 1 : null);
    if (distance === null) {
      return null;
    }
    const [first, last] = bounds.map((bound) =>
      kind === "log"
        ? Math.log(bound / origin) / Math.log(base) / distance
        : (bound - origin) / distance,
    ) as [number, number];
    const count = Math.floor(last + NOISE) - Math.ceil(first - NOISE) + 1;
    if (!(count <= MOST_STEPS)) {
      return null;
    }
    return Array.from({ length: Math.max(0, count) }, (_, index) => {
      const position = (Math.ceil(first - NOISE) + index) * distance;
      return this.fraction(kind === "log" ? origin * base ** position : origin + position);
    });
  }

  /** The allowed value nearest to a place on the track, rounded to what the eye can tell apart. */
  value(fraction: number): number {
    if (fraction <= 0) {
      return this.spec.low;
    }
    if (fraction >= 1) {
      return this.spec.high;
    }
    const raw = this.at(fraction);
    const next = this.at(Math.min(1, fraction + LEAST_GAP));
    return this.snap(round(raw, Math.abs(next - raw)));
  }

  /** The allowed value nearest to `value`, within the track. */
  snap(value: number): number {
    const { low, high } = this.spec;
    if (value <= low || value >= high) {
      // The ends of the track can be had even where they lie off the steps.
      return value <= low ? low : high;
    }
    return Math.min(high, Math.max(low, this.onStep(value)));
  }

  /** The step nearest to `value`; without steps `value`. */
  private onStep(value: number): number {
    const { kind, step, base, origin } = this.spec;
    if (kind === "log" && step !== null) {
      const steps = Math.round(Math.log(value / origin) / Math.log(base) / step);
      return tidy(origin * base ** (steps * step));
    }
    if (step !== null) {
      return this.tidied(origin + Math.round((value - origin) / step) * step);
    }
    return kind === "int" ? Math.round(value) : value;
  }

  /** As `tidy`, but for whole numbers, which are exact, however many digits they have. */
  private tidied(value: number): number {
    return this.spec.kind === "int" ? value : tidy(value);
  }

  /** The value `count` key steps away. */
  moved(value: number, count: number): number {
    const { kind, step, base } = this.spec;
    const distance = step ?? (kind === "int" ? 1 : null);
    if (distance === null) {
      return this.value(this.fraction(value) + count * KEY_SHARE);
    }
    const nearest = this.onStep(value);
    const way = Math.sign(count);
    // From an end of the track that is off the steps, the step on the way, however near, is where the first key leads.
    const isFirst = way * (this.tidied(nearest) - this.tidied(value)) > 0;
    const rest = (isFirst ? count - way : count) * distance;
    return this.snap(kind === "log" ? nearest * base ** rest : nearest + rest);
  }

  /** Whether a range may be a single value: where there are steps it holds one then. */
  get mayBeSingle(): boolean {
    return this.spec.step !== null;
  }

  /** `bounds` with handle `index` at `value`, kept on its side of the other handle. */
  placed(bounds: Bounds, index: Ending, value: number): Bounds {
    const other = bounds[1 - index] as number;
    const sign = index === 0 ? -1 : 1;
    const gap = this.mayBeSingle ? other : this.value(this.fraction(other) + sign * LEAST_GAP);
    // Ends that are nearer already, as typed, stay so: a handle goes nowhere but towards `value`.
    const nearest = sign * Math.min(sign * gap, sign * bounds[index]);
    const kept = sign * (value - nearest) < 0 ? nearest : value;
    if (kept === other && !this.mayBeSingle) {
      return bounds;
    }
    return index === 0 ? [kept, other] : [other, kept];
  }
}

/** `value` with as many decimals as a resolution of `quantum` deserves. */
function round(value: number, quantum: number): number {
  if (!(quantum > 0)) {
    return value;
  }
  const unit = 10 ** Math.floor(Math.log10(quantum));
  const count = Math.round(value / unit);
  // Where a track is narrow and far from zero, more digits than those are meant.
  return Math.abs(count) < 10 ** DIGITS ? tidy(count * unit) : count * unit;
}

/** Without the last bits of binary arithmetic: 0.30000000000000004 is 0.3. */
function tidy(value: number): number {
  return Number(value.toPrecision(DIGITS));
}

/** At most four significant digits, scientific where plain digits would be long. */
export function format(value: number): string {
  const size = Math.abs(value);
  if (Number.isInteger(value) && size < 1e6) {
    return String(value);
  }
  const short = Number(value.toPrecision(4));
  return size < 1e-3 || size >= 1e6 ? short.toExponential() : String(short);
}

/** A number in plain digits, never in scientific notation, which is not a number to a screen reader. */
export function plain(value: number): string {
  const [digits = "", power] = String(value).split("e");
  if (power === undefined) {
    return digits;
  }
  const sign = digits.startsWith("-") ? "-" : "";
  const [whole = "", decimals = ""] = digits.replace("-", "").split(".");
  const all = whole + decimals;
  const place = whole.length + Number(power);
  if (place <= 0) {
    return `${sign}0.${"0".repeat(-place)}${all}`;
  }
  return (
    sign +
    (place >= all.length ? all.padEnd(place, "0") : `${all.slice(0, place)}.${all.slice(place)}`)
  );
}

/** The number that a person typed, or null when it is none. */
export function parse(text: string): number | null {
  const trimmed = text.trim();
  // Digits as people write them: not "0x10", "1_000" or "Infinity".
  const value = /^[-+]?(\d+\.?\d*|\.\d+)(e[-+]?\d+)?$/i.test(trimmed)
    ? Number(trimmed)
    : Number.NaN;
  return Number.isFinite(value) ? value : null;
}
