// The searches that are kept in the folders of the open notebooks, as the server reads them from their journals.

import { pythonText } from "../lib/python_text";
import { type Entry, type Journal, journalEntry } from "./entries";

/** What a server tells of the searches of a folder. */
export interface Found {
  searches: readonly Record<string, unknown>[];
  /** How many older journals it has left off; another version of the package does not tell. */
  left_off?: number;
}

/** Asks the server for the searches of a folder; null where it cannot tell. */
export type ReadFolder = (folder: string) => Promise<Found | null>;

/** The cell that opens the search of a journal. All of it that comes from a file is the text of one literal. */
export function openingCell({ opens }: Journal): string {
  return `from hpo_widgets import OptimizerWidget\n\nOptimizerWidget.open(${pythonText(opens)})`;
}

export class Journals {
  private found: Entry[] = [];
  private turn = 0;
  /** Whether the server could not be asked: it may run without the extension of this package. */
  isUnknown = false;
  /** How many older journals are not among the entries. */
  leftOff = 0;

  /**
   * @param read asks for one folder
   * @param changed is called when there is an answer
   */
  constructor(
    private readonly read: ReadFolder,
    private readonly changed: () => void,
  ) {}

  get entries(): readonly Entry[] {
    return this.found;
  }

  /** Asks for these folders; of several questions in a row only the last is answered. */
  async refresh(folders: readonly string[]): Promise<void> {
    this.turn += 1;
    const turn = this.turn;
    const asked = [...new Set(folders)];
    const answers = await Promise.all(asked.map(this.read));
    if (turn !== this.turn) {
      return;
    }
    this.isUnknown = answers.some((answer) => answer === null);
    this.leftOff = answers.reduce((sum, answer) => sum + (answer?.left_off ?? 0), 0);
    this.found = answers.flatMap((answer, place) =>
      (answer?.searches ?? []).map((found) => journalEntry(found, asked[place] ?? "")),
    );
    this.changed();
  }
}
