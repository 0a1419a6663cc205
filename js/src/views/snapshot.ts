// Shows nothing: has the kernel make the picture that a notebook keeps of the panel, when what keeps it asks.

import type { Render } from "@anywidget/types";
import { initialize } from "../lib/late_model";
import { Lifetime } from "../lib/lifetime";
import { ENDED, HOST, RENEW, RENEWED, type Renewed } from "../lib/snapshot_events";

type Model = {
  /** How the search has ended; empty before it has. */
  end: string;
};

const render: Render<Model> = ({ model, el }) => {
  const lifetime = new Lifetime();
  el.classList.add(HOST);
  const say = (type: string, detail?: Renewed): void => {
    el.dispatchEvent(new CustomEvent(type, { bubbles: true, detail }));
  };
  el.addEventListener(
    RENEW,
    (event) => {
      if (event instanceof CustomEvent && typeof event.detail === "string") {
        model.send({ kind: "snapshot", id: event.detail });
      }
    },
    { signal: lifetime.signal },
  );
  const receive = (message: unknown): void => {
    const { kind, id, data } = message as Partial<Renewed> & { kind?: string };
    if (kind === "snapshot" && id !== undefined) {
      say(RENEWED, { id, data: data ?? null });
    }
  };
  model.on("msg:custom", receive);
  lifetime.atEnd(() => model.off("msg:custom", receive));

  let known = model.get("end");
  lifetime.paintOnChange(model, () => {
    const end = model.get("end");
    if (end !== known && end !== "") {
      say(ENDED);
    }
    known = end;
  });
  return lifetime.end;
};

export default { initialize, render };
