import assert from "node:assert/strict";
import { test } from "node:test";
import {
  bestWords,
  entryOf,
  folderOf,
  followed,
  footWords,
  grouped,
  isElsewhere,
  journalEntry,
  numRunning,
  originWords,
  progressWords,
  renamed,
  stoppable,
  waitingWords,
  wantedEntry,
  withJournals,
  withoutRepeats,
} from "./entries";

function entry(title, state = {}, origin = {}) {
  const told = { title, search_id: `${title}-1`, status: "running", made_at: 1, ...state };
  return entryOf((name) => told[name], {
    kernel: "k",
    path: "a.ipynb",
    isBusy: false,
    isAway: false,
    ...origin,
  });
}

const titles = (entries) => entries.map(({ title }) => title);

test("searches stand in groups by what they do, the newest first", () => {
  const entries = [
    entry("old", { made_at: 1 }),
    entry("new", { made_at: 3 }),
    entry("done", { status: "completed" }),
    entry("fresh", { status: "idle" }),
    entry("waiting", { status: "paused", made_at: 2 }),
  ];
  assert.deepEqual(
    grouped(entries).map((group) => [group.title, titles(group.entries)]),
    [
      ["Running", ["new", "waiting", "old"]],
      ["Not started", ["fresh"]],
      ["Ended", ["done"]],
    ],
  );
});

test("a filter needs all its words, in the name, the notebook or the status", () => {
  const entries = [
    entry("digits"),
    entry("digits two", { status: "stopped" }),
    entry("housing", {}, { path: "work/digits.ipynb" }),
  ];
  const found = (filter) =>
    titles(grouped(entries, filter).flatMap((group) => group.entries)).sort();
  assert.deepEqual(found("DIGITS running"), ["digits", "housing"]);
  assert.deepEqual(found("stopped"), ["digits two"]);
  assert.deepEqual(found("nothing"), []);
});

test("a search that two panels show is one entry, that of the newer panel", () => {
  const entries = [
    entry("a", { target: "first", made_at: 1 }),
    entry("a", { target: "second", made_at: 2 }),
  ];
  assert.deepEqual(
    withoutRepeats(entries).map(({ target }) => target),
    ["second"],
  );
  assert.equal(numRunning(entries), 1);
});

test("two kernels may show a search of one id", () => {
  const entries = [entry("a"), entry("a", {}, { kernel: "other" })];
  assert.equal(withoutRepeats(entries).length, 2);
});

test("a search that was never started goes when its cell is run again, one that runs stays", () => {
  const entries = [
    entry("a", { search_id: "1", status: "idle", made_at: 1 }),
    entry("a", { search_id: "2", made_at: 2 }),
    entry("a", { search_id: "3", status: "idle", made_at: 3 }),
  ];
  assert.deepEqual(
    withoutRepeats(entries).map(({ search_id }) => search_id),
    ["3", "2"],
  );
});

test("a tab shows its search, and after a restart the newest of that name in that notebook", () => {
  const wanted = { searchId: "1", path: "a.ipynb", title: "a" };
  const [it, elsewhere] = [
    entry("a", { search_id: "1" }),
    entry("a", { search_id: "1", made_at: 9 }, { path: "b.ipynb" }),
  ];
  const [older, newer] = [
    entry("a", { search_id: "2", made_at: 2 }),
    entry("a", { search_id: "3", made_at: 3 }),
  ];
  const stranger = entry("a", { search_id: "4", made_at: 4 }, { path: "b.ipynb" });
  assert.equal(wantedEntry([older, elsewhere, it], wanted), it);
  assert.equal(wantedEntry([older, elsewhere], wanted), elsewhere);
  assert.equal(wantedEntry([older, newer, stranger], wanted), newer);
  assert.equal(wantedEntry([stranger], wanted), undefined);
});

test("a tab goes along with a notebook that is renamed, not with one that is closed", () => {
  const wanted = { searchId: "a-1", path: "a.ipynb", title: "a" };
  assert.equal(followed(wanted, entry("a")), wanted);
  assert.equal(followed(wanted, entry("a", {}, { path: "b.ipynb" })).path, "b.ipynb");
  assert.equal(followed(wanted, entry("a", {}, { path: "" })), wanted);
  assert.equal(followed(wanted, entry("a", { search_id: "a-2" })).searchId, "a-2");
});

test("a tab looks for what is not shown now in its notebook, also when that is renamed", () => {
  const wanted = { searchId: "a-1", path: "a.ipynb", title: "a" };
  assert.equal(renamed(wanted, "other.ipynb", "b.ipynb"), wanted);
  const next = entry("a", { search_id: "a-2" }, { path: "b.ipynb" });
  assert.equal(wantedEntry([next], wanted), undefined);
  assert.equal(wantedEntry([next], renamed(wanted, "a.ipynb", "b.ipynb")), next);
});

test("a tab without its search does not say that it has ended, and asks for its notebook first", () => {
  const words = waitingWords({ searchId: "a-1", path: "work/a.ipynb", title: "a" });
  assert.match(
    words,
    /^a is not shown in a\.ipynb now\. Show the notebook first: .* may still run\./,
  );
  assert.doesNotMatch(waitingWords({ searchId: "a-1", path: "", title: "a" }), /Show the notebook/);
});

test("only what can be stopped from here is stopped with all", () => {
  const reason = "Another kernel runs it.";
  const entries = [
    entry("own", { commands: { stop: null } }),
    entry("own", { commands: { stop: null }, target: "second panel", made_at: 2 }),
    entry("elsewhere", { commands: { stop: reason }, is_view: true }),
    entry("untold"),
  ];
  assert.deepEqual(titles(stoppable(entries)), ["own"]);
  assert.deepEqual(stoppable(entries.slice(2)), []);
  assert.equal(numRunning(entries.slice(2)), 2);
});

test("what another version of the package does not tell is left empty", () => {
  const known = entryOf((name) => ({ title: "a" })[name], { kernel: "k", path: "", isBusy: true });
  assert.deepEqual([known.curve, known.best, known.commands], [[], null, {}]);
  assert.equal(originWords(known), "no notebook · kernel busy");
});

test("a search whose kernel cannot be reached says so, as what is seen may be of before", () => {
  assert.equal(
    originWords(entry("a", {}, { isAway: true, isBusy: true })),
    "a.ipynb · no connection",
  );
});

test("progress says how many trials of how many, and how long it goes on where that is known", () => {
  assert.equal(
    progressWords(entry("a", { ended: 96, total: 200, left: "1:20" })),
    "96 / 200 · 1:20 left",
  );
  assert.equal(progressWords(entry("a", { ended: 1 })), "1 trial");
  assert.equal(originWords(entry("a", {}, { path: "work/a.ipynb" })), "a.ipynb");
});

test("a journal is listed as long as no panel shows its search", () => {
  const found = { search_id: "a-1", title: "a", status: "completed", changed_at: 5, ended: 3 };
  const [kept, other] = [
    journalEntry(found, "work"),
    journalEntry({ ...found, search_id: "b-1" }, ""),
  ];
  assert.deepEqual(withJournals([entry("a")], [kept, other]).slice(1), [other]);
  assert.deepEqual(
    grouped([kept, journalEntry({ ...found, search_id: "c-1", status: "running" }, "work")]).map(
      (group) => [group.title, group.entries.length],
    ),
    [
      ["Running", 1],
      ["Journals", 1],
    ],
  );
  assert.deepEqual([kept.journal.folder, kept.commands, kept.made_at], ["work", {}, 5]);
  assert.equal(grouped([kept], "work").length, 1);
  assert.match(originWords(kept), /^19\d\d-\d\d-\d\d \d\d:\d\d · work$/);
});

test("a backup beside its journal hides nothing of it", () => {
  const found = { search_id: "a-1", opens: "a-1", title: "a", status: "completed", changed_at: 5 };
  const both = [
    journalEntry(found, "work"),
    journalEntry({ ...found, opens: ".hpo_widgets/before.sqlite", changed_at: 6 }, "work"),
  ];
  assert.equal(new Set(both.map(({ target }) => target)).size, 2);
  assert.deepEqual(
    withoutRepeats(both).map(({ journal }) => journal.opens),
    [".hpo_widgets/before.sqlite", "a-1"],
  );
});

test("what another process had paused when it went is kept, and does not run", () => {
  const paused = { search_id: "a-1", title: "a", status: "paused" };
  const [kept, run] = [true, false].map((owner_died) =>
    journalEntry({ ...paused, owner_died }, ""),
  );
  assert.deepEqual(
    [kept, run].map((one) => grouped([one])[0].title),
    ["Journals", "Running"],
  );
  assert.deepEqual([kept, run].map(isElsewhere), [false, true]);
  // A panel that views it offers to take it over.
  const viewed = { is_view: true, owner_died: true };
  const shown = [entry("a", { ...viewed, status: "paused" })];
  assert.deepEqual([grouped(shown)[0].title, numRunning(shown)], ["Ended", 0]);
  assert.deepEqual(
    ["paused", "stopped"].map((status) => isElsewhere(entry("a", { ...viewed, status }))),
    [true, true],
  );
  assert.ok(!isElsewhere(entry("a")));
});

test("the best of a journal is marked where it did not complete, as far as that is told", () => {
  const best = { value: "0.25", trial: "#2" };
  const words = (told) => bestWords(journalEntry({ search_id: "a", best: told }, ""));
  assert.equal(words({ ...best, note: " (aborted)" }), "0.25 at #2 (aborted)");
  assert.equal(words(best), "0.25 at #2");
  assert.equal(words(null), null);
});

test("a journal has the status that the server tells of it", () => {
  const pill = { word: "all trials failed", look: "failed" };
  assert.deepEqual(journalEntry({ search_id: "a", pill }, "").pill, pill);
});

test("the foot says how many searches there are, and what is not listed", () => {
  assert.equal(footWords(1, { isUnknown: false, leftOff: 0 }), "1 search");
  assert.equal(
    footWords(50, { isUnknown: false, leftOff: 1 }),
    "50 searches · 1 older journal not listed",
  );
  assert.equal(
    footWords(2, { isUnknown: true, leftOff: 0 }),
    "2 searches · this server lists no journals",
  );
});

test("a journal that cannot be read says why", () => {
  const kept = journalEntry({ search_id: "a", title: "a", problem: "It is damaged." }, "");
  assert.equal(originWords(kept), "It is damaged.");
  assert.deepEqual(kept.pill, { word: "cannot be read", look: "failed" });
});

test("the folder of a path is what stands before its name", () => {
  assert.deepEqual(["a.ipynb", "x/y/a.ipynb", ""].map(folderOf), ["", "x/y", ""]);
});
