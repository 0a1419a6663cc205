// The kernel answers to all views of all pages: by the id of its request a view knows what is meant for it.

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
