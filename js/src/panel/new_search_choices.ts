// What a person has set in the form for a new search, source by source: a source is proposed again with another
// signature, or after a restart of the kernel.

import { asSet, type Row } from "./new_search_row";

export type SourceKind = "function" | "script" | "task";
export type Source = { kind: SourceKind; text: string };

/** What a person has set of a source. */
type Chosen<View> = {
  /** The rows that were changed, by name. */
  rows: Map<string, Row>;
  added: View[];
  goal: string | null;
};

/** `View` is what shows a row that a person has added. */
export class Choices<View extends { readonly row: Row }> {
  /** By kind and text of the source. */
  private readonly ofSources = new Map<string, Chosen<View>>();
  /** The goal that was set while there was no source. */
  private goalOfNone: string | null = null;
  /** What is set of the source that is shown. */
  present: Chosen<View> = nothingChosen();

  /**
   * Turns to what was set of a source. What was set while there was none is set of the first one.
   *
   * @param meant the function that is shown again as soon as it is there: a restart takes it away for a while
   */
  turnTo({ kind, text }: Source, meant: string): void {
    const named = kind === "function" && !text ? meant : text;
    const key = JSON.stringify([kind, named]);
    const known = this.ofSources.get(key);
    const isOfNone = ![...this.ofSources.values()].includes(this.present);
    this.present = known ?? (isOfNone ? this.present : nothingChosen());
    if (named) {
      this.ofSources.set(key, this.present);
    }
    if (text) {
      if (!known) {
        this.present.goal ??= this.goalOfNone;
      }
      this.goalOfNone = null;
    }
  }

  setGoal(goal: string, { text }: Source): void {
    this.present.goal = goal;
    if (!text) {
      this.goalOfNone = goal;
    }
  }

  /** Returns the rows that are proposed as they are set: by a row, too, that was added before its name was proposed. */
  settle(proposed: readonly Row[]): Row[] {
    const { present } = this;
    const names = new Set(proposed.map(({ name }) => name));
    for (const { row } of present.added) {
      if (names.has(row.name) && (row.low || row.high || row.choices)) {
        present.rows.set(row.name, row);
      }
    }
    present.added = present.added.filter(({ row }) => !names.has(row.name));
    return proposed.map((row) => asSet(row, present.rows.get(row.name)));
  }
}

function nothingChosen<View>(): Chosen<View> {
  return { rows: new Map(), added: [], goal: null };
}
