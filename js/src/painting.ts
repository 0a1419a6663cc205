// When a view paints again: after traits that it shows have changed.

import type { AnyModel } from "@anywidget/types";

/** Something that paints once for all that calls it in a row: one update of the kernel changes several traits. */
export function onceInARow(paint: () => void): () => void {
  let isScheduled = false;
  return () => {
    if (!isScheduled) {
      isScheduled = true;
      queueMicrotask(() => {
        isScheduled = false;
        paint();
      });
    }
  };
}

/** Calls `paint` when one of the traits has changed, until what is returned is called. */
export function onChange<Model extends Record<string, unknown>>(
  model: AnyModel<Model>,
  traits: readonly (keyof Model & string)[],
  paint: () => void,
): () => void {
  for (const trait of traits) {
    model.on(`change:${trait}`, paint);
  }
  return () => {
    for (const trait of traits) {
      model.off(`change:${trait}`, paint);
    }
  };
}
