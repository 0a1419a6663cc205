// Gives figures of bqplot a role and a name, which they lack, fits the text of their axes, says whether the button for
// selecting is pressed, and tells the kernel the sizes of figures and the clicks on them.

import type { AnyModel } from "@anywidget/types";
import { axisFitter } from "./axis_text";
import { isRepeatedClick } from "./dom";
import type { Lifetime } from "./lifetime";
import { whenInPanel } from "./panel";

/** What the figure that fills a tab, and one of several, are found by. */
const FIGURES = {
  plot: ".hpo-plot-host > .bqplot",
  slices: ".hpo-slices-grid > .bqplot",
} as const;
const REST_MS = 300;
/** Milliseconds after a press for which the pressed figure of the slices is kept in view while its neighbours move. */
const HELD_MS = 5000;
/** Sizes are rounded to so many pixels, so that a panel that is dragged wider sends few messages. */
const STEP = 8;

/** The last thing that a figure needs to be named. */
const TITLE = ".mainheading";

type Sizes = Partial<Record<keyof typeof FIGURES, [number, number]>>;

function hasTitle(node: Node): boolean {
  return node instanceof Element && (node.matches(TITLE) || node.querySelector(TITLE) !== null);
}

/** Names the list of tabs, and ties what each tab shows to it, which ipywidgets does not. */
function nameTabs(root: Element): void {
  const tabs = root.querySelectorAll(".hpo-tabs-host > .lm-TabBar [role=tab]");
  root.querySelector(".hpo-tabs-host [role=tablist]")?.setAttribute("aria-label", "Plots");
  for (const [index, panel] of root.querySelectorAll(".widget-tab-contents > .hpo-tab").entries()) {
    panel.setAttribute("role", "tabpanel");
    panel.setAttribute("aria-labelledby", tabs[index]?.id ?? "");
  }
}

/**
 * Follows the figures of the widget that a view is part of, as long as the view lives.
 *
 * @param node a node of the view
 * @param selector finds the widget, once the view is on the page
 * @returns what is to be called after the page has been drawn again
 */
export function followPlots(
  model: unknown,
  lifetime: Lifetime,
  node: HTMLElement,
  selector: string,
): () => void {
  const findRoot = (): Element | null => node.closest(selector);
  const told = model as AnyModel<{ plot_sizes: Sizes }>;
  // The click messages of bqplot do not tell which keys were held. So the keys are sent before the click reaches its
  // mark, in a message, as the change of a trait may wait for an answer.
  const figureOf = (target: EventTarget | null): Element | null => {
    const figure = (target as Element | null)?.closest?.(".bqplot");
    return figure && findRoot()?.contains(figure) ? figure : null;
  };
  const adds = (event: MouseEvent): boolean => event.shiftKey || event.ctrlKey || event.metaKey;
  // A brush receives all clicks, and bqplot does not report where they were. The images below the brush do report it:
  // the first image for clicks, the second one for double clicks.
  const passOn = (event: MouseEvent, figure: Element | null, picture: number): void => {
    figure
      ?.closest(".hpo-parallel-host .bqplot")
      ?.querySelectorAll("image")
      [picture]?.dispatchEvent(new MouseEvent("click", event));
  };
  /** The figure on which the last press began, or the first one of a double click. */
  let pressed: Element | null = null;
  let pressedAt: MouseEvent | null = null;
  document.addEventListener(
    "click",
    (event) => {
      const figure = figureOf(event.target);
      if (!event.isTrusted) {
        return;
      }
      if (!isRepeatedClick(event)) {
        if (figure) {
          told.send({ kind: "click_on_figure", adds: adds(event) });
        }
      } else if (pressed || figure) {
        // The first click may have opened the details, which move everything: this one is not meant for its target.
        event.preventDefault();
        event.stopPropagation();
        if (event.detail === 2) {
          passOn(event, pressed, 1);
        }
      }
    },
    { capture: true, signal: lifetime.signal },
  );
  document.addEventListener(
    "mousedown",
    (event) => {
      const figure = figureOf(event.target);
      if (!isRepeatedClick(event)) {
        pressed = figure;
        pressedAt = event;
      }
      if (adds(event) && figure) {
        // With such a key, the browser would select the text between here and the last click.
        event.preventDefault();
      }
    },
    { capture: true, signal: lifetime.signal },
  );
  // Of the window, before the brush, which listens there from its press on.
  window.addEventListener(
    "mouseup",
    ({ isTrusted, clientX, clientY }) => {
      const isStraight = pressedAt?.clientX === clientX && pressedAt.clientY !== clientY;
      if (isTrusted && isStraight && pressed?.closest(".hpo-parallel-host")) {
        // A brush without a width is none to bqplot, but along an axis a steady hand draws one.
        const move = { view: window, clientX: clientX + 1, clientY };
        window.dispatchEvent(new MouseEvent("mousemove", move));
      }
    },
    { capture: true, signal: lifetime.signal },
  );
  let cancel = (): void => {};

  const tellSizes = (): void => {
    const sizes: Sizes = { ...told.get("plot_sizes") };
    for (const [plot, selector] of Object.entries(FIGURES)) {
      const all = [...(findRoot()?.querySelectorAll<HTMLElement>(selector) ?? [])];
      const figure = all.find((one) => !one.closest(".lm-mod-hidden"));
      if (figure && figure.clientWidth > 0 && figure.clientHeight > 0) {
        const [width, height] = [figure.clientWidth, figure.clientHeight];
        sizes[plot as keyof Sizes] = [
          STEP * Math.round(width / STEP),
          STEP * Math.round(height / STEP),
        ];
      }
    }
    if (JSON.stringify(sizes) !== JSON.stringify(told.get("plot_sizes"))) {
      told.set("plot_sizes", sizes);
      told.save_changes();
    }
  };
  let held: Element | null = null;
  let letGo = (): void => {};
  document.addEventListener(
    "pointerdown",
    ({ target }) => {
      held = (target as Element).closest(FIGURES.slices);
      letGo();
      letGo = lifetime.after(HELD_MS, () => {
        held = null;
      });
    },
    { capture: true, passive: true, signal: lifetime.signal },
  );
  document.addEventListener(
    "click",
    (event) => {
      if (event.isTrusted) {
        passOn(event, figureOf(event.target), 0);
      }
    },
    { signal: lifetime.signal },
  );
  const fitAxes = axisFitter(lifetime);
  const resized = new ResizeObserver(() => {
    // Details that open beside it leave room for fewer figures in a row.
    held?.scrollIntoView({ block: "nearest" });
    cancel();
    cancel = lifetime.after(REST_MS, tellSizes);
  });
  lifetime.atEnd(() => resized.disconnect());

  const nameFigures = (root: Element): void => {
    const slices = root.querySelector<HTMLElement>(".hpo-slices-host");
    if (slices && slices.tabIndex < 0) {
      // What scrolls can be reached, and so scrolled, by keyboard.
      slices.tabIndex = 0;
      slices.setAttribute("role", "group");
      slices.setAttribute("aria-label", "Slices");
    }
    nameTabs(root);
    for (const button of root.querySelectorAll<HTMLElement>(".hpo-plot-controls button[title]")) {
      // A sign is no name: what it does is only in its title.
      if (/^\P{L}+$/u.test(button.textContent ?? "")) {
        button.setAttribute("aria-label", button.title);
      }
    }
    for (const toggle of root.querySelectorAll(".hpo-select:not([aria-pressed])")) {
      // ipywidgets shows whether it is pressed, but does not tell it.
      const tell = (): void =>
        toggle.setAttribute("aria-pressed", String(toggle.classList.contains("mod-active")));
      const turned = new MutationObserver(tell);
      turned.observe(toggle, { attributeFilter: ["class"] });
      lifetime.atEnd(() => turned.disconnect());
      tell();
    }
    for (const figure of root.querySelectorAll<HTMLElement>(".bqplot:not([aria-label])")) {
      // The title of the figure is part of the page, but not drawn.
      const title = figure.querySelector(TITLE)?.textContent;
      if (title) {
        figure.setAttribute("role", "img");
        figure.setAttribute("aria-label", title);
        resized.observe(figure);
        fitAxes(figure);
        // When a tab is shown, the height of this host changes, but not the size of its figures.
        const host = figure.closest(".hpo-plot-host, .hpo-slices-host");
        if (host) {
          resized.observe(host);
        }
      }
    }
  };

  let followed: Element | null = null;
  const changed = new MutationObserver((records) => {
    for (const { target } of records) {
      // A figure that is given another title, as that of the importance with another objective.
      if (target instanceof Element && target.matches(TITLE) && target.textContent) {
        target.closest(".bqplot[aria-label]")?.setAttribute("aria-label", target.textContent);
      }
    }
    if (followed && records.some(({ addedNodes }) => [...addedNodes].some(hasTitle))) {
      nameFigures(followed);
    }
  });
  lifetime.atEnd(() => changed.disconnect());
  // The figures of a tab come when it is first shown, and in their own time.
  const follow = (root: Element): void => {
    if (root !== followed) {
      changed.disconnect();
      changed.observe(root, { childList: true, subtree: true });
      followed = root;
    }
    nameFigures(root);
  };
  whenInPanel(node, lifetime, follow, selector);

  return () => {
    const root = findRoot();
    if (root) {
      follow(root);
    }
  };
}
