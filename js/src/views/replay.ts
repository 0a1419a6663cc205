// The bar of a replay: play and pause, speed, and a scrubber that works by mouse and by keyboard.

import { ActionButton } from "../controls/action_button";
import { PATIENCE_MS } from "../lib/connection";
import { connectionNotices, runAgainWords } from "../lib/connection_notices";
import { element, onPress, setAttribute, setReason, setText } from "../lib/dom";
import { positionAfter } from "../lib/scrubber";
import { view } from "../lib/view";
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

export default view<Model>(({ model, el, lifetime }) => {
  el.classList.add("hpo-replay-host");
  const play = new ActionButton("hpo-main");
  const speed = element("select", "hpo-replay-speed", { "aria-label": "speed" });
  const group = element("div", "hpo-replay-buttons", { role: "group", "aria-label": "Replay" });
  group.append(play.root, speed);
  const scrubber = element("input", "hpo-replay-scrubber", {
    type: "range",
    min: "0",
    step: "any",
    "aria-label": "moment of the replay",
  });
  const words = element("span", "hpo-number");
  const moment = element("span", "hpo-number hpo-muted");
  const line = element("div", "hpo-replay-line", {}, scrubber, words, moment);
  const { gone, away } = connectionNotices(model, lifetime);
  setText(gone, runAgainWords("replay"));
  el.append(element("div", "hpo-part hpo-replay-root", {}, gone, away, group, line));

  let isHeld = false;
  /** The newest place that was asked for; until the kernel has gone there, the scrubber stays where the hand was. */
  let asked = 0;
  let untold: number | null = null;
  let isResting = false;
  let cancelRevert = (): void => {};

  const tell = (position: number): void => {
    untold = position;
    // Above all that were answered, even where another page's clock is ahead of this one's.
    asked = Math.max(Date.now(), model.get("answered") + 1, asked + 1);
    if (isResting) {
      return;
    }
    model.send({ kind: "seek", position, id: asked });
    cancelRevert();
    cancelRevert = lifetime.after(PATIENCE_MS, () => {
      asked = 0;
      paint();
    });
    untold = null;
    isResting = true;
    lifetime.after(TELL_MS, () => {
      isResting = false;
      if (untold !== null) {
        tell(untold);
      }
    });
  };

  const paint = (): void => {
    const duration = model.get("duration");
    const isPlaying = model.get("is_playing");
    const reason = model.get("commands").play ?? null;
    if (isPlaying) {
      play.show("❚❚", "Pause", reason, "Pause the replay");
    } else {
      const meaning = "Play the search back, from the beginning when it is over";
      play.show("▶", "Play", reason, meaning);
    }
    const speeds = model.get("speeds");
    if (speeds.join() !== [...speed.options].map((option) => option.value).join()) {
      speed.replaceChildren(
        ...speeds.map((one) => element("option", "", { value: String(one) }, `${one}×`)),
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

  onPress(play.root, () => model.send({ kind: "play", on: !model.get("is_playing") }));
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
      play.root.click();
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
  return paint;
});
