// What every control of a parameter has, whatever its range is like: the group with its name and its kind.

import { element, setName, setText } from "../lib/dom";

/** What the head of a control says of its parameter. */
export interface About {
  name: string;
  label: string;
  /** With what it is part of a point; empty: always. */
  needs: string;
  /** Whether no point has it now, as the ranges exclude what it comes with. */
  is_unused?: boolean;
}

/** Says in words what is dashed. */
export function adviceNote(): HTMLElement {
  const note = element("div", "hpo-advised-note", {}, "dashed: what the advice would exclude");
  note.hidden = true;
  return note;
}

interface ParameterFrame {
  root: HTMLElement;
  head: HTMLElement;
  /** The kind of the parameter in a word. */
  badge: HTMLElement;
}

/** The group of one parameter, with its head; the rest is put below by the control. */
export function parameterFrame(spec: About): ParameterFrame {
  const about = { dir: "auto", title: spec.name };
  const name = element("span", "hpo-parameter-name", about);
  setName(name, spec.label);
  const badge = element("span", "hpo-badge");
  const head = element("div", "hpo-parameter-head", {}, name, badge);
  const needs = element("div", "hpo-needs hpo-optional", { dir: "auto" });
  const root = element("div", "hpo-parameter", { role: "group", "aria-label": spec.label });
  root.append(head, needs);
  paintNeeds(root, spec);
  return { root, head, badge };
}

/** Says with what a parameter is part of a point, and whether it is part of any now. */
export function paintNeeds(root: HTMLElement, { needs, is_unused = false }: About): void {
  setText(root.querySelector(".hpo-needs") as HTMLElement, needs);
  root.classList.toggle("hpo-unused", is_unused);
}
