/** Lists the names of weir's own values under a prefix, page by page. */

import type { ListedKey, Operations } from "../../core/operation.ts";

const pageNames = 1_000;

/** All of them, in order. A value that is written or removed meanwhile may be among them or not. */
export async function* ownNames(
  operations: () => Operations,
  prefix: string,
  from = "",
): AsyncGenerator<ListedKey, void> {
  for (let after: string | undefined = from; after !== undefined; ) {
    const page = await operations().list({ prefix, after, delimiter: "", limit: pageNames });
    yield* page.keys;
    after = page.next;
  }
}

/** What there is up to the first slash after the prefix. */
export async function* ownFolders(operations: () => Operations, prefix: string): AsyncGenerator<string, void> {
  for (let after: string | undefined = ""; after !== undefined; ) {
    const page = await operations().list({ prefix, after, delimiter: "/", limit: pageNames });
    yield* page.prefixes;
    after = page.next;
  }
}
