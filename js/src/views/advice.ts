// One line of advice: the rule, its evidence, the trials that it speaks of, and a button that does it.

import { Announcer } from "../lib/announcer";
import {
  element,
  isRepeatedClick,
  makeButton,
  onPress,
  setAttribute,
  setReason,
  setText,
} from "../lib/dom";
import { keepFocus } from "../lib/focus";
import { Stillness } from "../lib/stillness";
import { view } from "../lib/view";
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

export default view<Model>(({ model, el, lifetime }) => {
  el.classList.add("hpo-advice-host");
  const sentence = element("b", "", { dir: "auto" });
  const evidence = element("span", "hpo-muted", { dir: "auto" });
  /** The advice that is on the page, which an answer is about: the model's may be another one, which waits. */
  let painted: string | undefined;
  let answered: string | null = null;
  const show = makeButton("", "hpo-advice-show");
  const act = makeButton("", "hpo-main");
  const putOff = makeButton("Not now");
  for (const [kind, button] of Object.entries({ show, act, put_off: putOff })) {
    onPress(button, (event) => {
      // By the second click of a double click the next advice is there.
      if (painted !== undefined && !isRepeatedClick(event)) {
        answered = button === show ? null : painted;
        model.send({ kind, key: painted });
      }
    });
  }
  const root = element(
    "div",
    "hpo-part hpo-advice",
    { role: "region", "aria-label": "Advice" },
    element("span", "hpo-advice-sign", { "aria-hidden": "true" }, "!"),
    element("div", "hpo-advice-words", {}, sentence, " ", evidence, " ", show),
    act,
    putOff,
  );
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
    // A number keeps its sign of per cent on its line.
    setText(evidence, shown.evidence.replaceAll(" %", "\u00a0%"));
    const count = shown.trials.length;
    show.hidden = count === 0;
    setText(show, `show the ${count}`);
    setAttribute(show, "aria-label", `Select the ${count} trial${count === 1 ? "" : "s"}`);
    setText(act, shown.label);
    const reason = model.get("commands").act ?? null;
    setReason(show, reason);
    setReason(act, reason);
    setReason(putOff, reason, "Hide this until its evidence has grown by half");
    // More evidence for what the same button does is no news.
    if (shown.key !== announced) {
      announced = shown.key;
      announcer.announce();
    }
  };

  const stillness = new Stillness(lifetime, document, () => keepFocus(paint));
  el.append(root, announcer.root);
  return paint;
});
