// One line about what earlier runs of the same cell have left running: searches, or races.

import { element, makeButton, setAttribute, setText } from "../lib/dom";
import { view } from "../lib/view";
import "./earlier.css";

type Model = { sentence: string; num_running: number };

export default view<Model>(({ model, el }) => {
  const sentence = element("span");
  const [show, stop] = [makeButton(), makeButton()];
  show.addEventListener("click", () => model.send({ kind: "show" }));
  stop.addEventListener("click", () => model.send({ kind: "stop" }));
  const root = element("div", "hpo-part hpo-earlier", { role: "status" }, sentence, show, stop);
  el.append(root);

  return () => {
    setText(sentence, model.get("sentence"));
    root.hidden = model.get("sentence") === "";
    const isOne = model.get("num_running") <= 1;
    setText(show, isOne ? "Show" : "Show newest");
    setText(stop, isOne ? "Stop" : "Stop all");
    setAttribute(show, "aria-label", isOne ? "Show the earlier run" : "Show newest earlier run");
    setAttribute(stop, "aria-label", isOne ? "Stop the earlier run" : "Stop all earlier runs");
  };
});
