// What all views have in common: one is painted when its model changes, keeps its keys, and ends what it has begun.

import type { AnyModel, Render } from "@anywidget/types";
import { silenceAround } from "./connection";
import { keepKeys } from "./dom";
import { initialize } from "./late_model";
import { Lifetime } from "./lifetime";

export interface ViewContext<Model extends Record<string, unknown>> {
  model: AnyModel<Model>;
  /** Where the view puts what it makes. */
  el: HTMLElement;
  lifetime: Lifetime;
}

/**
 * The module of a view, as anywidget takes it.
 *
 * @param make puts a view on the page, and gives what paints it: called at once, and after every change of the model
 */
export function view<Model extends Record<string, unknown>>(
  make: (context: ViewContext<Model>) => () => void,
) {
  const render: Render<Model> = ({ model, el }) => {
    const lifetime = new Lifetime();
    const paint = make({ model, el, lifetime });
    keepKeys(el, lifetime.signal);
    lifetime.paintOnChange(model, paint, silenceAround(el));
    return lifetime.end;
  };
  return { initialize, render };
}
