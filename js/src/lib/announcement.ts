// How a panel tells the page that it is there, and a list of searches hears of it: by events of the window, because
// the code of a widget and a plugin of JupyterLab share nothing else. Whichever comes first, they find each other.

import type { AnyModel } from "@anywidget/types";

/** What a panel announces; the traits of `SearchBeacon`. */
export type BeaconState = {
  /** Model id of the panel. */
  target: string;
  search_id: string;
  /** When the panel was made, Unix seconds. */
  made_at: number;
  title: string;
  status: string;
  pill: { word?: string; look?: string };
  /** Another process runs it. */
  is_view: boolean;
  /** The process that ran it has gone: Start takes it over. */
  owner_died: boolean;
  ended: number;
  total: number | null;
  num_trials: number;
  left: string;
  progress: number | null;
  best: { value: string; trial: string; note: string } | null;
  objective: string;
  /** Trial number and value, each time that the best value improved. */
  curve: [number, number][];
  /** Command name to null when it can be done now, else to the sentence that says why not. */
  commands: Record<string, string | null>;
  sent: number;
  seen: number;
};

export type Beacon = AnyModel<BeaconState>;

const ANNOUNCED = "hpo-widgets:announced";
const WITHDRAWN = "hpo-widgets:withdrawn";
const ASKED = "hpo-widgets:asked";

/**
 * Announces a panel now, and to everybody who asks later.
 *
 * @returns withdraws it
 */
export function announce(beacon: Beacon, page: EventTarget = window): () => void {
  const say = (type: string): void => {
    page.dispatchEvent(new CustomEvent(type, { detail: beacon }));
  };
  const answer = (): void => say(ANNOUNCED);
  page.addEventListener(ASKED, answer);
  answer();
  return () => {
    page.removeEventListener(ASKED, answer);
    say(WITHDRAWN);
  };
}

/**
 * Hears of all panels, those that were announced before too; of one that is there already it may hear again.
 *
 * @returns ends it
 */
export function hear(
  announced: (beacon: Beacon) => void,
  withdrawn: (beacon: Beacon) => void,
  page: EventTarget = window,
): () => void {
  const controller = new AbortController();
  const listen = (type: string, act: (beacon: Beacon) => void): void => {
    page.addEventListener(type, (event) => act((event as CustomEvent<Beacon>).detail), {
      signal: controller.signal,
    });
  };
  listen(ANNOUNCED, announced);
  listen(WITHDRAWN, withdrawn);
  page.dispatchEvent(new Event(ASKED));
  return () => controller.abort();
}
