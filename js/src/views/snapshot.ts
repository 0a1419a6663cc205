// Shows nothing: has the kernel make the picture that a notebook keeps of the panel, when what keeps it asks.

import type { Render } from "@anywidget/types";
import { initialize } from "../lib/late_model";
import { Lifetime } from "../lib/lifetime";
import { requestIds } from "../lib/request_ids";
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
  // The kernel answers to every view of every page, of which each writes into its own notebook: by the ids of this view
  // it knows what was asked here, and by whom.
  const newId = requestIds();
  const asked = new Map<string, string>();
  el.addEventListener(
    RENEW,
    (event) => {
      if (event instanceof CustomEvent && typeof event.detail === "string") {
        const id = newId();
        asked.set(id, event.detail);
        model.send({ kind: "snapshot", id });
      }
    },
    { signal: lifetime.signal },
  );
  const receive = (message: unknown): void => {
    const { kind, id, data } = message as Partial<Renewed> & { kind?: string };
    // What nobody has asked for is the last picture, of a panel that is closed.
    const request = id === undefined ? "" : asked.get(id);
    if (kind === "snapshot" && request !== undefined) {
      asked.delete(id ?? "");
      say(RENEWED, { id: request, data: data ?? null });
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
