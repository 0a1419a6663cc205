// A button that shows the search as Python, below the controls, with another that copies it.

import type { Render } from "@anywidget/types";
import "./code.css";
import { copyText, element, isDisabled, setAttribute, setReason, setText } from "../lib/dom";
import { initialize } from "../lib/late_model";
import { Lifetime } from "../lib/lifetime";

type Model = {
  shown: boolean;
  code: string;
  /** Why there is no code for this search. */
  why_not: string | null;
};

const MEANING = "Show this search as Python: the constructor call for the controls as they are now";

const render: Render<Model> = ({ model, el }) => {
  const root = element("div", "hpo-part hpo-code-root");
  const toggle = element("button", "hpo-code-button", { type: "button" });
  const symbol = element("span", "", { "aria-hidden": "true" });
  setText(symbol, "</>");
  toggle.append(symbol, " Code");

  const box = element("section", "hpo-code", { "aria-label": "The search as Python" });
  const bar = element("div", "hpo-code-bar");
  const copy = element("button", "", { type: "button" });
  setText(copy, "Copy");
  const outcome = element("span", "hpo-muted", { role: "status" });
  const close = element("button", "hpo-code-close", { type: "button", "aria-label": "Close" });
  setText(close, "✕");
  bar.append(copy, outcome, close);
  // Reached by keyboard, so that it can be scrolled; Lab leaves its keys alone.
  const text = element("pre", "", { tabindex: "0", "data-lm-suppress-shortcuts": "true" });
  box.append(bar, text);
  root.append(toggle, box);

  const show = (shown: boolean): void => {
    model.set("shown", shown);
    model.save_changes();
  };

  const hide = (): void => {
    // The box goes, and with it what has the focus.
    toggle.focus();
    show(false);
  };

  const paint = (): void => {
    const shown = model.get("shown");
    setReason(toggle, model.get("why_not"), MEANING);
    setAttribute(toggle, "aria-expanded", String(shown));
    box.hidden = !shown;
    if (text.textContent !== model.get("code")) {
      setText(text, model.get("code"));
      setText(outcome, "");
    }
  };

  toggle.addEventListener("click", () => {
    if (!isDisabled(toggle)) {
      show(!model.get("shown"));
    }
  });
  copy.addEventListener("click", async () => {
    setText(outcome, await copyText(model.get("code"), text));
  });
  close.addEventListener("click", hide);
  box.addEventListener("keydown", (event) => {
    if (event.key === "Escape") {
      event.stopPropagation();
      hide();
    }
  });
  const lifetime = new Lifetime();
  lifetime.paintOnChange(model, paint);
  el.append(root);
  return lifetime.end;
};

export default { initialize, render };
