// The bar of a replay: play and pause, speed, and a scrubber that works by mouse and by keyboard.

import type { Render } from "@anywidget/types";
import { makeActionButton } from "../controls/action_button";
import { connectionNotices, runAgainWords } from "../lib/connection_notices";
import { element, isDisabled, keepKeys, setAttribute, setReason, setText } from "../lib/dom";
import { initialize } from "../lib/late_model";
import { Lifetime } from "../lib/lifetime";
import { positionAfter } from "../lib/scrubber";
import "./replay.css";

type Model = {
  /** Seconds of the search. */
  position: number;
  duration: number;
  is_playing: boolean;
  speed: number;
  speeds: number[];
  words: string;
  moment: string;
  /** `play` to null when it can be done now, else to the sentence that says why not. */
  commands: Record<string, string | null>;
  answered: number;
};

/** Milliseconds between two positions that are sent while the scrubber is dragged. */
const TELL_MS = 100;

const render: Render<Model> = ({ model, el }) => {
  el.classList.add("hpo-replay-host");
  const lifetime = new Lifetime();
  const root = element("div", "hpo-part hpo-replay-root");
  const group = element("div", "hpo-replay-buttons", { role: "group", "aria-label": "Replay" });
  const play = makeActionButton("hpo-main hpo-replay-play");
  const speed = element("select", "hpo-replay-speed", { "aria-label": "speed" });
  group.append(play.button, speed);
  const line = element("div", "hpo-replay-line");
  const scrubber = element("input", "hpo-replay-scrubber", {
    type: "range",
    min: "0",
    step: "any",
    "aria-label": "moment of the replay",
  });
  const words = element("span", "hpo-number");
  const moment = element("span", "hpo-number hpo-muted");
  line.append(scrubber, words, moment);
  const { gone, away } = connectionNotices(model, lifetime);
  setText(gone, runAgainWords("replay"));
  root.append(gone, away, group, line);
  keepKeys(root);

  let isHeld = false;
  /** The newest place that was asked for; until the kernel has gone there, the scrubber stays where the hand was. */
  let asked = 0;
  let untold: number | null = null;
  let isResting = false;

  const tell = (position: number): void => {
    untold = position;
    // Above all that were answered, even where another page's clock is ahead of this one's.
    asked = Math.max(Date.now(), model.get("answered") + 1, asked + 1);
    if (isResting) {
      return;
    }
    model.send({ kind: "seek", position, id: asked });
    untold = null;
    isResting = true;
    lifetime.after(TELL_MS, () => {
      isResting = false;
      if (untold !== null) {
        tell(untold);
      }
    });
  };

  const toggle = (): void => {
    if (!isDisabled(play.button)) {
      model.send({ kind: "play", on: !model.get("is_playing") });
    }
  };

  const paint = (): void => {
    const duration = model.get("duration");
    const isPlaying = model.get("is_playing");
    setText(play.symbol, isPlaying ? "❚❚" : "▶");
    setText(play.word, isPlaying ? "Pause" : "Play");
    const reason = model.get("commands").play ?? null;
    setReason(
      play.button,
      reason,
      isPlaying ? "Hold the replay" : "Play the search back, from the beginning when it is over",
    );
    const speeds = model.get("speeds");
    if (speeds.join() !== [...speed.options].map((option) => option.value).join()) {
      speed.replaceChildren(
        ...speeds.map((one) => {
          const option = element("option", "", { value: String(one) });
          setText(option, `${one}×`);
          return option;
        }),
      );
    }
    speed.value = String(model.get("speed"));
    setAttribute(scrubber, "max", String(duration));
    for (const control of [scrubber, speed]) {
      control.disabled = reason !== null;
      setReason(control, reason);
    }
    if (!isHeld && model.get("answered") >= asked) {
      scrubber.value = String(model.get("position"));
    }
    setAttribute(scrubber, "aria-valuetext", model.get("words"));
    setText(words, model.get("words"));
    setText(moment, model.get("moment"));
  };

  play.button.addEventListener("click", toggle);
  speed.addEventListener("change", () => model.send({ kind: "speed", speed: Number(speed.value) }));
  scrubber.addEventListener("input", () => {
    tell(Number(scrubber.value));
    paint();
  });
  scrubber.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey) {
      return;
    }
    if (event.key === " ") {
      event.preventDefault();
      toggle();
      return;
    }
    const position = positionAfter(event.key, Number(scrubber.value), model.get("duration"));
    if (position !== null) {
      event.preventDefault();
      scrubber.value = String(position);
      tell(position);
      paint();
    }
  });
  scrubber.addEventListener("pointerdown", (event) => {
    // The end of another button's press may go to the menu that it opens.
    isHeld = event.button === 0;
  });
  for (const end of ["pointerup", "pointercancel", "blur"]) {
    scrubber.addEventListener(end, () => {
      isHeld = false;
      paint();
    });
  }
  lifetime.paintOnChange(model, paint);
  el.append(root);
  return lifetime.end;
};

export default { initialize, render };
