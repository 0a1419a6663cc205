// Keeps a model alive that was loaded late. anywidget gives a module two seconds to load and then drops every message that
// the kernel ever sends to its model, though the view is shown: on a busy machine a panel would stand still for ever.

import type { AnyModel, Initialize } from "@anywidget/types";

type Handler = (message: { content: { data: { method: string } } }) => Promise<unknown>;
type ModelOfPage = {
  _handle_comm_msg: Handler;
  comm?: {
    on_msg: (handler: Handler) => void;
    send: (data: { method: string }) => unknown;
  };
};

/** For `initialize` of each module whose model gets messages. */
export function repairWhenLate(model: AnyModel<{ own_id: string }>): void {
  const found = model.widget_manager.get_model(model.get("own_id")) as Promise<unknown>;
  const repair = (one: unknown): void => {
    const own = one as ModelOfPage;
    if (typeof own?._handle_comm_msg !== "function") {
      return; // no model of ipywidgets, as in marimo, which loads modules by itself
    }
    // A message of a kind that there is not: it waits until the module is ready, or is refused as all will be.
    own._handle_comm_msg({ content: { data: { method: "none" } } }).catch(() => {
      const plain = Object.getPrototypeOf(Object.getPrototypeOf(own)) as ModelOfPage;
      own.comm?.on_msg(plain._handle_comm_msg.bind(own));
      own.comm?.send({ method: "request_state" }); // what was sent meanwhile is lost
    });
  };
  found.then(repair, () => {}); // the page was left before the module was there
}

export const initialize: Initialize<{ own_id: string }> = ({ model }) => repairWhenLate(model);
