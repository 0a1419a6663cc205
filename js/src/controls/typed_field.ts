// A number in a line of text that turns into a field when it is pressed, and back when the kernel has taken it.

import { element, makeButton, onPress, setAttribute, setReason, setText } from "../lib/dom";
import { focusedElement } from "../lib/focus";
import { NewestRequest, requestIds } from "../lib/request_ids";
import "./typed_field.css";

/** What the kernel says to the newest request: nothing is wrong, or the sentence that says what. */
export interface Answer {
  id?: string;
  problem?: string;
}

export interface TypedField {
  root: HTMLElement;
  /** Where what is wrong is said: to be placed where a sentence has room. */
  problem: HTMLElement;
  /**
   * Shows `text` as the button, edits `value`; a reason takes the button's function away and leaves the text.
   */
  paint(text: string, value: string, reason: string | null, answer: Answer): void;
}

/**
 * @param label the field's accessible name, and the button's purpose
 * @param after what follows the number while it is typed, such as its unit
 * @param placeholder what an empty field means, where it may be empty
 * @param send tells the kernel the text under a request's id
 */
export function typedField(
  label: string,
  after: string,
  placeholder: string,
  send: (text: string, id: string) => void,
): TypedField {
  const words = element("span");
  const arrow = element("span", "", { "aria-hidden": "true" });
  const button = makeButton(words, "hpo-typed-button");
  button.append(arrow);
  const input = element("input", "", {
    type: "text",
    inputmode: "decimal",
    placeholder,
    "aria-label": label,
  });
  const form = element("span", "hpo-typed-form", {}, input, element("span", "", {}, after));
  form.hidden = true;
  const root = element("span", "hpo-typed", {}, button, form);
  const problem = element("div", "hpo-typed-problem hpo-capital hpo-bad hpo-optional", {
    role: "alert",
    id: `hpo-typed-problem-${requestIds()()}`,
  });

  const request = new NewestRequest();
  let value = "";
  /** Whether anything was typed since the field is open: else nothing is sent, whatever the kernel has meanwhile. */
  let isTyped = false;

  const complain = (sentence: string): void => {
    setText(problem, sentence);
    setAttribute(input, "aria-invalid", sentence ? "true" : null);
    setAttribute(input, "aria-describedby", sentence ? problem.id : null);
  };

  const close = (returnsFocus: boolean): void => {
    const hadFocus = root.contains(focusedElement());
    request.forget();
    form.hidden = true;
    button.hidden = false;
    complain("");
    if (returnsFocus && hadFocus) {
      button.focus();
    }
  };

  const open = (): void => {
    input.value = value;
    isTyped = false;
    button.hidden = true;
    form.hidden = false;
    input.focus();
    input.select();
  };

  const enter = (): void => {
    if (form.hidden || request.isOpen) {
      return;
    }
    const isSame = !isTyped || input.value.trim() === value;
    if (isSame && !input.hasAttribute("aria-invalid")) {
      close(true);
      return;
    }
    send(input.value, request.begin());
  };

  onPress(button, open);
  input.addEventListener("keydown", (event) => {
    if (event.key === "Enter") {
      event.preventDefault();
      enter();
    } else if (event.key === "Escape") {
      event.preventDefault();
      close(true);
    }
  });
  input.addEventListener("input", () => {
    isTyped = true;
    request.forget();
  });
  input.addEventListener("blur", () => {
    // Where only the window is left, as to look a number up, half of it is typed and the field still has the focus.
    if (focusedElement() !== input) {
      enter();
    }
  });

  return {
    root,
    problem,
    paint(text, newValue, reason, answer) {
      value = newValue;
      setText(words, text);
      setText(arrow, reason === null ? " ▾" : "");
      setReason(button, reason);
      setAttribute(button, "aria-label", `${label}: ${text}`);
      if (request.takes(answer.id)) {
        if (answer.problem) {
          complain(answer.problem);
        } else {
          close(true);
        }
      }
    },
  };
}
