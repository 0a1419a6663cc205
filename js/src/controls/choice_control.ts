// The allowed choices of one parameter: a checkbox each, of which at least one stays checked.

import { element, makeButton, onPress, setAttribute, setReason, setText } from "../lib/dom";
import { focusedElement } from "../lib/focus";
import { type Preview, type RangeChange, withChoices } from "../lib/range_change";
import { NewestRequest, requestIds } from "../lib/request_ids";
import { type About, adviceNote, parameterFrame } from "./parameter";
import type { Answer } from "./typed_field";

export interface ChoiceSpec extends About {
  kind: "choice";
  choices: string[];
  /** Whether a further one can be added. */
  takes_more: boolean;
}

/** Says which choice a person has allowed or excluded. */
type OnChoice = (name: string, change: RangeChange) => void;

/** Asks for a further choice, under the id of a request. */
type OnNew = (name: string, text: string, id: string) => void;

/** A small button that turns into the field for a further choice, and back when the kernel has taken that. */
class NewChoice {
  readonly root: HTMLElement;
  private readonly button: HTMLButtonElement;
  private readonly input: HTMLInputElement;
  private readonly request = new NewestRequest();

  /**
   * @param label of the parameter
   * @param problem says what is wrong
   * @param send tells the kernel what was typed
   */
  constructor(
    label: string,
    private readonly problem: HTMLElement,
    private readonly send: (text: string, id: string) => void,
  ) {
    problem.id = `hpo-choice-problem-${requestIds()()}`;
    this.button = makeButton("+", "hpo-new-choice", { "aria-label": `Add a choice to ${label}` });
    this.input = element("input", "hpo-new-choice", {
      type: "text",
      placeholder: "new choice",
      "aria-label": `New choice of ${label}`,
      autocomplete: "off",
      spellcheck: "false",
    });
    this.input.hidden = true;
    this.root = element("span", "", {}, this.button, this.input);
    onPress(this.button, () => {
      this.input.value = "";
      this.show(true);
      this.input.focus();
    });
    this.input.addEventListener("keydown", (event) => {
      if (event.key === "Enter" && !this.request.isOpen) {
        event.preventDefault();
        this.enter();
      } else if (event.key === "Escape") {
        event.preventDefault();
        this.close();
      }
    });
    this.input.addEventListener("input", () => this.request.forget());
    // What is half typed stays, and is not sent: a choice that is added by mistake stays in the search.
    this.input.addEventListener("blur", () => {
      if (this.input.value.trim() === "" && focusedElement() !== this.input) {
        this.close();
      }
    });
  }

  update(reason: string | null): void {
    setReason(this.button, reason, "Add a choice");
  }

  /** Takes what the kernel says to the newest request of any field. */
  answer({ id, problem }: Answer): void {
    if (this.request.takes(id)) {
      if (problem) {
        this.complain(problem);
      } else {
        this.close();
      }
    }
  }

  private enter(): void {
    const text = this.input.value.trim();
    if (text === "") {
      this.close();
      return;
    }
    this.complain("");
    this.send(text, this.request.begin());
  }

  private complain(sentence: string): void {
    setText(this.problem, sentence);
    setAttribute(this.input, "aria-invalid", sentence ? "true" : null);
    setAttribute(this.input, "aria-describedby", sentence ? this.problem.id : null);
  }

  private close(): void {
    const hadFocus = this.input === focusedElement();
    this.request.forget();
    this.complain("");
    this.show(false);
    if (hadFocus) {
      this.button.focus();
    }
  }

  private show(isOpen: boolean): void {
    this.button.hidden = isOpen;
    this.input.hidden = !isOpen;
  }
}

export class ChoiceControl {
  readonly root: HTMLElement;
  private readonly boxes: HTMLInputElement[] = [];
  private readonly chips = element("div", "hpo-chips");
  private readonly more: NewChoice;
  private readonly counts: HTMLElement[] = [];
  private readonly marks: HTMLElement[] = [];
  private readonly problem: HTMLElement;
  private readonly advised = adviceNote();
  private readonly boxWords = element("div", "hpo-preview-words hpo-optional");
  private reason: string | null = null;

  constructor(
    private spec: ChoiceSpec,
    private allowed: readonly number[],
    private readonly onChoice: OnChoice,
    onNew: OnNew,
  ) {
    const { root, badge } = parameterFrame(spec);
    this.root = root;
    setText(badge, spec.kind);
    this.problem = element("div", "hpo-problem hpo-optional", { role: "alert" });
    this.more = new NewChoice(spec.label, this.problem, (text, id) => onNew(spec.name, text, id));
    this.more.root.hidden = !spec.takes_more;
    this.chips.append(this.more.root);
    this.addChips();
    this.root.append(this.chips, this.advised, this.boxWords, this.problem);
    this.root.addEventListener("focusout", (event) => {
      if (!(event.relatedTarget instanceof Node && this.root.contains(event.relatedTarget))) {
        setText(this.problem, "");
      }
    });
    this.paint();
  }

  /** Whether this can show a parameter: the same, or with further choices. */
  canShow(spec: ChoiceSpec): boolean {
    const { choices, takes_more } = this.spec;
    return (
      takes_more === spec.takes_more &&
      choices.every((label, index) => label === spec.choices[index])
    );
  }

  /**
   * @param reason why no choice can be allowed or excluded
   * @param whyNoMore why none can be added
   */
  update(
    spec: ChoiceSpec,
    allowed: readonly number[],
    reason: string | null,
    whyNoMore: string | null,
  ): void {
    this.spec = spec;
    this.addChips();
    this.more.update(whyNoMore);
    if (reason !== this.reason || allowed.join() !== this.allowed.join()) {
      setText(this.problem, "");
    }
    this.allowed = allowed;
    this.reason = reason;
    this.paint();
  }

  /** Takes what the kernel says to a new choice. */
  answer(answer: Answer): void {
    this.more.answer(answer);
  }

  /** Makes a checkbox of each choice that has none. */
  private addChips(): void {
    for (const label of this.spec.choices.slice(this.boxes.length)) {
      const index = this.boxes.length;
      const box = element("input", "", { type: "checkbox" });
      const text = element("span", "hpo-chip-text hpo-cut", { dir: "auto", title: label }, label);
      const mark = element("span", "hpo-best-mark hpo-optional", {
        "aria-hidden": "true",
        title: "best trial",
      });
      const count = element("span", "hpo-chip-count hpo-number", { "aria-hidden": "true" });
      this.counts.push(count);
      this.marks.push(mark);
      const chip = element("label", "hpo-chip", {}, box, text, count, mark);
      this.chips.insertBefore(chip, this.more.root);
      box.addEventListener("click", (event) => this.toggle(event, index));
      this.boxes.push(box);
    }
  }

  /** Shows which allowed choices an advice would exclude, given those that it would keep; null: none. */
  setAdvised(kept: readonly number[] | null): void {
    this.advised.hidden = kept === null;
    for (const [index, box] of this.boxes.entries()) {
      const isExcluded = kept !== null && this.allowed.includes(index) && !kept.includes(index);
      (box.parentElement as HTMLElement).classList.toggle("hpo-advised", isExcluded);
    }
  }

  /** Shows how many trials had each choice, and which one the best has. */
  setTried(counts: readonly number[], best: number | null): void {
    for (const [index, box] of this.boxes.entries()) {
      const count = counts[index] ?? 0;
      const isBest = best === index;
      setText(this.counts[index] as HTMLElement, String(count));
      setText(this.marks[index] as HTMLElement, isBest ? "▲" : "");
      const trials = `${count} trial${count === 1 ? "" : "s"}${isBest ? ", the best trial" : ""}`;
      setAttribute(box, "aria-label", `${this.spec.choices[index]}, ${trials}`);
      setAttribute(this.counts[index] as HTMLElement, "title", trials);
    }
  }

  /** Shows which choices were brushed in a plot; null: nothing was. */
  setPreview(preview: Preview | null): void {
    setText(this.boxWords, preview?.words ?? "");
    for (const [index, box] of this.boxes.entries()) {
      const isOutside = preview !== null && !preview.range.includes(index);
      (box.parentElement as HTMLElement).classList.toggle("hpo-outside-box", isOutside);
    }
  }

  private paint(): void {
    for (const [index, box] of this.boxes.entries()) {
      const isAllowed = this.allowed.includes(index);
      box.checked = isAllowed;
      const chip = box.parentElement as HTMLElement;
      chip.classList.toggle("hpo-off", !isAllowed);
      setReason(box, this.reason);
      setReason(chip, this.reason);
    }
  }

  private toggle(event: Event, index: number): void {
    const isLast = this.allowed.length === 1 && this.allowed[0] === index;
    if (this.reason !== null || isLast) {
      event.preventDefault();
      setText(this.problem, isLast ? "At least one choice stays." : "");
      return;
    }
    setText(this.problem, "");
    const change = { [index]: !this.allowed.includes(index) };
    this.allowed = withChoices(this.allowed, change);
    this.paint();
    this.onChoice(this.spec.name, change);
  }
}
