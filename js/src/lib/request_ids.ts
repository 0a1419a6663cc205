// The kernel answers to all views of all pages: by the id of its request a view knows what is meant for it.

import { PATIENCE_MS } from "./connection";

/**
 * Gives ids of requests which nobody else has, in this page or in another one. Ids of nodes are made of them, too: a module
 * is there once for each model, and what it counts begins anew with each.
 */
export function requestIds(): () => string {
  // Not `crypto.randomUUID`, which a page that does not come over https lacks.
  const owner = Math.random().toString(36).slice(2, 10);
  let count = 0;
  return () => {
    count += 1;
    return `${owner}-${count}`;
  };
}

/** The newest request of a field or form, which is asked once however often Enter is pressed. */
export class NewestRequest {
  private id: string | null = null;
  private askedAt = 0;
  private readonly newId = requestIds();

  /** Whether an answer may still come: a request, or its answer, may have been lost with a connection. */
  get isOpen(): boolean {
    return this.id !== null && Date.now() - this.askedAt < PATIENCE_MS;
  }

  /** @returns the id of a new request */
  begin(): string {
    this.id = this.newId();
    this.askedAt = Date.now();
    return this.id;
  }

  /** The answer is of no interest any more. */
  forget(): void {
    this.id = null;
  }

  /** Whether what came with this id is the answer; the request is done then. */
  takes(id: string | undefined): boolean {
    const isTaken = this.id !== null && id === this.id;
    if (isTaken) {
      this.id = null;
    }
    return isTaken;
  }
}
