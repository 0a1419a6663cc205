// One line of advice: the rule, its evidence, the trials that it speaks of, and a button that does it.

import type { Render } from "@anywidget/types";
import { Announcer } from "../lib/announcer";
import { element, isDisabled, keepKeys, setAttribute, setReason, setText } from "../lib/dom";
import { keepFocus } from "../lib/focus";
import { initialize } from "../lib/late_model";
import { Lifetime } from "../lib/lifetime";
import { Stillness } from "../lib/stillness";
import "./advice.css";

type Model = {
  shown: {
    /** What an answer is about: another advice, or another action of it, may have taken its place. */
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
  /** The advice that is on the page, which an answer is about: the model's may be another one, which waits. */
  let painted: string | undefined;
  let answered: string | null = null;
  const makeButton = (kind: string, className: string): HTMLButtonElement => {
    const button = element("button", className, { type: "button" });
    button.addEventListener("click", () => {
      if (painted !== undefined && !isDisabled(button)) {
        answered = button === show ? null : painted;
        model.send({ kind, key: painted });
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
    // A line that comes, goes or is another one moves all that is below it; who has answered it waits for that.
    if (shown?.key !== painted && painted !== answered && stillness.isNeeded()) {
      return;
    }
    painted = shown?.key;
    answered = null;
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
    // More evidence for what the same button does is no news.
    if (shown.key !== announced) {
      announced = shown.key;
      announcer.announce();
    }
  };

  const stillness = new Stillness(lifetime, document, () => keepFocus(paint));
  lifetime.paintOnChange(model, paint);
  el.append(root, announcer.root);
  return lifetime.end;
};

export default { initialize, render };
