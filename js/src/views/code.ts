// A button that shows the search as Python, below the controls, with another that copies it.

import "./code.css";
import {
  element,
  makeButton,
  makeCopyButton,
  onPress,
  setAttribute,
  setReason,
  setText,
} from "../lib/dom";
import { view } from "../lib/view";

type Model = {
  shown: boolean;
  code: string;
  /** Why there is no code for this search. */
  why_not: string | null;
};

const MEANING = "Show this search as Python: the constructor call for the controls as they are now";

export default view<Model>(({ model, el }) => {
  const symbol = element("span", "", { "aria-hidden": "true" }, "</>");
  const toggle = makeButton(symbol, "hpo-code-button");
  toggle.append(" Code");
  // Reached by keyboard, so that it can be scrolled; Lab leaves its keys alone.
  const text = element("pre", "hpo-listing", {
    tabindex: "0",
    "data-lm-suppress-shortcuts": "true",
  });
  const { copy, outcome } = makeCopyButton(text);
  const close = makeButton("✕", "hpo-close", { "aria-label": "Close" });
  const box = element(
    "section",
    "hpo-code",
    { "aria-label": "The search as Python" },
    element("div", "hpo-code-bar", {}, copy, outcome, close),
    text,
  );
  el.append(element("div", "hpo-part hpo-code-root", {}, toggle, box));

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

  onPress(toggle, () => show(!model.get("shown")));
  close.addEventListener("click", hide);
  box.addEventListener("keydown", (event) => {
    if (event.key === "Escape") {
      event.stopPropagation();
      hide();
    }
  });
  return paint;
});
