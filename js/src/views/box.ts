// What was brushed in a plot: how many trials lie inside, and a button that narrows the ranges to it.

import type { Render } from "@anywidget/types";
import { Announcer } from "../lib/announcer";
import { element, isDisabled, keepKeys, setReason, setText } from "../lib/dom";
import { initialize } from "../lib/late_model";
import { Lifetime } from "../lib/lifetime";
import "./box.css";

type Model = {
  /** Every second part is strong; empty: there is no box. */
  sentence: string[];
  action: string;
  commands: Record<string, string | null>;
};

const render: Render<Model> = ({ model, el }) => {
  el.classList.add("hpo-box-host");
  const lifetime = new Lifetime();
  const root = element("section", "hpo-part hpo-box", { "aria-label": "Brushed box" });
  const words = element("span", "hpo-box-words hpo-number", { dir: "auto" });
  const narrow = element("button", "hpo-main", { type: "button" });
  const clear = element("button", "", { type: "button" });
  setText(clear, "Clear");
  const announcer = new Announcer(lifetime, () => model.get("sentence").join(""));
  root.append(words, narrow, clear, announcer.root);
  keepKeys(root);

  const paint = (): void => {
    const parts = model.get("sentence");
    root.hidden = parts.length === 0;
    if (words.textContent !== parts.join("")) {
      words.replaceChildren(
        ...parts.map((part, index) => {
          const node = element(index % 2 === 1 ? "b" : "span");
          setText(node, part);
          return node;
        }),
      );
      announcer.announce();
    }
    setText(narrow, model.get("action"));
    setReason(
      narrow,
      model.get("commands").set_ranges ?? null,
      "From here on sample inside the box only; undo takes it back",
    );
    setReason(clear, model.get("commands").clear ?? null);
  };

  narrow.addEventListener("click", () => {
    if (!isDisabled(narrow)) {
      model.send({ kind: "narrow" });
    }
  });
  clear.addEventListener("click", () => {
    if (!isDisabled(clear)) {
      model.send({ kind: "clear" });
    }
  });
  root.addEventListener("keydown", (event) => {
    if (event.key === "Escape" && !isDisabled(clear)) {
      event.preventDefault();
      model.send({ kind: "clear" });
    }
  });
  lifetime.paintOnChange(model, paint);
  el.append(root);
  return lifetime.end;
};

export default { initialize, render };
