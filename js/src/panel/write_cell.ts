// Writes a cell that a person can read and keep.

import type { JupyterFrontEnd } from "@jupyterlab/application";
import type { OpenNotebook } from "./open_notebooks";

/** What is needed of a notebook, which the document registry knows as a document only. */
type Content = {
  activeCellIndex: number;
  deselectAll?: () => void;
  scrollToItem?: (index: number, align?: string) => Promise<void>;
};
type Shared = {
  cells: { readonly cell_type: string; source: string; setSource(text: string): void }[];
  insertCell(index: number, cell: { cell_type: "code"; source: string; metadata: object }): unknown;
};

/**
 * Writes a code cell below the active one, into the only cell of a notebook that is empty, and makes it the active one.
 *
 * @param run whether it is run
 * @returns once it is written: when it has run, which it may wait for as long as another cell runs
 */
export async function writeCell(
  { commands, shell }: JupyterFrontEnd,
  { panel, context }: OpenNotebook,
  text: string,
  run: boolean,
): Promise<{ readonly ran: Promise<unknown> }> {
  const content = panel.content as unknown as Content;
  const shared = context.model.sharedModel as unknown as Shared;
  const only = shared.cells.length === 1 ? shared.cells[0] : undefined;
  let place = 0;
  if (only && only.cell_type === "code" && only.source.trim() === "") {
    only.setSource(text);
  } else {
    const last = shared.cells.length - 1;
    place = (content.activeCellIndex < 0 ? last : Math.min(content.activeCellIndex, last)) + 1;
    shared.insertCell(place, { cell_type: "code", source: text, metadata: {} });
  }
  shell.activateById(panel.id);
  content.deselectAll?.();
  content.activeCellIndex = place;
  // It may be far away, where the notebook has drawn nothing yet.
  await content.scrollToItem?.(place, "smart").catch(() => undefined);
  return { ran: run ? commands.execute("notebook:run-cell") : Promise.resolve() };
}
