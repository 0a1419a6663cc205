// Shows nothing: has the kernel make the picture that a notebook keeps of the panel, when what keeps it asks.

import { requestIds } from "../lib/request_ids";
import { ENDED, HOST, RENEW, RENEWED, type Renewed } from "../lib/snapshot_events";
import { view } from "../lib/view";
import "./snapshot.css";

type Model = {
  /** How the search has ended; empty before it has. */
  end: string;
};

export default view<Model>(({ model, el, lifetime }) => {
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
  lifetime.onMessage(model, (message) => {
    const { kind, id, data } = message as Partial<Renewed> & { kind?: string };
    // What nobody has asked for is the last picture, of a panel that is closed.
    const request = id === undefined ? "" : asked.get(id);
    if (kind === "snapshot" && request !== undefined) {
      asked.delete(id ?? "");
      say(RENEWED, { id: request, data: data ?? null });
    }
  });

  let known = model.get("end");
  return () => {
    const end = model.get("end");
    if (end !== known && end !== "") {
      say(ENDED);
    }
    known = end;
  };
});
