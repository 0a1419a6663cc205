// What the form of a filter asks for: pure, without a page.

/** One condition of the filter, as the kernel tells it. */
export interface Chip {
  condition: string;
  /** Of an interval: the parameter or objective. */
  name: string;
  text: string;
  value: unknown;
}

/** A parameter or objective that an interval may be on. */
export interface Named {
  name: string;
  label: string;
  choices: string[] | null;
}

/** What the form has fields for. */
export type Fields =
  | { kind: "none" }
  | { kind: "number"; text: string }
  | {
      kind: "boxes";
      labels: readonly string[];
      values: readonly (string | number)[];
      checked: (string | number)[];
    }
  | { kind: "bounds"; texts: [string, string] };

const WITHIN = "within:";

/** The choices of the form's list: the key of each and its label. */
export function topics(
  names: readonly Named[],
  tags: readonly string[],
  chips: readonly Chip[],
): { key: string; label: string }[] {
  return [
    { key: "top_k", label: "top trials" },
    { key: "states", label: "state" },
    { key: "epochs", label: "space version" },
    { key: "inside", label: "in range" },
    ...(offeredTags(tags, chips).length > 0 ? [{ key: "tags", label: "tag" }] : []),
    ...names.map(({ name, label }) => ({ key: WITHIN + name, label })),
  ];
}

/** The condition and the name that a key of the list stands for. */
export function conditionOf(key: string): { condition: string; name: string } {
  return key.startsWith(WITHIN)
    ? { condition: "within", name: key.slice(WITHIN.length) }
    : { condition: key, name: "" };
}

/** The key of the list that a chip belongs to. */
export function keyOf({ condition, name }: Pick<Chip, "condition" | "name">): string {
  return condition === "within" ? WITHIN + name : condition;
}

/** The fields for a key of the list, with what a chip of it says already. */
export function fieldsOf(
  key: string,
  names: readonly Named[],
  states: readonly string[],
  tags: readonly string[],
  numEpochs: number,
  chips: readonly Chip[],
): Fields {
  const value = chips.find((chip) => keyOf(chip) === key)?.value;
  const list = Array.isArray(value) ? value : [];
  const boxes = (labels: readonly string[], values: readonly (string | number)[]): Fields => ({
    kind: "boxes",
    labels,
    values,
    checked: list,
  });
  switch (key) {
    case "top_k":
      return { kind: "number", text: value === undefined ? "10" : String(value) };
    case "states":
      return boxes(states, states);
    case "tags": {
      const offered = offeredTags(tags, chips);
      return boxes(offered, offered);
    }
    case "epochs": {
      const numbers = [...Array(numEpochs).keys()];
      return boxes(
        numbers.map((number) => String(number + 1)),
        numbers,
      );
    }
    case "inside":
      return { kind: "none" };
    default: {
      const choices = names.find(({ name }) => WITHIN + name === key)?.choices;
      if (choices) {
        return boxes(choices, [...choices.keys()]);
      }
      const [low, high] = list as (number | null | undefined)[];
      return {
        kind: "bounds",
        texts: [low, high].map((one) => (one == null ? "" : String(one))) as [string, string],
      };
    }
  }
}

/** The tags that trials have, and those that are asked for, which no trial may have any more. */
function offeredTags(tags: readonly string[], chips: readonly Chip[]): string[] {
  const chosen = chips.find(({ condition }) => condition === "tags")?.value;
  return [...new Set<string>([...tags, ...(Array.isArray(chosen) ? chosen : [])])];
}

/** How many trials are left, in words. */
export function leftInWords(left: readonly number[]): string {
  return left.length === 2 ? `${left[0]} of ${left[1]} left` : "";
}
