// What the list of searches holds, as plain values; where they come from and how they are drawn is told elsewhere.

import type { BeaconState } from "../lib/announcement";
import { dateAndTime } from "../lib/moment";
import { isAlive } from "../lib/search_status";

/** Where a search runs, as the application knows it. */
export interface Origin {
  kernel: string;
  /** Path of the notebook; empty where there is none. */
  path: string;
  isBusy: boolean;
  /** There is no connection to the kernel, or what was missed without one has not come yet. */
  isAway: boolean;
}

/** Where a search is kept that no panel of this page shows. */
export interface Journal {
  /** The folder of the notebook that made it, as the server names it. */
  folder: string;
  /** What `OptimizerWidget.open` takes in that folder: the search id, or the path of a file that is not named after it. */
  opens: string;
  /** Why it cannot be read; empty where it can. */
  problem: string;
}

export interface Entry extends Omit<BeaconState, "sent" | "seen"> {
  origin: Origin;
  journal: Journal | null;
}

type Told = Omit<Entry, "origin" | "journal">;

const UNKNOWN: Told = {
  target: "",
  search_id: "",
  made_at: 0,
  title: "",
  status: "idle",
  pill: {},
  is_view: false,
  owner_died: false,
  ended: 0,
  total: null,
  num_trials: 0,
  left: "",
  progress: null,
  best: null,
  objective: "",
  curve: [],
  commands: {},
};

/** The state of a beacon; what a kernel with another version of the package does not tell is left empty. */
export function entryOf(get: (name: keyof BeaconState) => unknown, origin: Origin): Entry {
  return { ...told((name) => get(name as keyof BeaconState)), origin, journal: null };
}

function told(get: (name: string) => unknown): Told {
  const known = Object.entries(UNKNOWN).map(([name, value]) => [name, get(name) ?? value]);
  return Object.fromEntries(known) as Told;
}

/** What a server has told of a journal, and the folder that it was asked for. */
export function journalEntry(found: Readonly<Record<string, unknown>>, folder: string): Entry {
  const { search_id, changed_at, problem } = found;
  // Another version of the package tells the id alone.
  const opens = String(found.opens ?? search_id);
  const entry = told((name) => found[name]);
  return {
    ...entry,
    target: `journal ${folder}/${opens}`,
    made_at: typeof changed_at === "number" ? changed_at : 0,
    pill: problem ? { word: "cannot be read", look: "failed" } : entry.pill,
    status: problem ? "failed" : entry.status,
    origin: { kernel: `journal ${folder}`, path: "", isBusy: false, isAway: false },
    journal: {
      folder,
      opens,
      problem: typeof problem === "string" ? problem : "",
    },
  };
}

/** Live searches, and of those that are kept the ones that no panel shows. */
export function withJournals(live: readonly Entry[], kept: readonly Entry[]): Entry[] {
  const shown = new Set(live.map(({ search_id }) => search_id));
  return [...live, ...kept.filter(({ search_id }) => !shown.has(search_id))];
}

interface Group {
  title: string;
  entries: Entry[];
}

/** The titles of groups, in order. */
export const GROUPS = ["Running", "Not started", "Ended", "Journals"] as const;

/** In groups, the newest first; a group without entries is left out. */
export function grouped(entries: readonly Entry[], filter = ""): Group[] {
  const shown = withoutRepeats(entries).filter((entry) => matches(entry, filter));
  const groups = GROUPS.map((title) => ({
    title,
    entries: shown.filter((entry) => groupOf(entry) === title),
  }));
  return groups.filter((group) => group.entries.length > 0);
}

/** Whether trials may run: a search goes no further by itself once the process that paused it has gone. */
function mayRun({ status, owner_died }: Entry): boolean {
  return isAlive(status) && !owner_died;
}

/** Whether a search runs that no panel shows, of whose end only its journal tells. */
export function runsUnseen(entry: Entry): boolean {
  return entry.journal !== null && mayRun(entry);
}

/** Whether another process runs a search, or ran one that a panel here may take over. */
export function isElsewhere(entry: Entry): boolean {
  const { is_view, journal, owner_died } = entry;
  return mayRun(entry) ? is_view || journal !== null : is_view && owner_died;
}

function groupOf(entry: Entry): string {
  const { status, journal } = entry;
  if (mayRun(entry)) {
    return "Running";
  }
  return journal ? "Journals" : status === "idle" ? "Not started" : "Ended";
}

/**
 * One entry for each search of a kernel, that of its newest panel, the newest search first. A search that was never
 * started is left out when its cell was run again, which made another one of that name.
 */
export function withoutRepeats(entries: readonly Entry[]): Entry[] {
  const newestFirst = [...entries].sort((a, b) => b.made_at - a.made_at);
  const seen = new Set<string>();
  return newestFirst.filter((entry) => {
    const { kernel } = entry.origin;
    // A backup beside a journal has the same id.
    const id = entry.journal?.opens ?? entry.search_id;
    const [search, name] = [`${kernel} id ${id}`, `${kernel} name ${entry.title}`];
    const isRepeat = seen.has(search) || (entry.status === "idle" && seen.has(name));
    seen.add(search).add(name);
    return !isRepeat;
  });
}

function matches(entry: Entry, filter: string): boolean {
  const words = filter.toLowerCase().split(/\s+/).filter(Boolean);
  const text = [
    entry.title,
    entry.origin.path,
    entry.journal?.folder,
    entry.status,
    entry.search_id,
  ]
    .join(" ")
    .toLowerCase();
  return words.every((word) => text.includes(word));
}

/** How many searches run, a search in two panels counted once. */
export function numRunning(entries: readonly Entry[]): number {
  return withoutRepeats(entries).filter(mayRun).length;
}

/** The searches that can be stopped from here: what another kernel or script runs is stopped there. */
export function stoppable(entries: readonly Entry[]): Entry[] {
  return withoutRepeats(entries).filter(({ commands }) => commands.stop === null);
}

/** What a tab shows: a search, or what takes its place when its cell is run again. */
export interface Wanted {
  searchId: string;
  path: string;
  title: string;
}

/** The entry that a tab is to show: this search in this notebook, else anywhere, else the newest of its name here. */
export function wantedEntry(entries: readonly Entry[], wanted: Wanted): Entry | undefined {
  const found = [...entries].sort((a, b) => b.made_at - a.made_at);
  const isHere = ({ origin }: Entry): boolean => origin.path === wanted.path;
  const isIt = (entry: Entry): boolean => entry.search_id === wanted.searchId;
  return (
    found.find((entry) => isIt(entry) && isHere(entry)) ??
    found.find(isIt) ??
    found.find((entry) => isHere(entry) && entry.title === wanted.title)
  );
}

/**
 * What a tab wants from here on, as it shows this entry: its notebook may have another name now. Without a notebook, as
 * in the moment in which that is closed, it is still looked for where it was.
 */
export function followed(wanted: Wanted, { search_id, origin, title }: Entry): Wanted {
  const next = { searchId: search_id, path: origin.path || wanted.path, title };
  const isSame = next.searchId === wanted.searchId && next.path === wanted.path;
  return isSame && next.title === wanted.title ? wanted : next;
}

/** What a tab wants when a notebook has another path; also of a search that is not shown, which no entry tells it of. */
export function renamed(wanted: Wanted, before: string, after: string): Wanted {
  return wanted.path === before ? { ...wanted, path: after } : wanted;
}

/** Why a tab is empty: whether the kernel has gone too is not known of a notebook that is closed. */
export function waitingWords({ title, path }: Wanted): string {
  return path
    ? `${title} is not shown in ${fileName(path)} now. Show the notebook first: the search may still run. Where its ` +
        "kernel has ended or was restarted, run its cell again, and it is shown here."
    : `${title} is not shown in a notebook now. Where its kernel has ended or was restarted, run its cell again, and it ` +
        "is shown here.";
}

/** The name of a notebook without its folder. */
export function fileName(path: string): string {
  return path.slice(path.lastIndexOf("/") + 1);
}

/** The folder of a path, empty for that of the server. */
export function folderOf(path: string): string {
  return path.slice(0, Math.max(0, path.lastIndexOf("/")));
}

/** Where a search runs or is kept, in words. */
export function originWords({ origin, journal, made_at }: Entry): string {
  if (journal) {
    return (
      journal.problem || `${dateAndTime(made_at)}${journal.folder ? ` · ${journal.folder}` : ""}`
    );
  }
  const state = origin.isAway ? " · no connection" : origin.isBusy ? " · kernel busy" : "";
  return `${origin.path ? fileName(origin.path) : "no notebook"}${state}`;
}

/** How many searches are listed, and what of the journals is not. */
export function footWords(
  total: number,
  { isUnknown, leftOff }: { isUnknown: boolean; leftOff: number },
): string {
  const missing = isUnknown ? " · this server lists no journals" : "";
  const older =
    leftOff > 0 ? ` · ${leftOff} older journal${leftOff === 1 ? "" : "s"} not listed` : "";
  return `${total} search${total === 1 ? "" : "es"}${older}${missing}`;
}

/** The best value and its trial, marked where that did not complete; what another version does not tell is left out. */
export function bestWords({ best }: Pick<Entry, "best">): string | null {
  return best && `${best.value} at ${best.trial}${best.note ?? ""}`;
}

/** How far a search is, in words. */
export function progressWords({ ended, total, left }: Entry): string {
  const trials = total === null ? `${ended} trial${ended === 1 ? "" : "s"}` : `${ended} / ${total}`;
  return left ? `${trials} · ${left} left` : trials;
}
