// What the form for a new search asks the kernel of a notebook: beside the running cell where the kernel can do that.

import { type Kernel, KernelMessage } from "@jupyterlab/services";

const MODULE = '__import__("hpo_widgets.optimizer.new_search", fromlist=["answer"])';

/** What the kernel answered instead, in its own words. */
export class Refusal extends Error {
  constructor(
    readonly kind: string,
    message: string,
  ) {
    super(message);
  }
}

type Outcome = { status: string; ename?: string; evalue?: string; data?: Record<string, unknown> };

export class KernelQuestions {
  private subshell: Promise<string | undefined> | null = null;
  private readonly asked = new Set<string>();
  private end: (reason: Error) => void = () => undefined;
  /** Rejects when nothing is asked any more: a kernel that was restarted may leave a question without an answer. */
  private readonly ended = new Promise<never>((_resolve, reject) => {
    this.end = reject;
  });

  constructor(private readonly kernel: Kernel.IKernelConnection) {
    this.ended.catch(() => undefined);
  }

  /** Whether answers come while a cell runs; a JupyterLab before 4.4 knows nothing of that. */
  get answersBesideCell(): boolean {
    return (this.kernel as { supportsSubshells?: boolean }).supportsSubshells === true;
  }

  /** Whether a message of the kernel belongs to a question of this form. */
  isOwn(id: string): boolean {
    return this.asked.has(id);
  }

  /**
   * Asks, and waits for the answer.
   *
   * @throws Refusal when the kernel cannot answer; another error when it has gone meanwhile, or is asked no more
   */
  ask(question: object): Promise<unknown> {
    return Promise.race([this.answer(question), this.ended]);
  }

  private async answer(question: object): Promise<unknown> {
    this.subshell ??= this.openSubshell().catch((error: unknown) => {
      this.subshell = null; // the next question tries again
      throw error;
    });
    const subshellId = await this.subshell;
    // A text within a text: what a person has typed is never code. JSON's escapes are those of Python.
    const told = JSON.stringify(JSON.stringify(question));
    const message = KernelMessage.createMessage<KernelMessage.IExecuteRequestMsg>({
      msgType: "execute_request",
      channel: "shell",
      session: this.kernel.clientId,
      username: this.kernel.username,
      subshellId,
      content: {
        code: `${MODULE}.leave_figures()`,
        silent: true,
        store_history: false,
        allow_stdin: false,
        stop_on_error: false,
        user_expressions: { answer: `${MODULE}.answer(${told})` },
      },
    });
    this.asked.add(message.header.msg_id);
    const reply = await this.kernel.sendShellMessage<"execute_request">(message, true).done;
    const content = reply.content as unknown as Outcome & {
      user_expressions?: { answer?: Outcome };
    };
    const outcome = content.status === "ok" ? content.user_expressions?.answer : content;
    const answer = outcome?.data?.["application/json"];
    if (answer === undefined) {
      throw new Refusal(outcome?.ename ?? "", outcome?.evalue ?? "it gave no answer");
    }
    return answer;
  }

  /** Ends what waits for an answer, and the thread of the kernel that answers. */
  dispose(): void {
    this.end(new Error("it is asked no more"));
    void this.subshell
      ?.then((id) => {
        if (id !== undefined && !this.kernel.isDisposed && this.kernel.status !== "dead") {
          return this.kernel.requestDeleteSubshell({ subshell_id: id }, true).done;
        }
        return undefined;
      })
      // A kernel that has gone, or was restarted, has taken it along.
      .catch(() => undefined);
  }

  private async openSubshell(): Promise<string | undefined> {
    await this.kernel.info;
    if (!this.answersBesideCell) {
      return undefined;
    }
    return (await this.kernel.requestCreateSubshell({}).done).content.subshell_id;
  }
}
