/** A page of a listing as JSON: the same as at once, but made in short turns. */

import assert from "node:assert/strict";
import { test } from "node:test";
import type { ListOutcome } from "../../../../src/core/operation.ts";
import { encodePage } from "../../../../src/http/routes/list-route.ts";
import { Turns } from "../../../../src/http/server/turns.ts";
import { assertShortTurns } from "../../../harness/turn-times.ts";

function page(count: number, character: string): ListOutcome {
  const names = Array.from({ length: count }, (_, index) => character.repeat(1_020) + index);
  const keys = names.map((key) => ({ key, size: 5, etag: "0".repeat(32), modifiedMs: 1_800_000_000_000 }));
  return { keys, prefixes: names.slice(0, 70), next: names.at(-1) };
}

function atOnce({ keys, prefixes, next }: ListOutcome): unknown {
  const shown = keys.map(({ modifiedMs, ...rest }) => ({ ...rest, lastModified: new Date(modifiedMs).toISOString() }));
  return { keys: shown, prefixes, next: next ?? null };
}

test("a page of any number of entries is the JSON that it would be at once", async () => {
  for (const count of [0, 1, 63, 64, 65, 300]) {
    for (const character of ["a", '"', "\u0001", "ä"]) {
      const made = await encodePage(page(count, character), new Turns().of(""));
      assert.equal(made.toString(), JSON.stringify(atOnce(page(count, character))));
    }
  }
});

test("a page of the longest keys, with each character escaped, takes no turn of 5 ms", {
  timeout: 60_000,
}, async () => {
  const longest = page(1_000, "\u0001");
  await assertShortTurns(() => encodePage(longest, new Turns().of("")));
});
