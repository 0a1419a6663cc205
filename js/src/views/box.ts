// What was brushed in a plot: how many trials lie inside, and a button that narrows the ranges to it.

import { Announcer } from "../lib/announcer";
import { element, isDisabled, makeButton, onPress, setReason, setText } from "../lib/dom";
import { view } from "../lib/view";
import "./box.css";

type Model = {
  /** Every second part is strong; empty: there is no box. */
  sentence: string[];
  action: string;
  commands: Record<string, string | null>;
};

export default view<Model>(({ model, el, lifetime }) => {
  const root = element("section", "hpo-part hpo-box", { "aria-label": "Brushed box" });
  const words = element("span", "hpo-box-words hpo-number", { dir: "auto" });
  const narrow = makeButton("", "hpo-main");
  const clear = makeButton("Clear");
  const announcer = new Announcer(lifetime, () => model.get("sentence").join(""));
  root.append(words, narrow, clear, announcer.root);
  el.append(root);

  const paint = (): void => {
    const parts = model.get("sentence");
    root.hidden = parts.length === 0;
    if (words.textContent !== parts.join("")) {
      words.replaceChildren(
        ...parts.map((part, index) => element(index % 2 === 1 ? "b" : "span", "", {}, part)),
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

  onPress(narrow, () => model.send({ kind: "narrow" }));
  onPress(clear, () => model.send({ kind: "clear" }));
  root.addEventListener("keydown", (event) => {
    if (event.key === "Escape" && !isDisabled(clear)) {
      event.preventDefault();
      model.send({ kind: "clear" });
    }
  });
  return paint;
});
