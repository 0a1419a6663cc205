// One line about what an earlier run of the same cell has left running: a search, or a race.

import type { Render } from "@anywidget/types";
import { element, keepKeys, setText } from "../lib/dom";
import { initialize } from "../lib/late_model";
import { Lifetime } from "../lib/lifetime";
import "./earlier.css";

type Model = { sentence: string };

const render: Render<Model> = ({ model, el }) => {
  const root = element("div", "hpo-part hpo-earlier", { role: "status" });
  const sentence = element("span");
  const buttons = (["Show", "Stop"] as const).map((word) => {
    const button = element("button", "", {
      type: "button",
      "aria-label": `${word} the earlier run`,
    });
    setText(button, word);
    button.addEventListener("click", () => model.send({ kind: word.toLowerCase() }));
    return button;
  });
  root.append(sentence, ...buttons);
  keepKeys(root);

  const paint = (): void => {
    setText(sentence, model.get("sentence"));
    root.hidden = model.get("sentence") === "";
  };

  const lifetime = new Lifetime();
  lifetime.paintOnChange(model, paint);
  el.append(root);
  return lifetime.end;
};

export default { initialize, render };
