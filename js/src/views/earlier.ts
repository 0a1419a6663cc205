// One line about what earlier runs of the same cell have left running: searches, or races.

import type { Render } from "@anywidget/types";
import { element, keepKeys, setAttribute, setText } from "../lib/dom";
import { initialize } from "../lib/late_model";
import { Lifetime } from "../lib/lifetime";
import "./earlier.css";

type Model = { sentence: string; num_running: number };

const render: Render<Model> = ({ model, el }) => {
  const root = element("div", "hpo-part hpo-earlier", { role: "status" });
  const sentence = element("span");
  const show = element("button", "", { type: "button" });
  const stop = element("button", "", { type: "button" });
  show.addEventListener("click", () => model.send({ kind: "show" }));
  stop.addEventListener("click", () => model.send({ kind: "stop" }));
  root.append(sentence, show, stop);
  keepKeys(root);

  const paint = (): void => {
    setText(sentence, model.get("sentence"));
    root.hidden = model.get("sentence") === "";
    const isOne = model.get("num_running") <= 1;
    setText(show, isOne ? "Show" : "Show newest");
    setText(stop, isOne ? "Stop" : "Stop all");
    setAttribute(show, "aria-label", isOne ? "Show the earlier run" : "Show newest earlier run");
    setAttribute(stop, "aria-label", isOne ? "Stop the earlier run" : "Stop all earlier runs");
  };

  const lifetime = new Lifetime();
  lifetime.paintOnChange(model, paint);
  el.append(root);
  return lifetime.end;
};

export default { initialize, render };
