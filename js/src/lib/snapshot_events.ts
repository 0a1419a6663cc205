// How a view of the panel and what keeps its picture in the notebook speak with each other: by events of the DOM, so
// that neither has to know where the other is, and the widget works where there is no extension of JupyterLab.

/** Says to the view, at its element: ask the kernel for a picture of this moment. Detail: an id of the request. */
export const RENEW = "hpo-widgets:renew";

/** Says up the tree what the kernel has answered. Detail: `Renewed`. */
export const RENEWED = "hpo-widgets:renewed";

/** Says up the tree that the search has ended, so that a new picture is worth keeping. */
export const ENDED = "hpo-widgets:ended";

/** The class of the element at which `RENEW` is said. */
export const HOST = "hpo-snapshot-host";

export type Renewed = {
  /** That of the request; empty where the kernel has sent it unasked. */
  id: string;
  /** What an output has for hosts without the widget, by mime type; null where the kernel could not make it. */
  data: Record<string, unknown> | null;
};
