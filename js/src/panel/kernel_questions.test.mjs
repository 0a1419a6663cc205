import assert from "node:assert/strict";
import { test } from "node:test";
import { KernelQuestions } from "./kernel_questions";

test("a question that a restarted kernel leaves without an answer ends when nothing is asked any more", async () => {
  const kernel = {
    clientId: "page",
    username: "",
    info: Promise.resolve({}),
    sendShellMessage: () => ({ done: new Promise(() => undefined) }),
  };
  const questions = new KernelQuestions(kernel);
  const asked = questions.ask({ kind: "functions" });
  questions.dispose();
  await assert.rejects(asked, /asked no more/u);
});
