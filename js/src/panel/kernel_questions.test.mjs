import assert from "node:assert/strict";
import { test } from "node:test";
import { KernelQuestions } from "./kernel_questions";

/** A kernel that leaves a question without an answer. */
const SILENT = {
  clientId: "page",
  username: "",
  info: Promise.resolve({}),
  sendShellMessage: () => ({ done: new Promise(() => undefined) }),
};

test("a question that a restarted kernel leaves without an answer ends when nothing is asked any more", async () => {
  const questions = new KernelQuestions(SILENT);
  const asked = questions.ask({ kind: "functions" });
  questions.dispose();
  await assert.rejects(asked, /asked no more/u);
});

test("a subshell that could not be opened is asked for at the next question again, one that is there no more", async () => {
  const answer = { status: "ok", data: { "application/json": "known" } };
  const content = { status: "ok", user_expressions: { answer } };
  const outcomes = [
    () => Promise.reject(new Error("the connection was lost")),
    () => Promise.resolve({ content: { subshell_id: "second" } }),
  ];
  const questions = new KernelQuestions({
    ...SILENT,
    supportsSubshells: true,
    requestCreateSubshell: () => ({ done: outcomes.shift()() }),
    sendShellMessage: () => ({ done: Promise.resolve({ content }) }),
  });
  await assert.rejects(questions.ask({}), /connection was lost/u);
  assert.equal(await questions.ask({}), "known");
  assert.equal(outcomes.length, 0);
  assert.equal(await questions.ask({}), "known");
});
