// One line of advice: the rule, its evidence, the trials that it speaks of, and a button that does it.

import type { Render } from "@anywidget/types";
import { Announcer } from "../lib/announcer";
import { element, isDisabled, keepKeys, setAttribute, setReason, setText } from "../lib/dom";
import { initialize } from "../lib/late_model";
import { Lifetime } from "../lib/lifetime";
import "./advice.css";

type Model = {
  shown: {
    /** Which advice an answer is about: another may have taken its place. */
    key: string;
    sentence: string;
    evidence: string;
    trials: number[];
    label: string;
  } | null;
  commands: Record<string, string | null>;
};

const render: Render<Model> = ({ model, el }) => {
  el.classList.add("hpo-advice-host");
  const lifetime = new Lifetime();
  const root = element("div", "hpo-part hpo-advice", { role: "region", "aria-label": "Advice" });
  const sign = element("span", "hpo-advice-sign", { "aria-hidden": "true" });
  setText(sign, "!");
  const words = element("div", "hpo-advice-words");
  const sentence = element("b", "", { dir: "auto" });
  const evidence = element("span", "hpo-muted", { dir: "auto" });
  /** The advice on which a press began: an answer is about it, also where another one has come before it ended. */
  let pressed: string | undefined;
  root.addEventListener("pointerdown", () => {
    pressed = model.get("shown")?.key;
  });
  const makeButton = (kind: string, className: string): HTMLButtonElement => {
    const button = element("button", className, { type: "button" });
    button.addEventListener("click", (event) => {
      // A key is no press.
      const key = event.detail === 0 ? model.get("shown")?.key : pressed;
      if (key !== undefined && !isDisabled(button)) {
        model.send({ kind, key });
      }
    });
    return button;
  };
  const show = makeButton("show", "hpo-advice-show");
  const act = makeButton("act", "hpo-advice-act");
  const putOff = makeButton("put_off", "");
  setText(putOff, "Not now");
  words.append(sentence, " ", evidence, " ", show);
  root.append(sign, words, act, putOff);
  keepKeys(root);
  const announcer = new Announcer(lifetime, () => {
    const shown = model.get("shown");
    return shown ? `Advice: ${shown.sentence}. ${shown.evidence}` : "";
  });
  let announced = "";

  const paint = (): void => {
    const shown = model.get("shown");
    root.hidden = shown === null;
    if (shown === null) {
      return;
    }
    setText(sentence, shown.sentence);
    setText(evidence, shown.evidence);
    const count = shown.trials.length;
    show.hidden = count === 0;
    setText(show, `show the ${count}`);
    setAttribute(show, "aria-label", `Select the ${count} trial${count === 1 ? "" : "s"}`);
    setText(act, shown.label);
    for (const button of [show, act]) {
      setReason(button, model.get("commands").act ?? null);
    }
    setReason(
      putOff,
      model.get("commands").act ?? null,
      "Hide this until there is half as much evidence again",
    );
    // More evidence for the same advice is no news.
    if (shown.key !== announced) {
      announced = shown.key;
      announcer.announce();
    }
  };

  lifetime.paintOnChange(model, paint);
  el.append(root, announcer.root);
  return lifetime.end;
};

export default { initialize, render };
